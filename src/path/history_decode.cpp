#include <limits>

#include "path/history_codec.hpp"
#include "path/history_layout.hpp"

namespace ecmp {
namespace {

using namespace history_layout;

constexpr std::uint64_t kMostPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kMostId = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMostLabel = (1u << 20) - 1;
constexpr std::size_t kMostHops = 255;
/// Later than any clock says; sums of a few such times and lengths do not overflow.
constexpr std::int64_t kMostTime = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// A value of an enumeration whose last one is `last`.
template <typename Enum>
Enum choice(CompactReader& from, Enum last) {
  const std::uint8_t value = from.byte();
  if (value <= static_cast<std::uint8_t>(last)) return static_cast<Enum>(value);
  from.fail();
  return Enum{};
}

Duration length(CompactReader& from) {
  const std::int64_t count = from.signed_number();
  if (count >= -kMostTime && count <= kMostTime) return Duration(count);
  from.fail();
  return {};
}

std::uint16_t port(CompactReader& from) {
  return static_cast<std::uint16_t>(from.number(kMostPort));
}

std::uint32_t id(CompactReader& from) {
  return static_cast<std::uint32_t>(from.number(kMostId));
}

Quantiles quantiles(CompactReader& from) {
  Quantiles read;
  read.p50 = length(from);
  read.p95 = length(from);
  read.p99 = length(from);
  return read;
}

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
  std::uint64_t number_ = 0;
  std::int64_t time_ = 0;
  std::size_t items_ = 0;
};

void Batch::facts(CompactReader& in) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = in.text();
  facts->host = in.text();
  facts->address = in.address();
  facts->protocol = choice(in, Protocol::icmp);
  facts->port = port(in);
  facts->first_source_port = port(in);
  facts->flows = port(in);
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
    if ((first & kOutcomeMask) > static_cast<std::uint8_t>(HopOutcome::send_failed)) in.fail();
    if (!in.ok()) return;
    hop.outcome = static_cast<HopOutcome>(first & kOutcomeMask);
    hop.ttl = (first & kNextTtl) != 0 ? static_cast<std::uint8_t>(ttl + 1) : in.byte();
    ttl = hop.ttl;
    if ((first & kAnswer) != 0) {
      hop.reply = choice(in, packet::ReplyKind::other_unreachable);
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
    if ((first & kLabels) == 0) continue;
    packet::MplsStack stack;
    stack.depth = in.byte();
    if (stack.depth == 0 || stack.depth > packet::MplsStack::kMaximum) return in.fail();
    for (std::size_t i = 0; i < stack.depth; ++i) {
      stack.labels[i].label = static_cast<std::uint32_t>(in.number(kMostLabel));
      const std::uint8_t bits = in.byte();
      stack.labels[i].traffic_class = bits >> 1;
      stack.labels[i].bottom = (bits & 1) != 0;
      stack.labels[i].ttl = in.byte();
    }
    hop.mpls = stack;
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
  round.end_to_end = choice(in, EndToEnd::send_failed);
  round.distance = in.byte();
  PathVerdict& verdict = record->verdict;
  verdict.ordinal = id(in);
  verdict.changed = choice(in, ChangeKind::per_packet);
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
  verdict.smoothed_jitter = length(in);
  hops(in, *record);
  if (in.ok()) out.push_back({number, std::move(record)});
}

void Batch::event(CompactReader& in, std::vector<StoredEvent>& out) {
  const std::uint64_t number = next_number(in);
  const std::int64_t time = next_time(in);
  const KnownDestination known = destination(in);
  if (!in.ok() || !known.wanted || !range_.has(number)) return;
  auto event = std::make_shared<PathEvent>();
  event->destination = known.facts;
  event->time = WallTime(Duration(time));
  event->kind = choice(in, EventKind::up);
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
