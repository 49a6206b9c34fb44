#include "base/ip_address.hpp"

#include <algorithm>
#include <arpa/inet.h>

namespace ecmp {

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> bytes) {
  IpAddress address;
  address.family_ = Family::ipv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v4(std::uint32_t number) {
  IpAddress address;
  store32(address.bytes_, 0, number);
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddress address;
  if (text.find(':') != std::string_view::npos) {
    address.family_ = Family::ipv6;
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) != 1) return std::nullopt;
    return address;
  }
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes_.data()) != 1) return std::nullopt;
  return address;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  // glibc writes the form of RFC 5952: lower case, the longest run of zeros as "::", IPv4-mapped as dotted quad.
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

}  // namespace ecmp
