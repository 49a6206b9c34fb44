#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace ecmp {

/// Since when responders have been in use at their TTLs, over all flows of a destination: tells a router that is new
/// from one that was there all along.
class Sightings {
 public:
  /// Whether a flow uses the responder at this TTL.
  using InUse = std::function<bool(std::size_t ttl, const IpAddress& responder)>;

  /// A responder answered. If nobody has seen it for `memory` and nobody uses it, it counts as new again.
  void note(std::size_t ttl, const IpAddress& responder, Instant now, Duration memory, const InUse& in_use);

  /// A new responder took the place of another, whom nobody has heard since; unspecified: beside those there were.
  void take_place(std::size_t ttl, const IpAddress& responder, const IpAddress& former);
  /// Whose place it took; unspecified if it is not known to have taken any.
  [[nodiscard]] IpAddress former(std::size_t ttl, const IpAddress& responder) const;

  /// Nobody uses it any more: should it come back, it is new.
  void forget(std::size_t ttl, const IpAddress& responder);

  /// Beginning of its time of use; Instant::max() if it is not known.
  [[nodiscard]] Instant since(std::size_t ttl, const IpAddress& responder) const;

  void clear() { by_ttl_.clear(); }

 private:
  struct Sighting {
    IpAddress responder;
    Instant since{};
    Instant last{};
    IpAddress former;
  };
  /// More than flows can use honestly; what is beyond takes the place of the one unseen for longest.
  static constexpr std::size_t kPerTtl = 1024;

  [[nodiscard]] const Sighting* find(std::size_t ttl, const IpAddress& responder) const;

  std::vector<std::vector<Sighting>> by_ttl_;
};

}  // namespace ecmp
