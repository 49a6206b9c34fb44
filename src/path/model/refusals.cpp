#include "path/model/refusals.hpp"

#include <algorithm>

namespace ecmp {

void Refusals::count(const Round& round, WallTime started) {
  constexpr std::size_t kMaximum = 64;
  for (const HopResult& hop : round.hops) {
    if (hop.outcome != HopOutcome::unreachable) continue;
    const auto find = [&](const IpAddress& from) {
      return std::ranges::find_if(
          all_, [&](const UnreachableSnapshot& known) { return known.reply == hop.reply && known.from == from; });
    };
    auto at = find(hop.responder);
    const bool full = all_.size() >= kMaximum;
    if (at == all_.end() && full) at = find(IpAddress());
    if (at == all_.end()) at = all_.insert(at, {hop.reply, full ? IpAddress() : hop.responder, 0, started});
    ++at->count;
  }
}

}  // namespace ecmp
