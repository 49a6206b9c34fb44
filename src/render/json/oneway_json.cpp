#include "render/json/oneway_json.hpp"

#include <optional>

#include "base/names.hpp"
#include "render/json/json_writer.hpp"

namespace ecmp::render {
namespace {

/// Opens an object.
void append_share(JsonWriter& json, std::uint64_t packets, std::uint64_t losses) {
  json.begin('{').key("packets").number(packets).key("losses").number(losses);
}

void append_seconds(JsonWriter& json, const LossSecondsSum& seconds) {
  json.key("severe_seconds").number(seconds.severe).key("unavailable_seconds").number(seconds.unavailable);
}

/// Opens the window.
void append_window(JsonWriter& json, std::uint64_t packets, std::uint64_t losses) {
  append_share(json.key("window"), packets, losses);
  json.key("loss_ratio").loss(losses, packets);
}

/// `variation` of `observed` packets; closes the window and the direction.
void append_delays(JsonWriter& json, const Quantiles& variation, std::uint64_t observed, const DelaySum& delay,
                   const std::optional<Duration>& relative) {
  json.key("delay_variation_ns").quantiles(variation, observed);
  json.key("delay_ns").quantiles(delay.quantiles, delay.window).end('}');
  json.key("relative_delay_ns").known(relative).end('}');
}

}  // namespace

std::string_view mode_name(stamp::ReflectorMode mode) {
  constexpr auto kNames = std::to_array<std::string_view>({"unknown", "stateless", "stateful"});
  return name_at(kNames, mode);
}

void append_reflector(std::string& out, const ReflectorSnapshot& reflector) {
  JsonWriter json(out);
  json.begin('{').key("up");
  reflector.up ? json.boolean(*reflector.up) : json.null();
  json.key("mode").text(mode_name(reflector.mode));
  json.key("clock").text(reflector.synchronised ? "synchronised" : "unsynchronised");
  json.key("clock_error_ns").known(reflector.clock_error).key("restarts").number(reflector.restarts).end('}');
}

void append_oneway_flow(std::string& out, const OnewayFlowSnapshot& flow) {
  const stamp::OnewayCounts& counts = flow.counts;
  JsonWriter json(out);
  const auto disorder = [&json](std::uint64_t reordered, std::uint64_t duplicates) {
    json.key("reordered").number(reordered).key("duplicates").number(duplicates).end('}');
  };
  append_share(json.begin('{').key("forward"), counts.resolved, counts.forward);
  disorder(counts.reordered_forward, flow.duplicates_forward);
  append_share(json.key("reverse"), counts.reached(), counts.reverse);
  disorder(counts.reordered_reverse, flow.duplicates_reverse);
  append_share(json.key("unresolved"), counts.round_trips, counts.unresolved);
  json.end('}').key("reverse_path").path_id(flow.reverse_path).key("reverse_routers");
  flow.reverse_routers != nullptr ? json.list(*flow.reverse_routers) : json.null();
  json.end('}');
}

void append_oneway_path(std::string& out, const OnewayPathSnapshot* there, const OnewayPathSnapshot* back) {
  JsonWriter json(out);
  json.begin('{').key("forward");
  if (there != nullptr) {
    append_share(json, there->counts.resolved, there->counts.forward);
    append_seconds(json, there->forward_seconds);
    append_window(json, there->window.resolved, there->window.forward);
    append_delays(json, there->forward_window, there->exchanges, there->forward_delay, there->relative_forward);
  } else {
    json.null();
  }
  json.key("reverse");
  if (back != nullptr) {
    append_share(json, back->back.reached(), back->back.reverse);
    append_seconds(json, back->reverse_seconds);
    append_window(json, back->back_window.reached(), back->back_window.reverse);
    append_delays(json, back->reverse_window, back->back_exchanges, back->reverse_delay, back->relative_reverse);
  } else {
    json.null();
  }
  json.key("unresolved");
  if (there != nullptr) {
    append_share(json, there->counts.round_trips, there->counts.unresolved);
    append_seconds(json, there->unresolved_seconds);
    append_window(json, there->window.round_trips, there->window.unresolved);
    json.end('}').end('}');
  } else {
    json.null();
  }
  json.end('}');
}

void append_oneway_round(std::string& out, const OnewayRound& round) {
  JsonWriter json(out);
  append_reflector(json.begin('{').key("reflector").next(), round.reflector);
  append_oneway_flow(json.key("flow").next(), round.flow);
  append_oneway_path(json.key("path").next(), round.there.get(), round.back.get());
  json.end('}');
}

}  // namespace ecmp::render
