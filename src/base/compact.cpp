#include "base/compact.hpp"

namespace ecmp {
namespace {

// What an address begins with.
constexpr std::uint8_t kNobody = 0;
constexpr std::uint8_t kIpv4 = 4;
constexpr std::uint8_t kIpv6 = 6;

}  // namespace

void CompactWriter::number(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    byte(static_cast<std::uint8_t>(value | 0x80));
  byte(static_cast<std::uint8_t>(value));
}

void CompactWriter::signed_number(std::int64_t value) {
  number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

void CompactWriter::text(std::string_view text) {
  number(text.size());
  out_.append(text);
}

void CompactWriter::address(const IpAddress& address) {
  if (address == IpAddress()) return byte(kNobody);
  byte(address.is_v4() ? kIpv4 : kIpv6);
  for (const std::uint8_t part : address.bytes())
    byte(part);
}

std::uint8_t CompactReader::byte() {
  if (at_ < bytes_.size()) return bytes_[at_++];
  fail();
  return 0;
}

std::uint64_t CompactReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t part = byte();
    value |= std::uint64_t{part & 0x7fu} << shift;
    if (part < 0x80) return ok_ ? value : 0;
  }
  fail();
  return 0;
}

std::uint64_t CompactReader::number(std::uint64_t most) {
  const std::uint64_t value = number();
  if (value <= most) return value;
  fail();
  return 0;
}

std::int64_t CompactReader::signed_number() {
  const std::uint64_t value = number();
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

ByteView CompactReader::take(std::uint64_t size) {
  if (size > left()) {
    fail();
    return {};
  }
  const ByteView taken = bytes_.subspan(at_, static_cast<std::size_t>(size));
  at_ += taken.size();
  return taken;
}

std::string_view CompactReader::text() {
  const ByteView taken = take(number());
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

IpAddress CompactReader::address() {
  switch (byte()) {
    case kNobody:
      return {};
    case kIpv4:
      if (const ByteView bytes = take(4); ok_) return IpAddress::v4(bytes.first<4>());
      return {};
    case kIpv6:
      if (const ByteView bytes = take(16); ok_) return IpAddress::v6(bytes.first<16>());
      return {};
    default:
      fail();
      return {};
  }
}

std::size_t CompactReader::count(std::size_t least_bytes) {
  return static_cast<std::size_t>(number(left() / least_bytes));
}

}  // namespace ecmp
