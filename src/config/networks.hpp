#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"

namespace ecmp::config {

/// The addresses that share a prefix.
class Network {
 public:
  /// "192.0.2.0/24", "2001:db8::/32", or an address alone. nullopt for anything else, also when bits behind the prefix
  /// are set: "10.1.2.3/8" is more likely a mistake than a wish.
  static std::optional<Network> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Network&, const Network&) = default;

 private:
  IpAddress first_;
  std::uint8_t bits_ = 0;
};

}  // namespace ecmp::config
