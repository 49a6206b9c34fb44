// Destinations whose answers are ICMP errors, which hosts limit whatever they were asked with.
#include <algorithm>

#include "probe/engine_state.hpp"

namespace ecmp {

End& Engine::State::take_end(const DestinationPlan& plan) {
  const bool ask_until_limited = plan.ask_until_limited || options_.ask_until_limited;
  End& end = ends_[plan.address];
  if (++end.plans == 1 && ask_until_limited) end.unpaced = std::make_unique<UnpacedProbes>();
  if (!ask_until_limited) end.unpaced = nullptr;
  return end;
}

void Engine::State::give_back_end(const IpAddress& address, Instant now, bool is_service) {
  const auto end = ends_.find(address);
  if (end == ends_.end() || --end->second.plans > 0) return;
  pacing_.unguard(end->second.responder, now, is_service);
  ends_.erase(end);
}

std::span<const std::unique_ptr<Flow>> Engine::State::flows_beside(const Flow& flow) const {
  const auto beside = [&](std::size_t number) {
    return flows_[number] != nullptr && flows_[number]->plan == flow.plan;
  };
  std::size_t first = flow.number;
  std::size_t beyond = first + 1;
  while (first > 0 && beside(first - 1))
    --first;
  while (beyond < flows_.size() && beside(beyond))
    ++beyond;
  return std::span(flows_).subspan(first, beyond - first);
}

/// A destination has answered `probe`. UDP ports are closed as a rule; what a firewall rejects is answered with the
/// same errors (iptables and nftables: port unreachable, firewalld: administratively prohibited).
void Engine::State::note_destination(Flow& flow, const LiveProbe& probe) {
  constexpr Duration kForgotten = std::chrono::seconds(60);  // as long a mix of both is asked as an error would be
  if (flow.tuple.protocol == Protocol::udp && !flow.plan->stamp) return;
  const HopResult& hop = probe.hop;
  if (packet::is_error(hop.reply)) {
    flow.refused = hop.received;
    if (flow.end == nullptr) expect_errors(flow, probe);
    return;
  }
  if (flow.end == nullptr) return;
  const auto flows = flows_beside(flow);
  const Instant newest =
      (*std::ranges::max_element(flows, {}, [](const auto& each) { return each->refused; }))->refused;
  if (hop.received - newest < kForgotten) return;
  for (const auto& each : flows)
    each->end = nullptr;
  give_back_end(flow.tuple.destination, hop.received, true);
}

/// The first error of a destination that might have answered otherwise. What is under way has asked it without regard
/// to a limit, so that silence says nothing.
void Engine::State::expect_errors(const Flow& flow, const LiveProbe& probe) {
  End& end = take_end(*flow.plan);
  end.asked = std::min(end.asked, probe.sent);
  if (end.distance == 0) end.search_until = probe.hop.received + std::min<Duration>(End::kSearch, flow.plan->timeout);
  for (const auto& each : flows_beside(flow)) {
    each->end = &end;
    if (end.unpaced != nullptr) continue;  // asked until it shows a limit
    for (const auto& round : each->live) {
      const std::uint8_t aim = round->aim();
      round->each_probe([aim](LiveProbe& open) { open.owed = open.owed || open.hop.ttl >= aim; });
    }
  }
}

}  // namespace ecmp
