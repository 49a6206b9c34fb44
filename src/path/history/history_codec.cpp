#include "path/history/history_codec.hpp"

#include <bit>
#include <utility>

#include "path/history/history_layout.hpp"

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

void append_real(CompactWriter& to, double value) {
  to.number(std::bit_cast<std::uint64_t>(value));
}

bool has_notes(const packet::ReplyNotes* notes) {
  if (notes == nullptr) return false;
  packet::ReplyNotes others = *notes;
  others.mpls = {};
  return !others.empty();
}

void append_notes(CompactWriter& to, const packet::ReplyNotes& notes) {
  to.byte(static_cast<std::uint8_t>((notes.checksum_shifted ? kChecksumShifted : 0) |
                                    (notes.sequence_shifted ? kSequenceShifted : 0)));
  to.byte(notes.sent_traffic_class);
  to.byte(notes.quoted_traffic_class);
  to.address(notes.quoted_source);
  to.number(notes.mtu);
  to.byte(static_cast<std::uint8_t>(notes.interfaces.size()));
  for (const packet::InterfaceInfo& interface : notes.interfaces) {
    auto first = static_cast<std::uint8_t>(interface.role);
    if (interface.index) first |= kIndex;
    if (interface.mtu) first |= kMtu;
    to.byte(first);
    if (interface.index) to.number(*interface.index);
    if (interface.mtu) to.number(*interface.mtu);
    to.address(interface.address);
    to.text(interface.name);
  }
}

void append_counts(CompactWriter& to, const stamp::OnewayCounts& counts) {
  for (const std::uint64_t count :
       {counts.resolved, counts.forward, counts.reverse, counts.round_trips, counts.unresolved,
        counts.reordered_forward, counts.reordered_reverse, counts.restarts})
    to.number(count);
}

/// One more than there are; 0: they are not known.
void append_routers(CompactWriter& to, const std::shared_ptr<const std::vector<IpAddress>>& routers) {
  to.number(routers == nullptr ? 0 : routers->size() + 1);
  if (routers == nullptr) return;
  for (const IpAddress& router : *routers)
    to.address(router);
}

void append_reflector(CompactWriter& to, const ReflectorSnapshot& reflector) {
  to.byte(static_cast<std::uint8_t>((reflector.up ? kUpKnown : 0) | (reflector.up == true ? kUp : 0) |
                                    (reflector.synchronised ? kSynchronised : 0) |
                                    static_cast<unsigned>(reflector.mode) << kModeShift));
  to.number(reflector.restarts);
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
  // 0 is the port of no flow: it says that the ports follow one by one.
  const auto ports = facts->source_ports.list();
  to.number(ports.empty() ? facts->source_ports[0] : 0u);
  if (ports.empty() ? facts->source_ports[0] == 0 : true) {
    to.number(ports.size());
    for (const std::uint16_t port : ports)
      to.number(port);
  }
  to.number(facts->flows);
  to.byte(facts->steady != nullptr ? 1 : 0);
  if (facts->steady != nullptr) {
    to.number(facts->steady->size());
    for (const std::uint16_t flow : *facts->steady)
      to.number(flow);
  }
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

/// 0 stands for none.
std::uint64_t HistoryEncoder::search(const std::shared_ptr<const SearchProgress>& search) {
  if (search == nullptr) return 0;
  const auto [known, made] = searches_.try_emplace(search.get(), searches_.size() + 1);
  if (!made) return known->second;
  held_.push_back(search);
  item_.clear();
  CompactWriter to(item_);
  to.byte(static_cast<std::uint8_t>((search->searching ? 1 : 0) | (search->bounded ? 2 : 0)));
  for (const std::uint32_t count :
       {search->finished, search->paths, search->flows_asked, search->flows_wanted, search->flows_kept})
    to.number(count);
  to.number(search->rounds);
  to.number(search->probes);
  append_real(to, search->coverage);
  to.number(search->per_packet.size());
  for (const SearchProgress::PerPacket& balancer : search->per_packet) {
    to.byte(balancer.ttl);
    to.address(balancer.responder);
  }
  put(kSearch);
  return known->second;
}

/// 0 stands for none.
std::uint64_t HistoryEncoder::oneway(const std::shared_ptr<const OnewayPathSnapshot>& path) {
  if (path == nullptr) return 0;
  const auto [known, made] = oneways_.try_emplace(path.get(), oneways_.size() + 1);
  if (!made) return known->second;
  held_.push_back(path);
  item_.clear();
  CompactWriter to(item_);
  to.number(path->path);
  for (const stamp::OnewayCounts* const counts : {&path->counts, &path->window, &path->back, &path->back_window})
    append_counts(to, *counts);
  for (const VariationSum* const sum : {&path->forward, &path->reverse}) {
    to.number(sum->count);
    append_real(to, sum->seconds);
  }
  to.number(path->exchanges);
  to.number(path->back_exchanges);
  append_quantiles(to, path->forward_window);
  append_quantiles(to, path->reverse_window);
  to.byte(static_cast<std::uint8_t>((path->relative_forward ? kRelativeForward : 0) |
                                    (path->relative_reverse ? kRelativeReverse : 0)));
  for (const auto& relative : {path->relative_forward, path->relative_reverse})
    if (relative) to.signed_number(relative->count());
  for (const LossSecondsSum* const sum : {&path->forward_seconds, &path->reverse_seconds, &path->unresolved_seconds}) {
    to.number(sum->severe);
    to.number(sum->unavailable);
  }
  put(kOneway);
  return known->second;
}

/// 0 stands for none.
std::uint64_t HistoryEncoder::facts_or_none(const std::shared_ptr<const DestinationFacts>& destination) {
  return destination == nullptr ? 0 : facts(destination) + 1;
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
    const bool notes = has_notes(hop.mpls.notes());
    const auto more = static_cast<std::uint8_t>(static_cast<std::uint8_t>(hop.limiting) | (notes ? kNotes : 0));
    if (more != 0) first |= kMore;
    to.byte(first);
    if (more != 0) to.byte(more);
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
    if (notes) append_notes(to, *hop.mpls.notes());
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
  const std::uint64_t search_index = search(record.search);
  const std::uint64_t there_index = record.oneway != nullptr ? oneway(record.oneway->there) : 0;
  const std::uint64_t back_index = record.oneway != nullptr ? oneway(record.oneway->back) : 0;
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
  to.byte(static_cast<std::uint8_t>(round.unobserved));
  to.byte(round.distance);
  to.number(verdict.ordinal);
  to.byte(
      static_cast<std::uint8_t>(static_cast<std::uint8_t>(verdict.changed) | (verdict.unconfirmed ? kUnconfirmed : 0)));
  to.number(verdict.previous);
  to.byte(verdict.change != nullptr ? 1 : 0);
  if (verdict.change != nullptr) {
    to.byte(verdict.change->ttl);
    to.address(verdict.change->before);
    to.address(verdict.change->after);
  }
  to.number(responders_index);
  to.number(window_index);
  to.number(search_index);
  to.signed_number(verdict.smoothed_jitter.count());
  append_hops(to, record);
  if (record.oneway != nullptr) {  // without streams nothing follows, as in earlier versions
    const OnewayRound& oneway = *record.oneway;
    append_counts(to, oneway.flow.counts);
    to.number(oneway.flow.duplicates_forward);
    to.number(oneway.flow.duplicates_reverse);
    to.number(oneway.flow.reverse_path);
    append_routers(to, oneway.flow.reverse_routers);
    append_reflector(to, oneway.reflector);
    to.number(there_index);
    to.number(back_index);
  }
  put(kRound);
  ++items_;
}

/// Fields of details of events; `facts` gives the number of a destination's facts, which stand in front already.
template <typename Facts>
class HistoryEncoder::FieldsWriter {
 public:
  FieldsWriter(CompactWriter& to, const Facts& facts) : to_(to), facts_(facts) {}

  void number(std::string_view /*name*/, std::uint8_t value) { to_.byte(value); }
  void number(std::string_view /*name*/, std::uint64_t value) { to_.number(value); }
  void number(std::string_view /*name*/, std::uint32_t value) { to_.number(value); }
  void real(std::string_view /*name*/, double value) { append_real(to_, value); }
  void address(std::string_view /*name*/, const IpAddress& value) { to_.address(value); }
  void duration(std::string_view /*name*/, Duration value) { to_.signed_number(value.count()); }
  void path(std::string_view /*name*/, std::uint32_t id) { to_.number(id); }
  void way(std::string_view /*name*/, OneWay value) { to_.byte(static_cast<std::uint8_t>(value)); }
  void reflector(std::string_view /*name*/, const ReflectorSnapshot& value) { append_reflector(to_, value); }
  void flags(std::string_view /*name*/, bool first, std::string_view /*name*/ = {}, bool second = false) {
    to_.byte(static_cast<std::uint8_t>((first ? 1 : 0) | (second ? 2 : 0)));
  }
  void link(std::string_view /*name*/, const LinkEnds& value) {
    to_.address(value.from);
    to_.address(value.to);
  }
  void links(std::string_view name, const std::vector<LinkEnds>& values) {
    to_.number(values.size());
    for (const LinkEnds& value : values)
      link(name, value);
  }
  void list(std::string_view /*name*/, const auto& values) {
    to_.number(values.size());
    for (const auto& value : values)
      each_field(*this, value);
  }
  void state(const LinkVerdict& verdict) {
    to_.byte(static_cast<std::uint8_t>(
        (verdict.blamed ? kBlamed : 0) | (verdict.uneven ? kUneven : 0) |
        (verdict.forward_consistent ? kForwardConsistent : 0) | (verdict.began != WallTime{} ? kBegan : 0) |
        (verdict.ended != WallTime{} ? kIsOver : 0) | (verdict.direction ? kHasDirection : 0) |
        (verdict.direction == OneWay::reverse ? kOnTheWayBack : 0)));
    for (const WallTime time : {verdict.began, verdict.ended})
      if (time != WallTime{}) to_.signed_number(time.time_since_epoch().count());
  }
  void witnesses(std::string_view /*name*/, const std::vector<WitnessFlow>& flows) {
    to_.number(flows.size());
    for (const WitnessFlow& flow : flows) {
      to_.number(facts_(flow.destination));
      to_.number(flow.source_port);
      to_.number(flow.probes);
      to_.number(flow.losses);
    }
  }

 private:
  CompactWriter& to_;
  const Facts& facts_;
};

void HistoryEncoder::append_detail(CompactWriter& to, const PathEvent& event) {
  static_assert(std::variant_size_v<EventDetail> <= 7, "a bit each");
  const bool has = event.detail != nullptr;
  to.byte(static_cast<std::uint8_t>((event.ended ? kEnded : 0) | (has ? kFirstDetail << event.detail->index() : 0)));
  if (!has) return;
  const auto number_of = [this](const std::shared_ptr<const DestinationFacts>& of) { return facts(of); };
  FieldsWriter fields(to, number_of);
  std::visit([&](const auto& detail) { each_field(fields, detail); }, *event.detail);
}

void HistoryEncoder::add(std::uint64_t number, const PathEvent& event) {
  const std::uint64_t facts_index = facts_or_none(event.destination);
  if (const auto* const verdict = event.get<LinkVerdict>()) {
    for (const auto* const witnesses : {&verdict->reproduced_by, &verdict->not_reproduced_by}) {
      for (const WitnessFlow& witness : *witnesses)
        facts(witness.destination);
    }
  }
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
  append_detail(to, event);
  put(kEvent);
  ++items_;
}

std::string HistoryEncoder::take() {
  std::string taken = std::move(bytes_);
  *this = HistoryEncoder();
  return taken;
}

}  // namespace ecmp
