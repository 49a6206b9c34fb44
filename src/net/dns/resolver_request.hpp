#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <variant>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "net/dns/resolver.hpp"

namespace ecmp::net {

// What the resolver's thread works with.

struct AddressRequest {
  std::string name;
  NameFamily family = NameFamily::any;
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
int family_number(NameFamily family);

/// Of a status of c-ares.
DnsFailure failure_of(int status);

/// So many per second, as many as that at once.
class TokenBucket {
 public:
  TokenBucket(double per_second, Instant now) : per_second_(per_second), tokens_(most()), filled_(now) {}

  bool take(Instant now) {
    tokens_ = std::min(most(), tokens_ + std::chrono::duration<double>(now - filled_).count() * per_second_);
    filled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  /// From now until there is one, after take() has said no.
  [[nodiscard]] Duration wait() const {
    return std::chrono::ceil<Duration>(std::chrono::duration<double>((1 - tokens_) / per_second_));
  }

 private:
  [[nodiscard]] double most() const { return std::max(1.0, per_second_ / 10); }

  double per_second_;
  double tokens_;
  Instant filled_;
};

}  // namespace ecmp::net
