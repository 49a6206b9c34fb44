#include "config/networks.hpp"

#include <algorithm>
#include <charconv>

namespace ecmp::config {

namespace {

bool bit_at(ByteView bytes, std::size_t bit) {
  return (bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::size_t all = address->bytes().size() * 8;
  std::size_t bits = all;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits > all) return std::nullopt;
  }
  for (std::size_t bit = bits; bit < all; ++bit)
    if (bit_at(address->bytes(), bit)) return std::nullopt;
  Network network;
  network.first_ = *address;
  network.bits_ = static_cast<std::uint8_t>(bits);
  return network;
}

bool Network::contains(const IpAddress& address) const {
  if (address.family() != first_.family()) return false;
  // The reflector asks this of every request, with a network for each peer.
  const ByteView a = address.bytes();
  const ByteView b = first_.bytes();
  const std::size_t whole = bits_ / 8u;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = bits_ % 8u;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

std::string Network::to_string() const {
  return first_.to_string() + "/" + std::to_string(bits_);
}

}  // namespace ecmp::config
