#include "stamp/own_tlv.hpp"

#include <algorithm>

#include "stamp/packet.hpp"

namespace ecmp::stamp {

namespace {

constexpr std::uint16_t kMark = 0xec4d;
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kHasPath = 0x01;
constexpr std::uint32_t kBits = 64;

}  // namespace

std::optional<bool> OwnTlv::has(std::uint32_t sequence) const {
  // Nothing has arrived yet, or nothing that high.
  if (received == 0 || is_after(sequence, highest)) return std::nullopt;
  const std::uint32_t back_by = highest - sequence;
  if (back_by >= kBits) return std::nullopt;
  return ((arrived >> back_by) & 1) != 0;
}

bool OwnTlv::note(std::uint32_t sequence) {
  if (received == 0) {
    highest = sequence;
    arrived = 1;
  } else if (is_after(sequence, highest)) {
    const std::uint32_t forward = sequence - highest;
    arrived = forward < kBits ? (arrived << forward) | 1 : 1;
    highest = sequence;
  } else {
    const std::uint32_t back_by = highest - sequence;
    if (back_by >= kBits || ((arrived >> back_by) & 1) != 0) return false;
    arrived |= std::uint64_t{1} << back_by;
  }
  ++received;
  return true;
}

void write(const OwnTlv& own, MutableBytes value) {
  std::fill(value.begin(), value.end(), std::uint8_t{0});
  store16(value, 0, kMark);
  value[2] = kVersion;
  value[3] = own.back ? kHasPath : 0;
  store32(value, 4, own.epoch);
  store32(value, 8, own.highest);
  store32(value, 12, static_cast<std::uint32_t>(own.arrived >> 32));
  store32(value, 16, static_cast<std::uint32_t>(own.arrived));
  store32(value, 20, own.received);
  value[29] = own.routers;
  if (!own.back) return;
  const OwnTlv::Path& back = *own.back;
  store32(value, 24, back.id);
  value[28] = back.hops;
  if (value.size() < kOwnTlvLong) return;
  value[29] = back.hop;
  if (back.hop == 0 || back.address.is_unspecified()) return;
  const std::size_t size = back.address.is_v4() ? 4 : 16;
  std::copy_n(back.address.bytes().begin(), size, value.begin() + kOwnTlvSize);
  value[48] = back.address.is_v4() ? 4 : 6;
}

std::optional<OwnTlv> read_own_tlv(ByteView value) {
  if ((value.size() != kOwnTlvSize && value.size() != kOwnTlvLong) || load16(value, 0) != kMark || value[2] != kVersion)
    return std::nullopt;
  OwnTlv own;
  own.epoch = load32(value, 4);
  own.highest = load32(value, 8);
  own.arrived = (std::uint64_t{load32(value, 12)} << 32) | load32(value, 16);
  own.received = load32(value, 20);
  if ((value[3] & kHasPath) == 0) {
    own.routers = value[29];
    return own;
  }
  OwnTlv::Path& back = own.back.emplace(OwnTlv::Path{.id = load32(value, 24), .hops = value[28]});
  if (value.size() < kOwnTlvLong || value[29] > back.hops) return own;
  back.hop = value[29];
  const ByteView address = value.subspan(kOwnTlvSize, 16);
  if (value[48] == 4) back.address = IpAddress::v4(address.first<4>());
  if (value[48] == 6) back.address = IpAddress::v6(address.first<16>());
  return own;
}

}  // namespace ecmp::stamp
