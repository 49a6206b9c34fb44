#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "path/model/event.hpp"
#include "path/model/round_record.hpp"
#include "render/json/event_json.hpp"
#include "render/json/ndjson.hpp"

/// Rounds and events in which every field says something, for tests of what keeps them.
namespace ecmp::stored_rounds {

/// 2026-01-01T00:00:00Z.
constexpr Duration kBegin = std::chrono::seconds(1767225600);

class Maker {
 public:
  explicit Maker(std::uint64_t seed, std::size_t destinations = 5) : random_(seed) {
    for (std::size_t i = 0; i < destinations; ++i) {
      auto facts = std::make_shared<DestinationFacts>();
      facts->name = "destination-" + std::to_string(i);
      facts->host = "host" + std::to_string(i) + ".example";
      facts->address = address(i % 2 == 0, static_cast<std::uint32_t>(i));
      facts->protocol = static_cast<Protocol>(i % 3);
      facts->port = 33434;
      facts->source_ports = static_cast<std::uint16_t>(50000 + 64 * i);
      facts->flows = 16;
      facts->interval = std::chrono::seconds(10);
      if (i == 2)
        facts->steady = std::make_shared<const std::vector<std::uint16_t>>(std::vector<std::uint16_t>{0, 3, 9});
      facts->labels = {{"site", "fra"}, {"x", std::to_string(i)}};
      facts_.push_back(std::move(facts));
      auto path = std::make_shared<std::vector<IpAddress>>();
      for (std::uint32_t hop = 0; hop < 8; ++hop)
        path->push_back(hop == 3 ? IpAddress() : address(i % 2 == 0, 256 * hop + static_cast<std::uint32_t>(i)));
      responders_.push_back(std::move(path));
    }
  }

  /// Number `number` of all rounds, a tenth of a second after the one before.
  std::shared_ptr<const RoundRecord> round(std::uint64_t number) {
    const std::size_t of = number % facts_.size();
    auto record = std::make_shared<RoundRecord>();
    record->destination = facts_[of];
    record->flow_index = static_cast<std::uint32_t>(number / facts_.size() % 16);
    record->source_port = facts_[of]->source_ports[record->flow_index];
    record->source = address(of % 2 == 0, 99);
    record->wall_offset = kBegin - std::chrono::seconds(1000);
    Round& round = record->round;
    round.number = static_cast<std::uint32_t>(number / 16);
    round.started = Instant(std::chrono::seconds(1000) + number * std::chrono::milliseconds(100));
    round.finished = round.started + std::chrono::milliseconds(below(900));
    round.end_to_end = static_cast<EndToEnd>(below(kEndToEnds));
    round.unobserved = static_cast<Unobserved>(below(static_cast<std::uint32_t>(Unobserved::count_)));
    round.distance = static_cast<std::uint8_t>(below(9));
    for (std::uint8_t ttl = 1; ttl <= 8; ++ttl)
      round.hops.push_back(hop(ttl, *responders_[of], round));
    verdict(record->verdict, of, number);
    if (of == 2) record->search = search();
    if (of == 3) record->oneway = oneway();
    return record;
  }

  std::shared_ptr<const PathEvent> event(std::uint64_t number) {
    auto event = std::make_shared<PathEvent>();
    event->kind = static_cast<EventKind>(below(static_cast<std::uint32_t>(EventKind::count_)));
    const bool on_link = event->kind == EventKind::loss_verdict || event->kind == EventKind::delay_verdict;
    if (!on_link) event->destination = facts_[number % facts_.size()];
    finding(*event);
    event->time = WallTime(kBegin + number * std::chrono::seconds(1));
    event->settled = event->time + std::chrono::milliseconds(below(5000));
    event->ttl = static_cast<std::uint8_t>(below(30));
    for (std::uint32_t move = 0; move < below(4); ++move) {
      event->moves.push_back({address(true, below(1000)),
                              address(false, below(1000)),
                              below(1u << 31),
                              below(1u << 31),
                              {static_cast<std::uint16_t>(50000 + move), static_cast<std::uint16_t>(50010 + move)}});
    }
    return event;
  }

  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  std::mt19937_64& random() { return random_; }

  static IpAddress address(bool v4, std::uint32_t number) {
    if (v4) return IpAddress::v4(0x0a000001 + number);
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    bytes[14] = static_cast<std::uint8_t>(number >> 8);
    bytes[15] = static_cast<std::uint8_t>(number);
    return IpAddress::v6(bytes);
  }

 private:
  /// Two draws within one call's arguments would come in another order with another compiler or architecture.
  IpAddress any_address(std::uint32_t end) {
    const std::uint32_t number = below(end);
    return address(below(2) == 0, number);
  }
  double ratio() { return below(1u << 20) / double{1u << 20}; }

  std::shared_ptr<const SearchProgress> search() {
    auto search = std::make_shared<SearchProgress>();
    search->searching = below(2) == 0;
    search->bounded = below(2) == 0;
    for (std::uint32_t* const to :
         {&search->finished, &search->paths, &search->flows_asked, &search->flows_wanted, &search->flows_kept})
      *to = below(100);
    search->rounds = below(10000);
    search->probes = below(100000);
    search->coverage = ratio();
    if (below(2) == 0) search->per_packet = {{static_cast<std::uint8_t>(1 + below(8)), address(true, below(99))}};
    return search;
  }

  stamp::OnewayCounts counts() {
    stamp::OnewayCounts made;
    for (std::uint64_t* const to : {&made.forward, &made.reverse, &made.unresolved, &made.reordered_forward,
                                    &made.reordered_reverse, &made.restarts})
      *to = below(100);
    made.resolved = 1000 + below(1000000);
    made.round_trips = 1000 + below(1000000);
    return made;
  }

  ReflectorSnapshot reflector() {
    ReflectorSnapshot made;
    if (below(3) > 0) made.up = below(2) == 0;
    made.mode = static_cast<stamp::ReflectorMode>(below(3));
    made.synchronised = below(2) == 0;
    made.restarts = below(9);
    return made;
  }

  std::shared_ptr<const OnewayPathSnapshot> oneway_path() {
    if (below(8) == 0) return nullptr;
    auto path = std::make_shared<OnewayPathSnapshot>();
    path->path = 1 + below(1u << 31);
    for (stamp::OnewayCounts* const to : {&path->counts, &path->window, &path->back, &path->back_window})
      *to = counts();
    path->forward = {below(100000), ratio()};
    path->reverse = {below(100000), ratio()};
    path->exchanges = below(100);
    path->back_exchanges = below(100);
    path->forward_window = quantiles();
    path->reverse_window = quantiles();
    for (LossSecondsSum* const to : {&path->forward_seconds, &path->reverse_seconds, &path->unresolved_seconds})
      *to = {below(1000), below(1000)};
    if (below(2) == 0) path->relative_forward = Duration(below(1000000));
    if (below(2) == 0) path->relative_reverse = Duration(below(1000000));
    return path;
  }

  std::shared_ptr<const OnewayRound> oneway() {
    auto made = std::make_shared<OnewayRound>();
    made->flow.counts = counts();
    made->flow.duplicates_forward = below(9);
    made->flow.duplicates_reverse = below(9);
    made->flow.reverse_path = below(2) == 0 ? 0 : 1 + below(1u << 31);
    if (below(2) == 0)
      made->flow.reverse_routers = std::make_shared<const std::vector<IpAddress>>(
          std::vector<IpAddress>{address(true, below(99)), IpAddress(), address(false, below(99))});
    made->reflector = reflector();
    if (below(2) == 0 || way_ == nullptr) way_ = oneway_path();
    made->there = way_;
    made->back = below(2) == 0 ? way_ : oneway_path();
    return made;
  }

  packet::ReplyNotes notes() {
    packet::ReplyNotes notes;
    notes.sent_traffic_class = static_cast<std::uint8_t>(below(256));
    notes.quoted_traffic_class = static_cast<std::uint8_t>(below(256));
    notes.quoted_source = below(2) == 0 ? IpAddress() : address(true, below(99));
    notes.checksum_shifted = below(2) == 0;
    notes.sequence_shifted = below(2) == 0;
    notes.mtu = below(2000);
    for (std::uint32_t i = 0; i < below(4); ++i) {
      packet::InterfaceInfo interface;
      interface.role = static_cast<packet::InterfaceInfo::Role>(below(4));
      if (below(2) == 0) interface.index = below(1u << 31);
      if (below(2) == 0) interface.mtu = below(9000);
      interface.address = any_address(99);
      interface.name = "ge-0/0/" + std::to_string(i);
      notes.interfaces.push_back(std::move(interface));
    }
    return notes;
  }

  std::vector<WitnessFlow> witnesses() {
    std::vector<WitnessFlow> made;
    for (std::uint32_t i = below(static_cast<std::uint32_t>(LinkVerdict::kMostWitnesses) + 1); i > 0; --i)
      made.push_back({facts_[below(static_cast<std::uint32_t>(facts_.size()))],
                      static_cast<std::uint16_t>(below(65536)), below(10000), below(100)});
    return made;
  }

  void finding(PathEvent& event) {
    if (event.kind == EventKind::reflector_restart || event.kind == EventKind::reflector_mode) {
      ReflectorChange change;
      change.before = reflector();
      change.after = reflector();
      event.detail = detail_of(change);
    }
    if (!is_finding(event.kind)) return;
    event.ended = below(2) == 0;
    const auto a = [&] { return any_address(1000); };
    if (event.kind == EventKind::loss_verdict) {
      LinkVerdict verdict;
      verdict.links = {{a(), a()}, {a(), a()}};
      verdict.loss = ratio();
      verdict.interval = {ratio(), ratio()};
      verdict.suspicion = 8 * ratio();
      verdict.blamed = below(2) == 0;
      verdict.uneven = below(2) == 0;
      verdict.forward_consistent = below(2) == 0;
      if (below(2) == 0) verdict.direction = static_cast<OneWay>(below(2));
      verdict.probes = below(100000);
      verdict.losses = below(1000);
      verdict.lossy_flows = below(100);
      verdict.clean_flows = below(100);
      verdict.reproduced_by = witnesses();
      verdict.not_reproduced_by = witnesses();
      event.detail = detail_of(std::move(verdict));
    }
    if (event.kind == EventKind::oneway_loss) {
      OnewayVerdict verdict;
      verdict.path = below(1u << 31);
      verdict.direction = static_cast<OneWay>(below(2));
      verdict.loss = ratio();
      verdict.interval.low = ratio();
      verdict.interval.high = ratio();
      verdict.packets = below(100000);
      verdict.losses = below(1000);
      event.detail = detail_of(verdict);
    }
    if (event.kind == EventKind::delay_verdict) {
      event.detail = detail_of(DelayVerdict{{a(), a()},
                                            Duration(below(1000000)),
                                            Duration(below(1000000)),
                                            Duration(below(1000000)),
                                            Duration(below(1000000)),
                                            below(500)});
    }
    if (event.kind == EventKind::imbalance) {
      event.detail = detail_of(Branching{static_cast<std::uint8_t>(below(9)),
                                         a(),
                                         {{a(), below(64)}, {a(), below(64)}},
                                         40 * ratio(),
                                         ratio(),
                                         below(2) == 0,
                                         below(2) == 0});
    }
    if (event.kind == EventKind::polarised) {
      event.detail =
          detail_of(Polarisation{static_cast<std::uint8_t>(below(9)), a(), static_cast<std::uint8_t>(below(9)), a(),
                                 below(64), below(8), below(16), 8 * ratio(), ratio(), below(2) == 0});
    }
  }

  HopResult hop(std::uint8_t ttl, const std::vector<IpAddress>& path, const Round& round) {
    HopResult hop;
    hop.ttl = ttl;
    hop.outcome = static_cast<HopOutcome>(below(7));
    hop.limiting = static_cast<Limiting>(below(8) == 0 ? below(3) : 0);
    if (hop.outcome != HopOutcome::replied && hop.outcome != HopOutcome::unreachable) return hop;
    hop.reply = static_cast<packet::ReplyKind>(1 + below(15));
    hop.icmp_type = static_cast<std::uint8_t>(below(256));
    hop.icmp_code = static_cast<std::uint8_t>(below(16));
    hop.reply_ttl = static_cast<std::uint8_t>(below(256));
    hop.quoted_ttl = static_cast<std::uint8_t>(below(3));
    hop.responder = below(8) == 0 ? address(true, below(1000)) : path[ttl - 1u];
    hop.rtt = Duration(1000 + below(1000000000));
    hop.received = round.started + Duration(below(1000000)) + hop.rtt;
    packet::ReplyNotes told;
    if (below(4) == 0) told = notes();
    if (below(5) == 0) {
      packet::MplsStack& stack = told.mpls;
      stack.depth = static_cast<std::uint8_t>(1 + below(8));
      for (std::size_t i = 0; i < stack.depth; ++i)
        stack.labels[i] = {below(1u << 20), static_cast<std::uint8_t>(below(8)), i + 1u == stack.depth,
                           static_cast<std::uint8_t>(below(256))};
    }
    hop.mpls = packet::KeptMpls(std::move(told));
    return hop;
  }

  void verdict(PathVerdict& verdict, std::size_t of, std::uint64_t number) {
    verdict.path = below(10) == 0 ? 0 : 0x1000u + static_cast<std::uint32_t>(of);
    verdict.ordinal = static_cast<std::uint32_t>(of);
    verdict.responders = responders_[of];
    verdict.smoothed_jitter = Duration(below(100000));
    if (number % 7 == 0) {
      verdict.changed = static_cast<ChangeKind>(1 + below(4));
      verdict.previous = below(1u << 31);
      verdict.change = std::make_shared<const ChangePlace>(
          ChangePlace{static_cast<std::uint8_t>(below(9)), address(true, below(99)), address(false, below(99))});
    }
    if (window_ == nullptr || number % 11 == 0) {
      auto window = std::make_shared<PathWindow>();
      window->figures = {.probes = 3000u + below(100),
                         .losses = below(100),
                         .rtts = below(3000),
                         .jitters = below(3000),
                         .rtt = quantiles(),
                         .jitter = quantiles(),
                         .least_rtt = Duration(below(1000000))};
      window->delay_variation = quantiles();
      window_ = std::move(window);
    }
    if (verdict.path != 0) verdict.window = window_;
  }

  Quantiles quantiles() { return {Duration(below(1000)), Duration(below(100000)), Duration(below(10000000))}; }

  std::mt19937_64 random_;
  std::vector<std::shared_ptr<const DestinationFacts>> facts_;
  std::vector<std::shared_ptr<const std::vector<IpAddress>>> responders_;
  std::shared_ptr<const PathWindow> window_;
  std::shared_ptr<const OnewayPathSnapshot> way_;
};

/// All that is told of it; and what is not.
inline std::string text(const RoundRecord& record) {
  std::string out;
  render::append_round(out, record, render::NoNames{});
  const Round& round = record.round;
  out += std::to_string(round.distance) + " " + std::to_string(record.wall(round.finished).time_since_epoch().count()) +
         " " + std::to_string(record.verdict.previous) + " " + record.destination->host + " " +
         std::to_string(record.destination->interval.count()) + " " +
         std::to_string(record.destination->source_ports[0]) + "+" + std::to_string(record.destination->flows);
  for (const auto& [name, value] : record.destination->labels)
    out += " " + name + "=" + value;
  for (const HopResult& hop : round.hops)
    out += " " + std::to_string(hop.icmp_type) + "/" + std::to_string(hop.icmp_code) + "/" +
           std::to_string(hop.quoted_ttl) + "/" + std::to_string(static_cast<int>(hop.limiting)) + "/" +
           std::to_string(static_cast<int>(hop.outcome));
  for (const HopResult& hop : round.hops) {
    const packet::ReplyNotes* const notes = hop.mpls.notes();
    if (notes == nullptr) continue;
    out += " " + std::to_string(notes->sent_traffic_class) + "/" + std::to_string(notes->quoted_traffic_class) + "/" +
           notes->quoted_source.to_string() + "/" + std::to_string(notes->checksum_shifted) +
           std::to_string(notes->sequence_shifted) + "/" + std::to_string(notes->mtu);
    for (const packet::InterfaceInfo& interface : notes->interfaces)
      out += " " + std::string(packet::to_string(interface.role)) + interface.name + interface.address.to_string() +
             std::to_string(interface.index.value_or(0)) + "/" + std::to_string(interface.mtu.value_or(0));
  }
  if (record.destination->steady != nullptr)
    for (const std::uint16_t flow : *record.destination->steady)
      out += " " + std::to_string(flow);
  if (const auto& change = record.verdict.change; change != nullptr)
    out += " " + std::to_string(change->ttl) + change->before.to_string() + change->after.to_string();
  return out;
}

inline std::string text(const PathEvent& event, std::uint64_t number) {
  std::string out;
  render::append_event(out, event, number, render::NoNames{});
  return out;
}

}  // namespace ecmp::stored_rounds
