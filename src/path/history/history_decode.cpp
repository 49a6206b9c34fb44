#include "path/history/history_codec.hpp"
#include "path/history/history_layout.hpp"
#include "path/history/history_values.hpp"

namespace ecmp {
namespace {

using namespace history_layout;

/// Goes through a batch, item by item.
class Batch {
 public:
  Batch(ByteView bytes, const RoundFilter& filter, BatchRange range) : in_(bytes), filter_(filter), range_(range) {
    if (bytes.size() > kMostBatchBytes) in_.fail();
  }

  template <typename OnRound, typename OnEvent>
  bool read(OnRound on_round, OnEvent on_event) {
    while (in_.ok() && in_.left() > 0) {
      const std::uint8_t tag = in_.byte();
      CompactReader item(in_.take(in_.number()));
      if (!in_.ok()) break;
      if (tag == kFacts) facts(item);
      if (tag == kResponders) responders(item);
      if (tag == kWindow) window(item);
      if (tag == kSearch) search(item);
      if (tag == kOneway) oneway_path(item);
      if ((tag == kRound || tag == kEvent) && ++items_ > kMostBatchItems) item.fail();
      if (tag == kRound) on_round(item);
      if (tag == kEvent) on_event(item);
      if (!item.ok()) in_.fail();
    }
    return in_.ok();
  }

  void round(CompactReader& in, std::vector<StoredRound>& out);
  void event(CompactReader& in, std::vector<StoredEvent>& out);

 private:
  struct KnownDestination {
    std::shared_ptr<const DestinationFacts> facts;
    bool wanted = true;
  };

  void facts(CompactReader& in);
  void responders(CompactReader& in);
  void window(CompactReader& in);
  void search(CompactReader& in);
  void oneway_path(CompactReader& in);
  std::shared_ptr<const OnewayRound> oneway_round(CompactReader& in);
  class FieldsReader;
  void detail(CompactReader& in, PathEvent& event);
  std::uint64_t next_number(CompactReader& in);
  std::int64_t next_time(CompactReader& in);
  KnownDestination destination(CompactReader& in);
  void hops(CompactReader& in, RoundRecord& record);

  CompactReader in_;
  const RoundFilter& filter_;
  BatchRange range_;
  std::vector<KnownDestination> facts_;
  std::vector<std::shared_ptr<const std::vector<IpAddress>>> responders_;
  std::vector<std::shared_ptr<const PathWindow>> windows_;
  std::vector<std::shared_ptr<const SearchProgress>> searches_;
  std::vector<std::shared_ptr<const OnewayPathSnapshot>> oneways_;
  std::uint64_t number_ = 0;
  std::int64_t time_ = 0;
  std::size_t items_ = 0;
};

void Batch::facts(CompactReader& in) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = in.text();
  facts->host = in.text();
  facts->address = in.address();
  facts->protocol = choice(in, static_cast<Protocol>(kProtocols.size() - 1));
  facts->port = port(in);
  if (const std::uint16_t first = port(in); first != 0) {
    facts->source_ports = first;
  } else {
    std::vector<std::uint16_t> ports(in.count());
    for (std::uint16_t& each : ports)
      each = port(in);
    if (!ports.empty()) facts->source_ports = SourcePorts(std::move(ports));
  }
  facts->flows = port(in);
  if (in.byte() != 0) {
    auto steady = std::make_shared<std::vector<std::uint16_t>>(in.count());
    for (std::uint16_t& flow : *steady)
      flow = port(in);
    facts->steady = std::move(steady);
  }
  facts->interval = length(in);
  for (std::size_t left = in.count(2); left > 0 && in.ok(); --left) {
    std::string name(in.text());
    facts->labels.emplace_back(std::move(name), in.text());
  }
  const bool wanted = !filter_.destination || facts->name == *filter_.destination;
  facts_.push_back({std::move(facts), wanted});
}

void Batch::responders(CompactReader& in) {
  auto list = std::make_shared<std::vector<IpAddress>>();
  const std::size_t count = in.count();
  if (count > kMostHops) return in.fail();
  list->reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    list->push_back(in.address());
  responders_.push_back(std::move(list));
}

void Batch::window(CompactReader& in) {
  auto window = std::make_shared<PathWindow>();
  WindowFigures& figures = window->figures;
  figures.probes = in.number();
  figures.losses = in.number();
  figures.rtts = in.number();
  figures.jitters = in.number();
  figures.rtt = quantiles(in);
  figures.jitter = quantiles(in);
  figures.least_rtt = length(in);
  window->delay_variation = quantiles(in);
  windows_.push_back(std::move(window));
}

void Batch::search(CompactReader& in) {
  auto search = std::make_shared<SearchProgress>();
  const std::uint8_t bits = in.byte();
  search->searching = (bits & 1) != 0;
  search->bounded = (bits & 2) != 0;
  for (std::uint32_t* const to :
       {&search->finished, &search->paths, &search->flows_asked, &search->flows_wanted, &search->flows_kept})
    *to = id(in);
  search->rounds = in.number();
  search->probes = in.number();
  search->coverage = real(in);
  search->per_packet.resize(in.count(2));
  for (SearchProgress::PerPacket& balancer : search->per_packet) {
    balancer.ttl = in.byte();
    balancer.responder = in.address();
  }
  searches_.push_back(std::move(search));
}

void Batch::oneway_path(CompactReader& in) {
  auto path = std::make_shared<OnewayPathSnapshot>();
  path->path = id(in);
  for (stamp::OnewayCounts* const counts : {&path->counts, &path->window, &path->back, &path->back_window})
    *counts = oneway_counts(in);
  for (VariationSum* const sum : {&path->forward, &path->reverse}) {
    sum->count = in.number();
    sum->seconds = real(in);
  }
  path->exchanges = in.number();
  path->back_exchanges = in.number();
  path->forward_window = quantiles(in);
  path->reverse_window = quantiles(in);
  const std::uint8_t bits = in.byte();
  if ((bits & kRelativeForward) != 0) path->relative_forward = length(in);
  if ((bits & kRelativeReverse) != 0) path->relative_reverse = length(in);
  if (in.ok() && in.left() > 0) {  // earlier versions have not counted them
    for (LossSecondsSum* const sum : {&path->forward_seconds, &path->reverse_seconds, &path->unresolved_seconds}) {
      sum->severe = in.number();
      sum->unavailable = in.number();
    }
  }
  oneways_.push_back(std::move(path));
}

std::shared_ptr<const OnewayRound> Batch::oneway_round(CompactReader& in) {
  auto round = std::make_shared<OnewayRound>();
  round->flow.counts = oneway_counts(in);
  round->flow.duplicates_forward = in.number();
  round->flow.duplicates_reverse = in.number();
  round->flow.reverse_path = id(in);
  if (const std::size_t routers = in.count(); routers > 0) {
    if (routers > kMostHops) in.fail();
    auto read = std::make_shared<std::vector<IpAddress>>();
    for (std::size_t i = 1; i < routers && in.ok(); ++i)
      read->push_back(in.address());
    round->flow.reverse_routers = std::move(read);
  }
  round->reflector = reflector(in);
  for (auto* const to : {&round->there, &round->back})
    if (const std::uint64_t at = in.number(oneways_.size()); at > 0) *to = oneways_[at - 1];
  return round;
}

/// The counterpart of FieldsWriter.
class Batch::FieldsReader {
 public:
  FieldsReader(CompactReader& in, Batch& batch) : in_(in), batch_(batch) {}

  void number(std::string_view /*name*/, std::uint8_t& value) { value = in_.byte(); }
  void number(std::string_view /*name*/, std::uint64_t& value) { value = in_.number(); }
  void number(std::string_view /*name*/, std::uint32_t& value) { value = id(in_); }
  void real(std::string_view /*name*/, double& value) { value = history_layout::real(in_); }
  void address(std::string_view /*name*/, IpAddress& value) { value = in_.address(); }
  void duration(std::string_view /*name*/, Duration& value) { value = length(in_); }
  void path(std::string_view /*name*/, std::uint32_t& value) { value = id(in_); }
  void way(std::string_view /*name*/, OneWay& value) { value = choice(in_, OneWay::reverse); }
  void reflector(std::string_view /*name*/, ReflectorSnapshot& value) { value = history_layout::reflector(in_); }
  void flags(std::string_view /*name*/, bool& first) { first = (in_.byte() & 1) != 0; }
  void flags(std::string_view /*name*/, bool& first, std::string_view /*name*/, bool& second) {
    const std::uint8_t bits = in_.byte();
    first = (bits & 1) != 0;
    second = (bits & 2) != 0;
  }
  void link(std::string_view /*name*/, LinkEnds& value) {
    value.from = in_.address();
    value.to = in_.address();
  }
  void links(std::string_view name, std::vector<LinkEnds>& values) {
    values.resize(in_.count(2));
    for (LinkEnds& value : values)
      link(name, value);
  }
  void list(std::string_view /*name*/, auto& values) {
    values.resize(in_.count(2));
    for (auto& value : values)
      each_field(*this, value);
  }
  void state(LinkVerdict& verdict) {
    const std::uint8_t bits = in_.byte();
    verdict.blamed = (bits & kBlamed) != 0;
    verdict.uneven = (bits & kUneven) != 0;
    verdict.forward_consistent = (bits & kForwardConsistent) != 0;
    if ((bits & kHasDirection) != 0)
      verdict.direction = (bits & kOnTheWayBack) != 0 ? OneWay::reverse : OneWay::forward;
    if ((bits & kBegan) != 0) verdict.began = WallTime(Duration(in_.signed_number()));
    if ((bits & kIsOver) != 0) verdict.ended = WallTime(Duration(in_.signed_number()));
  }
  void witnesses(std::string_view /*name*/, std::vector<WitnessFlow>& flows) {
    const std::size_t count = in_.count(4);
    if (count > LinkVerdict::kMostWitnesses) in_.fail();
    for (std::size_t i = 0; i < count && in_.ok(); ++i) {
      WitnessFlow witness;
      witness.destination = batch_.destination(in_).facts;
      witness.source_port = port(in_);
      witness.probes = in_.number();
      witness.losses = in_.number();
      if (witness.destination != nullptr) flows.push_back(std::move(witness));
    }
  }

 private:
  CompactReader& in_;
  Batch& batch_;
};

/// A detail of the type that has this place among them.
template <std::size_t kIndex = 0>
EventDetail detail_at(std::size_t index, auto& fields) {
  if constexpr (kIndex + 1 < std::variant_size_v<EventDetail>) {
    if (index != kIndex) return detail_at<kIndex + 1>(index, fields);
  }
  std::variant_alternative_t<kIndex, EventDetail> read;
  each_field(fields, read);
  return read;
}

void Batch::detail(CompactReader& in, PathEvent& event) {
  const unsigned bits = in.byte();
  event.ended = (bits & kEnded) != 0;
  const unsigned which = bits / kFirstDetail;
  if (which == 0) return;
  const auto index = static_cast<std::size_t>(std::countr_zero(which));
  if (!std::has_single_bit(which) || index >= std::variant_size_v<EventDetail>) return in.fail();
  FieldsReader fields(in, *this);
  event.detail = std::make_shared<const EventDetail>(detail_at(index, fields));
}

std::uint64_t Batch::next_number(CompactReader& in) {
  const std::uint64_t step = in.number();
  if (step > ~number_) in.fail();
  return number_ += in.ok() ? step : 0;
}

std::int64_t Batch::next_time(CompactReader& in) {
  time_ = sum(time_, in.signed_number());
  if (time_ < 0 || time_ > kMostTime * 4 - 1) in.fail();
  return time_;
}

Batch::KnownDestination Batch::destination(CompactReader& in) {
  const std::uint64_t index = in.number();
  if (index < facts_.size()) return facts_[static_cast<std::size_t>(index)];
  in.fail();
  return {nullptr, false};
}

void Batch::hops(CompactReader& in, RoundRecord& record) {
  const std::size_t count = in.count();
  if (count > kMostHops) return in.fail();
  record.round.hops.resize(count);
  unsigned ttl = 0;
  for (HopResult& hop : record.round.hops) {
    const std::uint8_t first = in.byte();
    if ((first & kOutcomeMask) > static_cast<std::uint8_t>(HopOutcome::left_out)) in.fail();
    if (!in.ok()) return;
    hop.outcome = static_cast<HopOutcome>(first & kOutcomeMask);
    const std::uint8_t more = (first & kMore) != 0 ? in.byte() : std::uint8_t{0};
    if ((more & kLimitingMask) > static_cast<std::uint8_t>(Limiting::confirmed)) return in.fail();
    hop.limiting = static_cast<Limiting>(more & kLimitingMask);
    hop.ttl = (first & kNextTtl) != 0 ? static_cast<std::uint8_t>(ttl + 1) : in.byte();
    ttl = hop.ttl;
    if ((first & kAnswer) != 0) {
      hop.reply = choice(in, packet::ReplyKind::challenge_ack);
      hop.icmp_type = in.byte();
      hop.icmp_code = in.byte();
      hop.reply_ttl = in.byte();
      hop.quoted_ttl = in.byte();
      if ((first & kPathsAnswer) == 0) {
        hop.responder = in.address();
      } else if (const auto& path = record.verdict.responders; path != nullptr && ttl >= 1 && ttl <= path->size()) {
        hop.responder = (*path)[ttl - 1];
      } else {
        in.fail();
      }
      hop.rtt = length(in);
      if (in.byte() != 0) {
        const std::int64_t after = sum(length(in).count(), hop.rtt.count());
        hop.received = Instant(Duration(sum(record.round.started.time_since_epoch().count(), after)));
      }
    }
    packet::ReplyNotes told;
    if ((more & kNotes) != 0) told = notes(in);
    if ((first & kLabels) != 0) told.mpls = labels(in);
    if (!in.ok()) return;
    if (!told.empty()) hop.mpls = packet::KeptMpls(std::move(told));
  }
}

void Batch::round(CompactReader& in, std::vector<StoredRound>& out) {
  const std::uint64_t number = next_number(in);
  const std::int64_t started = next_time(in);
  const KnownDestination known = destination(in);
  const std::uint16_t source_port = port(in);
  const std::uint32_t path = id(in);
  if (!in.ok() || !known.wanted || !range_.has(number)) return;
  if (filter_.flow && source_port != *filter_.flow) return;
  if (filter_.path && path != *filter_.path) return;
  if (filter_.since && WallTime(Duration(started)) < *filter_.since) return;

  auto record = std::make_shared<RoundRecord>();
  record->destination = known.facts;
  record->source_port = source_port;
  record->verdict.path = path;
  record->flow_index = id(in);
  record->source = in.address();
  Round& round = record->round;
  round.number = id(in);
  round.started = Instant(Duration(started));
  round.finished = Instant(Duration(sum(started, length(in).count())));
  round.end_to_end = choice(in, EndToEnd::undecided);
  round.unobserved = choice(in, Unobserved::tcp_state);
  if (in.ok() && filter_.lossy && round.end_to_end != EndToEnd::lost) return;
  round.distance = in.byte();
  PathVerdict& verdict = record->verdict;
  verdict.ordinal = id(in);
  const std::uint8_t change = in.byte();
  verdict.unconfirmed = (change & kUnconfirmed) != 0;
  const auto kind = static_cast<std::uint8_t>(change & ~kUnconfirmed);
  if (kind > static_cast<std::uint8_t>(ChangeKind::per_packet)) return in.fail();
  verdict.changed = static_cast<ChangeKind>(kind);
  verdict.previous = id(in);
  if (in.byte() != 0) {
    auto place = std::make_shared<ChangePlace>();
    place->ttl = in.byte();
    place->before = in.address();
    place->after = in.address();
    verdict.change = std::move(place);
  }
  if (const std::uint64_t at = in.number(responders_.size()); at > 0) verdict.responders = responders_[at - 1];
  if (const std::uint64_t at = in.number(windows_.size()); at > 0) verdict.window = windows_[at - 1];
  if (const std::uint64_t at = in.number(searches_.size()); at > 0) record->search = searches_[at - 1];
  verdict.smoothed_jitter = length(in);
  hops(in, *record);
  if (in.ok() && in.left() > 0) record->oneway = oneway_round(in);
  if (in.ok()) out.push_back({number, std::move(record)});
}

void Batch::event(CompactReader& in, std::vector<StoredEvent>& out) {
  const std::uint64_t number = next_number(in);
  const std::int64_t time = next_time(in);
  // One more than the index; 0: verdicts on links are of all destinations.
  const std::uint64_t index = in.number(facts_.size());
  const KnownDestination known = index > 0 ? facts_[static_cast<std::size_t>(index) - 1] : KnownDestination{};
  if (!in.ok() || !known.wanted || !range_.has(number)) return;
  auto event = std::make_shared<PathEvent>();
  event->destination = known.facts;
  event->time = WallTime(Duration(time));
  event->kind = choice(in, static_cast<EventKind>(static_cast<std::uint8_t>(EventKind::count_) - 1));
  event->settled = WallTime(Duration(sum(time, length(in).count())));
  event->ttl = in.byte();
  event->moves.resize(in.count(5));
  for (EventMove& move : event->moves) {
    move.before = in.address();
    move.after = in.address();
    move.path_before = id(in);
    move.path_after = id(in);
    move.flows.resize(in.count());
    for (std::uint16_t& flow : move.flows)
      flow = port(in);
    if (!in.ok()) return;
  }
  detail(in, *event);
  if (in.ok() && matches(filter_, *event)) out.push_back({number, std::move(event)});
}

}  // namespace

std::optional<std::vector<StoredRound>> decode_rounds(ByteView batch, const RoundFilter& filter, BatchRange range) {
  std::vector<StoredRound> rounds;
  Batch items(batch, filter, range);
  const bool whole = items.read([&](CompactReader& in) { items.round(in, rounds); }, [](CompactReader&) {});
  if (!whole) return std::nullopt;
  return rounds;
}

std::optional<std::vector<StoredEvent>> decode_events(ByteView batch, const RoundFilter& filter, BatchRange range) {
  std::vector<StoredEvent> events;
  Batch items(batch, filter, range);
  const bool whole = items.read([](CompactReader&) {}, [&](CompactReader& in) { items.event(in, events); });
  if (!whole) return std::nullopt;
  return events;
}

}  // namespace ecmp
