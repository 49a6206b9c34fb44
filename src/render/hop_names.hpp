#pragma once

#include <string_view>

#include "base/ip_address.hpp"

namespace ecmp::render {

/// Reverse names of addresses, as far as they are known by now.
class HopNames {
 public:
  virtual ~HopNames() = default;

  /// Without the trailing dot; empty if unknown. Comes from the network: nothing is to be believed of its bytes. The
  /// view is valid until the names are next changed, which must not be while something is being rendered.
  [[nodiscard]] virtual std::string_view name(const IpAddress& address) const = 0;

  /// The autonomous systems that announce the address, as "64500", "64500_64501" where several do; empty if unknown.
  /// Valid as long as a name is.
  [[nodiscard]] virtual std::string_view origin(const IpAddress& /*address*/) const { return {}; }

  /// Where the address is, as a database says: the name of a city, and the two letters of a country (ISO 3166); empty
  /// if unknown. Nothing is to be believed of their bytes. Valid as long as a name is.
  [[nodiscard]] virtual std::string_view city(const IpAddress& /*address*/) const { return {}; }
  [[nodiscard]] virtual std::string_view country(const IpAddress& /*address*/) const { return {}; }
};

/// For when names are switched off.
class NoNames final : public HopNames {
 public:
  [[nodiscard]] std::string_view name(const IpAddress&) const override { return {}; }
};

}  // namespace ecmp::render
