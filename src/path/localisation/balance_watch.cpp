#include "path/localisation/balance_watch.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace ecmp {
namespace {

/// Looks in a row that begin a finding, and that end it: a flow that moves can take it over the bound and back.
constexpr int kBeginLooks = 2;
constexpr int kEndLooks = 3;

/// A digest, never 0, of all that balance_of() looks at.
std::uint64_t layout_of(const DestinationSnapshot& snapshot) {
  std::uint64_t digest = 1;
  const auto add = [&digest](std::uint64_t word) {
    digest = (digest ^ word) * 0x9e3779b97f4a7c15u;
    digest ^= digest >> 32;
  };
  for (const FlowSnapshot& flow : snapshot.flows) {
    add(flow.path);
    if (flow.path != 0) add(flow.source.hash());
  }
  for (const PathSnapshot& path : snapshot.paths) {
    add(std::uint64_t{path.id} << 32 | path.flows);
    add(std::uint64_t{path.length} << 32 | path.hops.size());
    for (const HopSnapshot& hop : path.hops)
      add(hop.responder.hash() ^ hop.ttl);
  }
  return digest | 1;
}

}  // namespace

bool BalanceWatch::Finding::same_place(const Finding& other) const {
  const auto place = [](const Finding& finding) {
    const auto* const branching = std::get_if<Branching>(finding.detail.get());
    if (branching != nullptr)
      return std::tuple(finding.kind, branching->ttl, branching->at, std::uint8_t{0}, IpAddress());
    const auto& pair = std::get<Polarisation>(*finding.detail);
    return std::tuple(finding.kind, pair.first_ttl, pair.first, pair.second_ttl, pair.second);
  };
  return place(*this) == place(other);
}

void BalanceWatch::meet(Watched& watched, Finding found, WallTime now) {
  auto at = std::ranges::find_if(watched.findings, [&](const Finding& known) { return known.same_place(found); });
  if (at == watched.findings.end()) {
    found.begun = now;
    watched.findings.push_back(std::move(found));
    at = watched.findings.end() - 1;
  } else {
    at->detail = std::move(found.detail);
  }
  at->met = true;
}

void BalanceWatch::on_snapshot(const DestinationSnapshot& snapshot, WallTime now) {
  Watched& watched = watched_[snapshot.facts->name];
  watched.looked_at = true;
  // Who goes where changes seldom, and is all that the balance depends on.
  if (const std::uint64_t layout = layout_of(snapshot); layout != watched.layout) {
    watched.balance = balance_of(snapshot);
    watched.layout = layout;
  }
  for (Finding& known : watched.findings)
    known.met = false;
  const auto find = [&](EventKind kind, std::uint8_t ttl, const auto& detail) {
    Finding found;
    found.kind = kind;
    found.ttl = ttl;
    found.detail = detail_of(detail);
    meet(watched, std::move(found), now);
  };
  for (const Branching& branching : watched.balance.branchings)
    if (branching.uneven) find(EventKind::imbalance, branching.ttl, branching);
  for (const Polarisation& pair : watched.balance.polarisations)
    if (pair.polarised) find(EventKind::polarised, pair.second_ttl, pair);
  std::erase_if(watched.findings, [&](Finding& finding) {
    finding.seen += finding.met ? 1 : 0;
    finding.missed = finding.met ? 0 : finding.missed + 1;
    const bool over = finding.missed >= (finding.reported ? kEndLooks : 1);
    if (finding.reported ? over : finding.seen >= kBeginLooks) {
      PathEvent event;
      event.destination = snapshot.facts;
      event.kind = finding.kind;
      event.time = now;
      event.settled = finding.begun;
      event.ttl = finding.ttl;
      event.ended = finding.reported;
      event.detail = finding.detail;
      events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
      finding.reported = true;
    }
    return over;
  });
}

void BalanceWatch::forget_gone() {
  for (auto at = watched_.begin(); at != watched_.end();)
    at = std::exchange(at->second.looked_at, false) ? std::next(at) : watched_.erase(at);
}

}  // namespace ecmp
