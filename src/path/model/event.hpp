#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/ip_address.hpp"
#include "base/names.hpp"
#include "base/time.hpp"
#include "path/history/history.hpp"
#include "path/localisation/balance.hpp"
#include "path/localisation/link_verdict.hpp"
#include "path/model/snapshot.hpp"
#include "path/oneway/oneway_verdict.hpp"

namespace ecmp {

/// What happened. The first four are those of ChangeKind, judged over all flows that changed together. Those
/// from loss_verdict to oneway_loss are findings, which begin and end.
enum class EventKind : std::uint8_t {
  reroute,
  remap,
  width,
  per_packet,
  down,
  up,
  loss_verdict,   ///< a link is held to lose probes
  delay_verdict,  ///< the delay of a link has stepped up
  imbalance,      ///< a responder spreads the flows of a destination unevenly
  polarised,      ///< a responder's choice follows from an earlier one's
  oneway_loss,    ///< a path loses packets of streams in one direction
  reflector_restart,
  reflector_mode,  ///< what its sequence numbers count is known, or is another thing now
  count_
};

/// As JSON has it.
constexpr std::string_view to_string(EventKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>({"reroute", "remap", "width", "per_packet", "down", "up",
                                                           "loss_verdict", "delay_verdict", "imbalance", "polarised",
                                                           "oneway_loss", "reflector_restart", "reflector_mode"});
  return name_at(kNames, kind);
}

[[nodiscard]] constexpr bool is_finding(EventKind kind) {
  return kind >= EventKind::loss_verdict && kind <= EventKind::oneway_loss;
}

/// Flows that left one responder for the same other one.
struct EventMove {
  IpAddress before;  ///< unspecified: none was known
  IpAddress after;
  std::uint32_t path_before = 0;  ///< ids; 0 where the path is not reported
  std::uint32_t path_after = 0;
  std::vector<std::uint16_t> flows;  ///< source ports, rising
};

/// What an event says beyond moves. A further one stands here, with its key, and has its fields below.
using EventDetail = std::variant<LinkVerdict, DelayVerdict, Branching, Polarisation, OnewayVerdict, ReflectorChange>;
/// The names of these in the JSON of an event; "": its fields stand among those of the event. The place of each is the
/// bit that stands for it in the history on disk, where one byte has room for seven.
inline constexpr std::array<std::string_view, std::variant_size_v<EventDetail>> kDetailKeys{
    "loss", "delay", "branching", "polarisation", "oneway", ""};

/// Something that happened to a destination, reported once for all its flows. Never changes once it is made.
struct PathEvent {
  std::shared_ptr<const DestinationFacts> destination;  ///< null for verdicts on links: those are of all destinations
  EventKind kind{};
  WallTime time;                 ///< when it was known first: end of the round that confirmed it
  WallTime settled;              ///< end of the newest round that belongs to it
  std::uint8_t ttl = 0;          ///< of the first hop that differs; 0 where there is none
  std::vector<EventMove> moves;  ///< empty for all but changes

  bool ended = false;                         ///< a finding ends with this event; `settled` is when it began
  std::shared_ptr<const EventDetail> detail;  ///< null for changes, down and up

  /// Null if the event has no detail of this type.
  template <typename Detail>
  [[nodiscard]] const Detail* get() const {
    return detail != nullptr ? std::get_if<Detail>(detail.get()) : nullptr;
  }
};

template <typename Detail>
std::shared_ptr<const EventDetail> detail_of(Detail detail) {
  return std::make_shared<const EventDetail>(std::move(detail));
}

template <typename T, typename Of>
concept Either = std::same_as<std::remove_const_t<T>, Of>;

// The fields of details, once for all that reads and writes them: by their names in JSON (docs/http.md), in the order
// of the history on disk. `to` writes or reads a field of a type by the function of that name: FieldsJson
// (verdict_json.hpp), FieldsWriter and FieldsReader (path/history), EventEnds (event_json.cpp).

void each_field(auto& to, Either<LinkVerdict> auto& of) {
  to.links("links", of.links);
  to.real("loss_ratio", of.loss);
  to.real("loss_ratio_low", of.interval.low);
  to.real("loss_ratio_high", of.interval.high);
  to.real("suspicion", of.suspicion);
  to.state(of);
  to.number("probes", of.probes);
  to.number("losses", of.losses);
  to.number("lossy_flows", of.lossy_flows);
  to.number("clean_flows", of.clean_flows);
  to.witnesses("reproduced_by", of.reproduced_by);
  to.witnesses("not_reproduced_by", of.not_reproduced_by);
}

void each_field(auto& to, Either<DelayVerdict> auto& of) {
  to.link("link", of.link);
  to.duration("before_ns", of.before);
  to.duration("now_ns", of.now);
  to.duration("now_low_ns", of.low);
  to.duration("now_high_ns", of.high);
  to.number("samples", of.samples);
}

void each_field(auto& to, Either<Branching::NextHop> auto& of) {
  to.address("address", of.address);
  to.number("flows", of.flows);
}

void each_field(auto& to, Either<Branching> auto& of) {
  to.number("ttl", of.ttl);
  to.address("address", of.at);
  to.list("next_hops", of.next_hops);
  to.real("chi_square", of.chi_square);
  to.real("p_value", of.p_value);
  to.flags("decided", of.decided, "uneven", of.uneven);
}

void each_field(auto& to, Either<Polarisation> auto& of) {
  to.number("first_ttl", of.first_ttl);
  to.address("first", of.first);
  to.number("second_ttl", of.second_ttl);
  to.address("second", of.second);
  to.number("flows", of.flows);
  to.number("pairs", of.pairs);
  to.number("possible", of.possible);
  to.real("expected", of.expected);
  to.real("p_value", of.p_value);
  to.flags("polarised", of.polarised);
}

void each_field(auto& to, Either<OnewayVerdict> auto& of) {
  to.path("path", of.path);
  to.way("direction", of.direction);
  to.real("loss_ratio", of.loss);
  to.real("loss_ratio_low", of.interval.low);
  to.real("loss_ratio_high", of.interval.high);
  to.number("packets", of.packets);
  to.number("losses", of.losses);
}

void each_field(auto& to, Either<ReflectorChange> auto& of) {
  to.reflector("reflector_before", of.before);
  to.reflector("reflector", of.after);
}

/// `since` is compared with the event's time, `path` with both of a move's. A verdict of loss is matched by the
/// destinations and flows that reproduce it.
bool matches(const RoundFilter& filter, const PathEvent& event);

}  // namespace ecmp
