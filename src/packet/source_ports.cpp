#include "packet/source_ports.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/siphash.hpp"

namespace ecmp {
namespace {

// Any numbers, and for ever these: with others every flow of every user would move to another path.
constexpr SipKey kNameKey{0x736f757263655f70u, 0x6f7274735f6f665fu};
constexpr SipKey kRoundKey{0x6f726465725f6f66u, 0x5f706f7274735f31u};
constexpr unsigned kRounds = 6;

}  // namespace

PortOrder::PortOrder(PortBlock block, std::string_view name, Protocol protocol, std::uint16_t destination_port)
    : block_(block) {
  while ((1u << (2 * half_bits_)) < block_.size())
    ++half_bits_;
  const std::uint64_t hash =
      siphash(kNameKey, ByteView(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
  const std::uint64_t port = port_of(protocol, destination_port);
  seed_ = siphash(kNameKey, hash, std::uint64_t{static_cast<std::uint8_t>(protocol)} << 16 | port);
}

/// A Feistel network permutes a power of two; what falls outside the block goes through it again until it does not
/// ("cycle walking", Black and Rogaway 2002), so that the block itself is permuted.
std::uint16_t PortOrder::operator[](std::uint32_t place) const {
  const std::uint32_t mask = (1u << half_bits_) - 1;
  do {
    std::uint32_t left = place >> half_bits_, right = place & mask;
    for (unsigned round = 0; round < kRounds; ++round) {
      const auto mixed = static_cast<std::uint32_t>(siphash(kRoundKey, seed_, std::uint64_t{round} << 32 | right));
      left = std::exchange(right, left ^ (mixed & mask));
    }
    place = left << half_bits_ | right;
  } while (place >= block_.size());
  return static_cast<std::uint16_t>(block_.first + place);
}

SourcePorts::SourcePorts(const PortOrder& order, std::uint32_t count) {
  std::vector<std::uint16_t> ports(std::min(count, order.size()));
  for (std::uint32_t i = 0; i < ports.size(); ++i)
    ports[i] = order[i];
  list_ = std::make_shared<const std::vector<std::uint16_t>>(std::move(ports));
}

bool SourcePorts::agrees(const SourcePorts& other) const {
  if (list_ == nullptr && other.list_ == nullptr) return first_ == other.first_;
  if (list_ == other.list_) return true;
  const std::size_t count = list_ == nullptr         ? other.list_->size()
                            : other.list_ == nullptr ? list_->size()
                                                     : std::min(list_->size(), other.list_->size());
  for (std::size_t i = 0; i < count; ++i)
    if ((*this)[i] != other[i]) return false;
  return true;
}

}  // namespace ecmp
