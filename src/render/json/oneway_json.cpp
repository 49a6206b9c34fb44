#include "render/json/oneway_json.hpp"

#include <optional>

#include "base/names.hpp"
#include "render/append.hpp"
#include "render/json/json_parts.hpp"

namespace ecmp::render {
namespace {

void append_count(std::string& out, std::string_view key, std::uint64_t count) {
  out.append(key);
  append_number(out, count);
}

void append_share(std::string& out, std::uint64_t packets, std::uint64_t losses) {
  append_count(out, R"({"packets":)", packets);
  append_count(out, R"(,"losses":)", losses);
}

void append_seconds(std::string& out, const LossSecondsSum& seconds) {
  append_count(out, R"(,"severe_seconds":)", seconds.severe);
  append_count(out, R"(,"unavailable_seconds":)", seconds.unavailable);
}

void append_window(std::string& out, std::uint64_t packets, std::uint64_t losses) {
  out.append(R"(,"window":)");
  append_share(out, packets, losses);
  out.append(R"(,"loss_ratio":)");
  if (packets > 0) {
    append_ratio(out, static_cast<double>(losses) / static_cast<double>(packets));
  } else {
    out.append("null");
  }
}

void append_known(std::string& out, const std::optional<Duration>& duration) {
  if (duration) {
    append_number(out, duration->count());
  } else {
    out.append("null");
  }
}

/// Of so many packets.
void append_observed(std::string& out, std::string_view key, const Quantiles& quantiles, std::uint64_t observed) {
  if (observed > 0) {
    append_quantiles(out, key, quantiles);
  } else {
    out.append(key).append("null");
  }
}

/// `variation` of `observed` packets; closes the window and the direction.
void append_delays(std::string& out, const Quantiles& variation, std::uint64_t observed, const DelaySum& delay,
                   const std::optional<Duration>& relative) {
  append_observed(out, R"(,"delay_variation_ns":)", variation, observed);
  append_observed(out, R"(,"delay_ns":)", delay.quantiles, delay.window);
  out.append(R"(},"relative_delay_ns":)");
  append_known(out, relative);
  out.push_back('}');
}

}  // namespace

std::string_view mode_name(stamp::ReflectorMode mode) {
  constexpr auto kNames = std::to_array<std::string_view>({"unknown", "stateless", "stateful"});
  return name_at(kNames, mode);
}

void append_reflector(std::string& out, std::string_view key, const ReflectorSnapshot& reflector) {
  out.append(key).append(R"({"up":)");
  if (reflector.up) {
    append_bool(out, *reflector.up);
  } else {
    out.append("null");
  }
  out.append(R"(,"mode":")").append(mode_name(reflector.mode));
  out.append(R"(","clock":")").append(reflector.synchronised ? "synchronised" : "unsynchronised");
  out.append(R"(","clock_error_ns":)");
  append_known(out, reflector.clock_error);
  append_count(out, R"(,"restarts":)", reflector.restarts);
  out.push_back('}');
}

void append_oneway_flow(std::string& out, std::string_view key, const OnewayFlowSnapshot& flow) {
  const stamp::OnewayCounts& counts = flow.counts;
  const auto disorder = [&out](std::uint64_t reordered, std::uint64_t duplicates) {
    append_count(out, R"(,"reordered":)", reordered);
    append_count(out, R"(,"duplicates":)", duplicates);
  };
  out.append(key).append(R"({"forward":)");
  append_share(out, counts.resolved, counts.forward);
  disorder(counts.reordered_forward, flow.duplicates_forward);
  out.append(R"(},"reverse":)");
  append_share(out, counts.reached(), counts.reverse);
  disorder(counts.reordered_reverse, flow.duplicates_reverse);
  out.append(R"(},"unresolved":)");
  append_share(out, counts.round_trips, counts.unresolved);
  out.append(R"(},"reverse_path":")");
  if (flow.reverse_path != 0) append_hex8(out, flow.reverse_path);
  out.append(R"(","reverse_routers":)");
  if (flow.reverse_routers == nullptr) {
    out.append("null}");
    return;
  }
  const char* before = "[";
  for (const IpAddress& router : *flow.reverse_routers) {
    out.append(before);
    append_known_address(out, router);
    before = ",";
  }
  out.append("]}");
}

void append_oneway_path(std::string& out, std::string_view key, const OnewayPathSnapshot* there,
                        const OnewayPathSnapshot* back) {
  out.append(key).append(R"({"forward":)");
  if (there != nullptr) {
    append_share(out, there->counts.resolved, there->counts.forward);
    append_seconds(out, there->forward_seconds);
    append_window(out, there->window.resolved, there->window.forward);
    append_delays(out, there->forward_window, there->exchanges, there->forward_delay, there->relative_forward);
  } else {
    out.append("null");
  }
  out.append(R"(,"reverse":)");
  if (back != nullptr) {
    append_share(out, back->back.reached(), back->back.reverse);
    append_seconds(out, back->reverse_seconds);
    append_window(out, back->back_window.reached(), back->back_window.reverse);
    append_delays(out, back->reverse_window, back->back_exchanges, back->reverse_delay, back->relative_reverse);
  } else {
    out.append("null");
  }
  out.append(R"(,"unresolved":)");
  if (there != nullptr) {
    append_share(out, there->counts.round_trips, there->counts.unresolved);
    append_seconds(out, there->unresolved_seconds);
    append_window(out, there->window.round_trips, there->window.unresolved);
    out.append("}}");
  } else {
    out.append("null");
  }
  out.push_back('}');
}

void append_oneway_round(std::string& out, std::string_view key, const OnewayRound& round) {
  out.append(key);
  append_reflector(out, R"({"reflector":)", round.reflector);
  append_oneway_flow(out, R"(,"flow":)", round.flow);
  append_oneway_path(out, R"(,"path":)", round.there.get(), round.back.get());
  out.push_back('}');
}

}  // namespace ecmp::render
