#pragma once

// Private to series.cpp: the families about the network, a row each. A new one needs nothing else here.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "path/model/snapshot.hpp"
#include "path/statistics/histogram.hpp"
#include "render/json/oneway_json.hpp"
#include "render/metrics/encoder.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp::render {

/// A row, and what yields the samples of one thing that the family is about: `values(of, out)` calls `out(value)`, or
/// `out(value, add)` where add(LabelWriter&) writes the row's own labels, once for each sample; or it is a Figure.
template <Subject kSubject, typename Values>
struct Family {
  static constexpr Subject kOf = kSubject;
  MetricRow row;
  Values values;
};

template <Subject kSubject, typename Values>
constexpr Family<kSubject, Values> family(std::string_view name, MetricType type, std::string_view labels,
                                          std::string_view help, Values values, bool user_labels = false) {
  MetricRow row{kSubject, name, type, labels, help, user_labels, std::nullopt};
  if constexpr (std::is_same_v<Values, Figure>) row.figure = values;
  return {row, values};
}

constexpr auto label(std::string_view name, std::string_view value) {
  return [name, value](LabelWriter& more) { more.add(name, value); };
}

constexpr auto direction(std::string_view way) {
  return label("direction", way);
}

constexpr auto path_label(std::uint32_t path) {
  return [path](LabelWriter& more) { more.add_path(path); };
}

/// Of families whose labels say everything.
inline constexpr auto kAlways = [](const auto& /*of*/, const auto& out) { out(1u); };

/// [a-zA-Z_][a-zA-Z0-9_]*
inline bool is_label_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

/// The configuration refuses labels that are malformed, doubled or named as ours; should one come all the same, it
/// costs itself and not the scrape.
inline void add_user_labels(LabelWriter& labels, const DestinationFacts& facts) {
  std::vector<std::string_view> taken = {"destination", "address", "family", "protocol", "port"};
  for (const auto& [name, value] : facts.labels) {
    if (!is_label_name(name) || std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    taken.push_back(name);
    labels.add(name, value);
  }
}

inline void add_destination_info(LabelWriter& labels, const DestinationFacts& facts) {
  if (facts.address.is_unspecified()) {  // a name that was never resolved
    labels.add("address", "");
    labels.add("family", "");
  } else {
    labels.add_address("address", facts.address);
    labels.add("family", to_string(facts.address.family()));
  }
  labels.add("protocol", facts.stamp ? "stamp" : traits(facts.protocol).name);
  labels.add_number("port", facts.port);
  add_user_labels(labels, facts);
}

/// All reasons from the start, as for the kinds of changes.
template <typename Out>
void out_unjudged(const UnjudgedCounters& counts, const Out& out) {
  out(counts.suppressed, label("reason", ecmp::to_string(EndToEnd::suppressed)));
  out(counts.left_out, label("reason", ecmp::to_string(EndToEnd::left_out)));
  out(counts.undecided, label("reason", ecmp::to_string(EndToEnd::undecided)));
}

inline constexpr std::string_view kForward = "forward";
inline constexpr std::string_view kReverse = "reverse";
inline constexpr std::string_view kUnresolved = "unresolved";

/// Calls visit(direction, packets, lost). `back`: what the way back is read from.
template <typename Visit>
void each_direction(const stamp::OnewayCounts& counts, const stamp::OnewayCounts& back, const Visit& visit) {
  visit(kForward, counts.resolved, counts.forward);
  visit(kReverse, back.reached(), back.reverse);
  visit(kUnresolved, counts.round_trips, counts.unresolved);
}

/// Of a path: nothing of a direction that none of its flows goes over it in.
template <typename Visit>
void each_direction_of(const OnewayPathSnapshot& path, const stamp::OnewayCounts& counts,
                       const stamp::OnewayCounts& back, const Visit& visit) {
  const bool there = path.counts != stamp::OnewayCounts{};
  const bool on_way_back = path.back != stamp::OnewayCounts{};
  each_direction(counts, back, [&](std::string_view way, std::uint64_t packets, std::uint64_t lost) {
    if (way == kReverse ? on_way_back : there) visit(way, packets, lost);
  });
}

inline const LossSecondsSum& seconds_of(const OnewayPathSnapshot& path, std::string_view way) {
  return way == kForward ? path.forward_seconds : way == kReverse ? path.reverse_seconds : path.unresolved_seconds;
}

/// A window without observations has no quantiles: NaN.
template <typename Out>
void out_variation(const VariationSum& sum, const Quantiles& window, bool observed, std::string_view way,
                   const Out& out) {
  if (sum.count == 0) return;
  const auto value = [&](Duration quantile) {
    return observed ? in_seconds(quantile) : std::numeric_limits<double>::quiet_NaN();
  };
  const std::array<QuantileValue, 3> quantiles = {
      {{0.5, "0.5", value(window.p50)}, {0.95, "0.95", value(window.p95)}, {0.99, "0.99", value(window.p99)}}};
  out(SummarySample{.count = sum.count, .sum = sum.seconds, .quantiles = quantiles}, direction(way));
}

using enum MetricType;

/// In the order of their importance, hop families last: when a scrape has more series than it may, whole families are
/// left out from the end.
inline constexpr std::tuple kFamilies{
    family<Subject::destination>("ecmp_destination_up", gauge, "",
                                 "Whether any flow reached the destination in its last round, as the network answered: "
                                 "1 or 0. Absent until a round was judged: see ecmp_destination_unjudged.",
                                 [](const DestinationSnapshot& of, const auto& out) {
                                   if (of.measured) out(of.up ? 1u : 0u);
                                 }),
    family<Subject::destination>(
        "ecmp_destination_unjudged", gauge, "reason",
        "Present while no newest round of a destination was judged, with the reason: not_resolved, not_traced, "
        "first_round, send_failed, unobserved, suppressed, left_out or undecided; always 1.",
        [](const DestinationSnapshot& of, const auto& out) {
          if (of.unjudged != Unjudged::none) out(1u, label("reason", ecmp::to_string(of.unjudged)));
        }),
    family<Subject::destination>(
        "ecmp_destination_info", gauge, "address,family,protocol,port",
        "What is configured for a destination, with the labels of the configuration, to join on; always 1.",
        [](const DestinationSnapshot& of, const auto& out) {
          out(1u, [&facts = *of.facts](LabelWriter& more) { add_destination_info(more, facts); });
        },
        true),
    family<Subject::destination>("ecmp_paths", gauge, "", "Paths that flows of the destination are on now.",
                                 [](const DestinationSnapshot& of, const auto& out) {
                                   // None is a finding once something was judged, and before that no more than not
                                   // known.
                                   if (of.measured || of.paths_in_use > 0) out(of.paths_in_use);
                                 }),
    family<Subject::destination>(
        "ecmp_destination_expected_paths", gauge, "",
        "Number of paths expected, from expected_paths of the configuration; absent where that is 0.",
        [](const DestinationSnapshot& of, const auto& out) {
          if (of.facts->expected_paths > 0) out(of.facts->expected_paths);
        }),
    family<Subject::refusal>("ecmp_destination_unreachable_replies_total", counter, "",
                             "Refusals by routers on the way or by the destination, by their reason and by sender.",
                             [](const UnreachableSnapshot& of, const auto& out) { out(of.count); }),
    family<Subject::destination>("ecmp_destination_paths_refused_total", counter, "",
                                 "Times a path was not published because the destination had as many as "
                                 "limits.max_paths_per_destination allows.",
                                 [](const DestinationSnapshot& of, const auto& out) { out(of.paths_refused); }),
    family<Subject::destination>("ecmp_path_coverage_probability", gauge, "",
                                 "Probability that the flows in use reach every path, if routers share flows equally "
                                 "among their branches; absent until a hop has answered.",
                                 [](const DestinationSnapshot& of, const auto& out) {
                                   if (of.coverage) out(*of.coverage);
                                 }),
    family<Subject::flow>("ecmp_flow_probes_total", counter, "",
                          "End-to-end probes of a flow that are finished, answered or not.",
                          [](const FlowSnapshot& of, const auto& out) { out(of.probes); }),
    family<Subject::flow>("ecmp_flow_replies_total", counter, "",
                          "End-to-end probes of a flow that the destination answered.",
                          [](const FlowSnapshot& of, const auto& out) { out(of.replies); }),
    family<Subject::flow>(
        "ecmp_flow_unjudged_total", counter, "reason",
        "Rounds of a flow that say nothing about the network, by reason: suppressed (the destination limits its "
        "answers), left_out (not asked, to stay below such a limit) or undecided. They are in no count of probes.",
        [](const FlowSnapshot& of, const auto& out) { out_unjudged(of.unjudged, out); }),
    family<Subject::flow>("ecmp_flow_path_info", gauge, "path", "The path a flow is on now; always 1.",
                          [](const FlowSnapshot& of, const auto& out) {
                            if (of.path != 0) out(1u, path_label(of.path));
                          }),
    family<Subject::flow>("ecmp_flow_path_changes_total", counter, "kind",
                          "Confirmed changes of a flow's path, by kind: reroute, remap, width or per_packet.",
                          [](const FlowSnapshot& of, const auto& out) {
                            // All kinds from the start: a counter that appears with its first event hides that event
                            // from increase().
                            for (auto kind = static_cast<std::size_t>(ChangeKind::reroute); kind < of.changes.size();
                                 ++kind)
                              out(of.changes[kind], label("kind", ecmp::to_string(static_cast<ChangeKind>(kind))));
                          }),
    family<Subject::path>("ecmp_path_probes_total", counter, "",
                          "Finished end-to-end probes, by the path their flow was on.",
                          [](const PathSnapshot& of, const auto& out) { out(of.probes); }),
    family<Subject::path>("ecmp_path_replies_total", counter, "",
                          "End-to-end probes that the destination answered, by the path their flow was on.",
                          [](const PathSnapshot& of, const auto& out) { out(of.replies); }),
    family<Subject::path>("ecmp_path_unjudged_total", counter, "reason",
                          "Rounds that say nothing about the network, by the path their flow was on and by reason: "
                          "suppressed, left_out or undecided.",
                          [](const PathSnapshot& of, const auto& out) { out_unjudged(of.unjudged, out); }),
    family<Subject::path>("ecmp_path_flows", gauge, "", "Flows that are on a path now.",
                          [](const PathSnapshot& of, const auto& out) { out(of.flows); }),
    family<Subject::path>("ecmp_path_hops", gauge, "", "Length of a path in hops, the destination included.",
                          [](const PathSnapshot& of, const auto& out) { out(static_cast<unsigned>(of.length)); }),
    family<Subject::reflector>(
        "ecmp_reflector_up", gauge, "",
        "Whether the STAMP reflector of the destination answers: 1 or 0; absent while it is too early to say.",
        [](const OnewaySnapshot& of, const auto& out) {
          if (of.up) out(*of.up ? 1u : 0u);
        }),
    family<Subject::reflector>(
        "ecmp_reflector_info", gauge, "mode,clock",
        "What the reflector is: mode stateful (losses have a direction), stateless (only round trips are known) or "
        "unknown; clock synchronised or unsynchronised, as it says itself; always 1.",
        [](const OnewaySnapshot& of, const auto& out) {
          out(1u, [&of](LabelWriter& more) {
            more.add("mode", mode_name(of.mode));
            more.add("clock", of.synchronised ? "synchronised" : "unsynchronised");
          });
        }),
    family<Subject::reflector>("ecmp_reflector_restarts_total", counter, "",
                               "Times that the reflector restarted its counters.",
                               [](const OnewaySnapshot& of, const auto& out) { out(of.restarts); }),
    family<Subject::reflector>(
        "ecmp_reflector_clock_error_seconds", gauge, "",
        "How far ecmp_path_oneway_delay_seconds may be off: what the reflector's clock and our own claim, together; "
        "absent unless both claim to be synchronised.",
        [](const OnewaySnapshot& of, const auto& out) {
          if (of.clock_error) out(in_seconds(*of.clock_error));
        }),
    family<Subject::oneway_path>("ecmp_path_oneway_packets_total", counter, "direction",
                                 "Packets of STAMP streams whose fate is known, by the path of their flow: forward "
                                 "those of which a loss would have been seen on the way there, reverse those of them "
                                 "that reached the reflector, unresolved those of which only the round trip is known.",
                                 [](const OnewayPathSnapshot& of, const auto& out) {
                                   each_direction_of(of, of.counts, of.back, [&](auto way, auto packets, auto) {
                                     out(packets, direction(way));
                                   });
                                 }),
    family<Subject::oneway_path>("ecmp_path_oneway_losses_total", counter, "direction",
                                 "Those of ecmp_path_oneway_packets_total with the same labels that were lost.",
                                 [](const OnewayPathSnapshot& of, const auto& out) {
                                   each_direction_of(of, of.counts, of.back,
                                                     [&](auto way, auto, auto lost) { out(lost, direction(way)); });
                                 }),
    family<Subject::oneway_path>(
        "ecmp_path_oneway_window_loss_ratio", gauge, "direction",
        "Share of ecmp_path_oneway_packets_total that was lost within the rolling window; absent while there are none.",
        [](const OnewayPathSnapshot& of, const auto& out) {
          each_direction_of(of, of.window, of.back_window, [&](auto way, auto packets, auto lost) {
            if (packets > 0) out(static_cast<double>(lost) / static_cast<double>(packets), direction(way));
          });
        }),
    family<Subject::oneway_path>("ecmp_path_oneway_severe_seconds_total", counter, "direction",
                                 "Seconds in which more than half of the packets sent over a path were lost, outside "
                                 "of unavailable time; counted once all packets of the second are judged.",
                                 [](const OnewayPathSnapshot& of, const auto& out) {
                                   each_direction_of(of, of.counts, of.back, [&](auto way, auto, auto) {
                                     out(seconds_of(of, way).severe, direction(way));
                                   });
                                 }),
    family<Subject::oneway_path>("ecmp_path_oneway_unavailable_seconds_total", counter, "direction",
                                 "Seconds of unavailable time of a path, which ten seconds in a row with more than "
                                 "half of their packets lost begin and ten others in a row end.",
                                 [](const OnewayPathSnapshot& of, const auto& out) {
                                   each_direction_of(of, of.counts, of.back, [&](auto way, auto, auto) {
                                     out(seconds_of(of, way).unavailable, direction(way));
                                   });
                                 }),
    family<Subject::oneway_path>(
        "ecmp_path_oneway_delay_variation_seconds", summary, "direction",
        "How much longer packets took than the fastest of their stream in the last minute, in one direction, which "
        "needs no synchronised clocks: quantiles over the rolling window; sum and count since the path is known.",
        [](const OnewayPathSnapshot& of, const auto& out) {
          out_variation(of.forward, of.forward_window, of.exchanges > 0, kForward, out);
          out_variation(of.reverse, of.reverse_window, of.back_exchanges > 0, kReverse, out);
        }),
    family<Subject::oneway_path>(
        "ecmp_path_oneway_relative_delay_seconds", gauge, "direction",
        "How much slower the path's fastest packet of ten seconds was than that of the fastest path to the same "
        "reflector, in one direction, which needs no synchronised clocks; absent where there is nothing to compare.",
        [](const OnewayPathSnapshot& of, const auto& out) {
          if (of.relative_forward) out(in_seconds(*of.relative_forward), direction(kForward));
          if (of.relative_reverse) out(in_seconds(*of.relative_reverse), direction(kReverse));
        }),
    family<Subject::oneway_path>(
        "ecmp_path_oneway_delay_seconds", summary, "direction",
        "Delay in one direction, by two clocks that both claim to be synchronised, and absent until they do: quantiles "
        "over the rolling window; sum and count since the path is known. It may be off by "
        "ecmp_reflector_clock_error_seconds.",
        [](const OnewayPathSnapshot& of, const auto& out) {
          const DelaySum& there = of.forward_delay;
          const DelaySum& back = of.reverse_delay;
          out_variation(there.sum, there.quantiles, there.window > 0, kForward, out);
          out_variation(back.sum, back.quantiles, back.window > 0, kReverse, out);
        }),
    family<Subject::oneway_flow>(
        "ecmp_flow_oneway_losses_total", counter, "direction",
        "Packets of a flow's STAMP stream that were lost, by where: forward, reverse, or unresolved.",
        [](const OnewayFlowSnapshot& of, const auto& out) {
          each_direction(of.counts, of.counts, [&](auto way, auto, auto lost) { out(lost, direction(way)); });
        }),
    family<Subject::oneway_flow>(
        "ecmp_flow_oneway_reordered_total", counter, "direction",
        "Packets of a flow's STAMP stream that arrived after a later one (RFC 4737); only of stateful reflectors.",
        [](const OnewayFlowSnapshot& of, const auto& out) {
          out(of.counts.reordered_forward, direction(kForward));
          out(of.counts.reordered_reverse, direction(kReverse));
        }),
    family<Subject::oneway_flow>(
        "ecmp_flow_oneway_duplicates_total", counter, "direction",
        "Copies of packets of a flow's STAMP stream that arrived within its timeout (RFC 5560).",
        [](const OnewayFlowSnapshot& of, const auto& out) {
          out(of.duplicates_forward, direction(kForward));
          out(of.duplicates_reverse, direction(kReverse));
        }),
    family<Subject::oneway_flow>("ecmp_flow_reverse_path_info", gauge, "path",
                                 "The path of the replies of a flow, as the reflecting agent has traced it; always 1.",
                                 [](const OnewayFlowSnapshot& of, const auto& out) {
                                   if (of.reverse_path != 0) out(1u, path_label(of.reverse_path));
                                 }),
    family<Subject::path>(
        "ecmp_path_window_loss_ratio", gauge, "",
        "Share of a path's end-to-end probes that were lost within the rolling window; absent while it has none.",
        Figure{false, Figure::What::window_loss, Statistics::Kind::loss}),
    family<Subject::path>(
        "ecmp_path_window_rtt_seconds", summary, "",
        "End-to-end RTT of a path: quantiles over the rolling window; sum and count since the path is known.",
        Figure{false, Figure::What::window_quantiles, Statistics::Kind::rtt}),
    family<Subject::path>("ecmp_path_window_jitter_seconds", summary, "",
                          "Difference of consecutive RTTs of a flow: quantiles over the rolling window; sum and count "
                          "since the path is known.",
                          Figure{false, Figure::What::window_quantiles, Statistics::Kind::jitter}),
    family<Subject::path>("ecmp_path_rtt_seconds", histogram, "", "End-to-end RTT of a path.",
                          Figure{false, Figure::What::histogram, Statistics::Kind::rtt}),
    family<Subject::path>("ecmp_path_jitter_seconds", histogram, "",
                          "Difference of consecutive end-to-end RTTs of a flow, by the path it is on.",
                          Figure{false, Figure::What::histogram, Statistics::Kind::jitter}),
    family<Subject::path>("ecmp_path_loss_ratio", histogram, "",
                          "Loss of a path, end to end, over one round of all its flows.",
                          Figure{false, Figure::What::histogram, Statistics::Kind::loss}),
    family<Subject::flow>("ecmp_flow_info", gauge, "source_address",
                          "The source address of a flow, which its route gives, to join on; always 1.",
                          [](const FlowSnapshot& of, const auto& out) {
                            if (!of.source.is_unspecified())
                              out(1u, [&of](LabelWriter& more) { more.add_address("source_address", of.source); });
                          }),
    family<Subject::flow>(
        "ecmp_flow_path_ordinal", gauge, "",
        "Small number of the path a flow is on, given in the order of appearance; 0 while it has none.",
        [](const FlowSnapshot& of, const auto& out) { out(of.ordinal); }),
    family<Subject::hop>("ecmp_path_hop_info", gauge, "", "Which responder stands at which TTL of a path; always 1.",
                         kAlways),
    family<Subject::responder>(
        "ecmp_hop_info", gauge, "",
        "Reverse name, AS number, place and newest MPLS labels of a responder, to join on; always 1.", kAlways),
    family<Subject::finding>("ecmp_hop_finding_info", gauge, "",
                             "Findings in replies and their quotes, at the hop where each begins: nat, sequence, dscp, "
                             "ecn, quoted_ttl, return_path, mtu or interface; always 1.",
                             kAlways),
    family<Subject::link>("ecmp_link_flows", gauge, "",
                          "Flows that go from one responder to the next now; the TTL is that of the next.",
                          [](const LinkSnapshot& of, const auto& out) { out(of.flows); }),
    family<Subject::hop>("ecmp_hop_limited", gauge, "",
                         "Present for hops whose responder limits its ICMP errors: 1 if inferred from its silence, 2 "
                         "if confirmed by asking it more and less often.",
                         [](const HopSnapshot& of, const auto& out) {
                           if (of.limiting != Limiting::none) out(of.limiting == Limiting::confirmed ? 2u : 1u);
                         }),
    family<Subject::hop>("ecmp_hop_losses_total", counter, "", "Probes with no answer from this hop or any beyond it.",
                         [](const HopSnapshot& of, const auto& out) { out(of.counters.losses); }),
    family<Subject::hop>("ecmp_hop_probes_total", counter, "",
                         "Finished probes of a hop; one with no answer counts for the last responder known there.",
                         [](const HopSnapshot& of, const auto& out) { out(of.counters.probes); }),
    family<Subject::hop>(
        "ecmp_hop_silences_total", counter, "",
        "Probes that this hop did not answer while a later hop answered: not loss, often an ICMP limit.",
        [](const HopSnapshot& of, const auto& out) { out(of.counters.silences); }),
    family<Subject::hop>("ecmp_hop_replies_total", counter, "", "Probes that this hop answered.",
                         [](const HopSnapshot& of, const auto& out) { out(of.counters.replies); }),
    family<Subject::hop>("ecmp_hop_window_loss_ratio", gauge, "",
                         "Share of a hop's probes that neither it nor any beyond it answered within the rolling "
                         "window; absent while it has none.",
                         Figure{true, Figure::What::window_loss, Statistics::Kind::loss}),
    family<Subject::hop>("ecmp_hop_window_rtt_seconds", summary, "",
                         "RTT to a hop: quantiles over the rolling window; sum and count since the hop is known.",
                         Figure{true, Figure::What::window_quantiles, Statistics::Kind::rtt}),
    family<Subject::hop>("ecmp_hop_window_jitter_seconds", summary, "",
                         "Difference of consecutive RTTs of a flow to a hop: quantiles over the rolling window; sum "
                         "and count since the hop is known.",
                         Figure{true, Figure::What::window_quantiles, Statistics::Kind::jitter}),
    family<Subject::hop>("ecmp_hop_rtt_seconds", histogram, "", "RTT to one hop of a path.",
                         Figure{true, Figure::What::histogram, Statistics::Kind::rtt}),
    family<Subject::hop>("ecmp_hop_loss_ratio", histogram, "",
                         "Loss at one hop of a path over one round of all its flows.",
                         Figure{true, Figure::What::histogram, Statistics::Kind::loss}),
    family<Subject::hop>("ecmp_hop_jitter_seconds", histogram, "",
                         "Difference of consecutive RTTs of a flow to one hop of a path.",
                         Figure{true, Figure::What::histogram, Statistics::Kind::jitter})};

}  // namespace ecmp::render
