#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"

namespace ecmp::stamp {

/// A token bucket for each source, in a fixed number of cells: sources that share a cell share its tokens, so each
/// source has one cell in each of two rows and is refused only when both are empty. With a secret hash nobody can aim
/// at another's two cells, and a hundred thousand sources take no more memory than one.
class RateCells {
 public:
  explicit RateCells(const SipKey& secret);

  /// Takes a token of `source` (an IPv4 address, an IPv6 /64); false: there is none. `rate` tokens come each second,
  /// and as many are kept, one at least.
  bool take(const IpAddress& source, double rate, Instant now);

  [[nodiscard]] std::size_t memory() const { return cells_.capacity() * sizeof(Instant); }

 private:
  SipKey secret_;
  std::vector<Instant> cells_;  ///< when a bucket would be full again (GCRA)
};

}  // namespace ecmp::stamp
