#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ecmp {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// An IPv4 or IPv6 address, a plain value of 17 bytes. A default-made one is "unspecified": it stands for "nobody
/// answered yet" wherever a responder is expected.
class IpAddress {
 public:
  constexpr IpAddress() = default;

  /// From network-order bytes.
  static IpAddress v4(std::span<const std::uint8_t, 4> bytes);
  static IpAddress v6(std::span<const std::uint8_t, 16> bytes);
  /// From a number in host order: v4(0x7f000001) is 127.0.0.1.
  static IpAddress v4(std::uint32_t number);

  /// Dotted quad or RFC 4291 text without brackets, zone or prefix; nothing else is accepted.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::ipv4; }
  [[nodiscard]] bool is_unspecified() const { return (words()[0] | words()[1]) == 0; }
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_multicast() const;
  /// 169.254.0.0/16 or fe80::/10.
  [[nodiscard]] bool is_link_local() const;

  /// Network-order bytes: 4 of them for IPv4, 16 for IPv6.
  [[nodiscard]] ByteView bytes() const { return {bytes_.data(), is_v4() ? std::size_t{4} : std::size_t{16}}; }

  /// Of the bytes: addresses are not chosen against us in any table whose worst case would hurt (all are bounded).
  [[nodiscard]] std::size_t hash() const {
    const auto [first, second] = words();
    std::uint64_t sum = (first ^ std::rotl(second * 0xd6e8feb86659fd93u, 32)) * 0x9e3779b97f4a7c15u;
    sum ^= sum >> 32;
    return static_cast<std::size_t>(sum);
  }

  /// Dotted quad, or RFC 5952 text.
  [[nodiscard]] std::string to_string() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  /// By words: the default compares the bytes by a call of memcmp, which every hop of every round would pay for.
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    const auto x = a.words(), y = b.words();
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a.family_ == b.family_;
  }

 private:
  [[nodiscard]] constexpr std::array<std::uint64_t, 2> words() const {
    return std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
  }

  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace ecmp

template <>
struct std::hash<ecmp::IpAddress> {
  std::size_t operator()(const ecmp::IpAddress& address) const noexcept { return address.hash(); }
};
