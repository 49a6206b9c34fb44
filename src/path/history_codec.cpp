#include "path/history_codec.hpp"

#include <utility>

#include "path/history_layout.hpp"

namespace ecmp {
namespace {

using namespace history_layout;

bool on_path(const RoundRecord& record, const HopResult& hop) {
  const auto& responders = record.verdict.responders;
  return responders != nullptr && hop.ttl >= 1 && hop.ttl <= responders->size() &&
         (*responders)[hop.ttl - 1u] == hop.responder;
}

bool is_answer(const HopResult& hop) {
  return hop.reply != packet::ReplyKind::none || hop.icmp_type != 0 || hop.icmp_code != 0 || hop.reply_ttl != 0 ||
         hop.quoted_ttl != 0 || hop.responder != IpAddress() || hop.rtt != Duration{} || hop.received != Instant{};
}

void append_quantiles(CompactWriter& to, const Quantiles& quantiles) {
  to.signed_number(quantiles.p50.count());
  to.signed_number(quantiles.p95.count());
  to.signed_number(quantiles.p99.count());
}

/// Differences wrap around, as their sums do: no pair of times is an overflow.
std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

/// Puts the finished item behind the others.
void HistoryEncoder::put(std::uint8_t tag) {
  CompactWriter to(bytes_);
  to.byte(tag);
  to.text(item_);
}

std::uint64_t HistoryEncoder::facts(const std::shared_ptr<const DestinationFacts>& facts) {
  const auto [known, made] = facts_.try_emplace(facts.get(), facts_.size());
  if (!made) return known->second;
  held_.push_back(facts);
  item_.clear();
  CompactWriter to(item_);
  to.text(facts->name);
  to.text(facts->host);
  to.address(facts->address);
  to.byte(static_cast<std::uint8_t>(facts->protocol));
  to.number(facts->port);
  to.number(facts->first_source_port);
  to.number(facts->flows);
  to.signed_number(facts->interval.count());
  to.number(facts->labels.size());
  for (const auto& [name, value] : facts->labels) {
    to.text(name);
    to.text(value);
  }
  put(kFacts);
  return known->second;
}

/// 0 stands for none.
std::uint64_t HistoryEncoder::responders(const std::shared_ptr<const std::vector<IpAddress>>& responders) {
  if (responders == nullptr) return 0;
  const auto [known, made] = responders_.try_emplace(responders.get(), responders_.size() + 1);
  if (!made) return known->second;
  held_.push_back(responders);
  item_.clear();
  CompactWriter to(item_);
  to.number(responders->size());
  for (const IpAddress& responder : *responders)
    to.address(responder);
  put(kResponders);
  return known->second;
}

/// 0 stands for none.
std::uint64_t HistoryEncoder::window(const std::shared_ptr<const PathWindow>& window) {
  if (window == nullptr) return 0;
  const auto [known, made] = windows_.try_emplace(window.get(), windows_.size() + 1);
  if (!made) return known->second;
  held_.push_back(window);
  item_.clear();
  CompactWriter to(item_);
  const WindowFigures& figures = window->figures;
  to.number(figures.probes);
  to.number(figures.losses);
  to.number(figures.rtts);
  to.number(figures.jitters);
  append_quantiles(to, figures.rtt);
  append_quantiles(to, figures.jitter);
  to.signed_number(figures.least_rtt.count());
  append_quantiles(to, window->delay_variation);
  put(kWindow);
  return known->second;
}

void HistoryEncoder::append_hops(CompactWriter& to, const RoundRecord& record) {
  to.number(record.round.hops.size());
  unsigned ttl = 0;
  for (const HopResult& hop : record.round.hops) {
    const bool answer = is_answer(hop);
    const bool paths = answer && on_path(record, hop);
    auto first = static_cast<std::uint8_t>(hop.outcome);
    if (hop.ttl == ttl + 1) first |= kNextTtl;
    if (answer) first |= kAnswer;
    if (paths) first |= kPathsAnswer;
    if (!hop.mpls.empty()) first |= kLabels;
    to.byte(first);
    if (hop.ttl != ttl + 1) to.byte(hop.ttl);
    ttl = hop.ttl;
    if (answer) {
      to.byte(static_cast<std::uint8_t>(hop.reply));
      to.byte(hop.icmp_type);
      to.byte(hop.icmp_code);
      to.byte(hop.reply_ttl);
      to.byte(hop.quoted_ttl);
      if (!paths) to.address(hop.responder);
      to.signed_number(hop.rtt.count());
      // An instant of 0 is none.
      const bool received = hop.received != Instant{};
      to.byte(received ? 1 : 0);
      if (received) to.signed_number((hop.received - record.round.started - hop.rtt).count());
    }
    if (hop.mpls.empty()) continue;
    to.byte(static_cast<std::uint8_t>(hop.mpls.view().size()));
    for (const packet::MplsLabel& label : hop.mpls.view()) {
      to.number(label.label);
      to.byte(static_cast<std::uint8_t>(label.traffic_class << 1 | (label.bottom ? 1 : 0)));
      to.byte(label.ttl);
    }
  }
}

void HistoryEncoder::add(std::uint64_t number, const RoundRecord& record) {
  const Round& round = record.round;
  const PathVerdict& verdict = record.verdict;
  const std::uint64_t facts_index = facts(record.destination);
  const std::uint64_t responders_index = responders(verdict.responders);
  const std::uint64_t window_index = window(verdict.window);
  item_.clear();
  CompactWriter to(item_);
  // First what filters ask for: readers of one flow pass over the rest of the others'.
  const std::int64_t started = record.wall(round.started).time_since_epoch().count();
  to.number(number - std::exchange(number_, number));
  to.signed_number(difference(started, std::exchange(time_, started)));
  to.number(facts_index);
  to.number(record.source_port);
  to.number(verdict.path);
  to.number(record.flow_index);
  to.address(record.source);
  to.number(round.number);
  to.signed_number((round.finished - round.started).count());
  to.byte(static_cast<std::uint8_t>(round.end_to_end));
  to.byte(round.distance);
  to.number(verdict.ordinal);
  to.byte(static_cast<std::uint8_t>(verdict.changed));
  to.number(verdict.previous);
  to.byte(verdict.change != nullptr ? 1 : 0);
  if (verdict.change != nullptr) {
    to.byte(verdict.change->ttl);
    to.address(verdict.change->before);
    to.address(verdict.change->after);
  }
  to.number(responders_index);
  to.number(window_index);
  to.signed_number(verdict.smoothed_jitter.count());
  append_hops(to, record);
  put(kRound);
  ++items_;
}

void HistoryEncoder::add(std::uint64_t number, const PathEvent& event) {
  const std::uint64_t facts_index = facts(event.destination);
  item_.clear();
  CompactWriter to(item_);
  const std::int64_t time = event.time.time_since_epoch().count();
  to.number(number - std::exchange(number_, number));
  to.signed_number(difference(time, std::exchange(time_, time)));
  to.number(facts_index);
  to.byte(static_cast<std::uint8_t>(event.kind));
  to.signed_number((event.settled - event.time).count());
  to.byte(event.ttl);
  to.number(event.moves.size());
  for (const EventMove& move : event.moves) {
    to.address(move.before);
    to.address(move.after);
    to.number(move.path_before);
    to.number(move.path_after);
    to.number(move.flows.size());
    for (const std::uint16_t flow : move.flows)
      to.number(flow);
  }
  put(kEvent);
  ++items_;
}

std::string HistoryEncoder::take() {
  std::string taken = std::move(bytes_);
  *this = HistoryEncoder();
  return taken;
}

}  // namespace ecmp
