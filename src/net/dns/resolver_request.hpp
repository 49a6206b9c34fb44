#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <variant>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "net/dns/resolver.hpp"

namespace ecmp::net {

// What the resolver's thread works with.

struct AddressRequest {
  std::string name;
  FamilyChoice family = FamilyChoice::any;
  NameUse use = NameUse::destination;
  auto operator<=>(const AddressRequest&) const = default;
};

using Request = std::variant<AddressRequest, IpAddress>;

/// Each has a queue of its own.
enum class Kind : std::uint8_t { destinations, one_off, reverse, count_ };

Kind kind_of(const Request& request);

/// What the servers of a name's own zone are likely to serve: all below its parent; of an address its /24 or /48.
std::string zone_of(const Request& request);

/// AF_INET, AF_INET6 or AF_UNSPEC.
int family_number(FamilyChoice family);

/// Of a status of c-ares.
DnsFailure failure_of(int status);

/// So many requests a second, a tenth of that at once.
inline TokenBucket bucket_of(double per_second) {
  return {per_second, std::max(1.0, per_second / 10)};
}

}  // namespace ecmp::net
