#include "stamp/rate_cells.hpp"

#include <algorithm>

namespace ecmp::stamp {

namespace {

constexpr std::size_t kRow = 8192;

}  // namespace

RateCells::RateCells(const SipKey& secret) : secret_(secret), cells_(2 * kRow) {}

bool RateCells::take(const IpAddress& source, double rate, Instant now) {
  // Who has an IPv6 network has all of its addresses.
  const ByteView network = source.is_v4() ? source.bytes() : source.bytes().first(8);
  const std::uint64_t hash = siphash(secret_, network);
  Instant& first = cells_[hash % kRow];
  Instant& second = cells_[kRow + (hash >> 32) % kRow];
  const auto per_token = Duration(static_cast<Duration::rep>(1e9 / rate));
  const Duration depth = per_token * static_cast<Duration::rep>(std::max(rate, 1.0) - 1);
  bool taken = false;
  for (Instant* cell : {&first, &second}) {
    if (*cell - depth > now) continue;
    *cell = std::max(*cell, now) + per_token;
    taken = true;
  }
  return taken;
}

}  // namespace ecmp::stamp
