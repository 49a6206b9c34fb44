#include "render/report/oneway_report.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace ecmp::render {
namespace {

/// "3/200 1.5%", or "-" where there is nothing to lose.
std::string share(std::uint64_t lost, std::uint64_t packets) {
  if (packets == 0) return "-";
  return fmt::format("{}/{} {:.1f}%", lost, packets, 100 * static_cast<double>(lost) / static_cast<double>(packets));
}

std::string_view what_it_shows(const OnewaySnapshot& oneway) {
  if (oneway.up == false) return "does not answer";
  switch (oneway.mode) {
    case stamp::ReflectorMode::stateful:
      return "counts its replies, so that losses have a direction";
    case stamp::ReflectorMode::stateless:
      return "copies sequence numbers, so that only losses of round trips are known";
    case stamp::ReflectorMode::unknown:
      break;
  }
  return "has not shown what it counts";
}

std::string milliseconds(Duration duration) {
  return fmt::format("{:.3f}", in_seconds(duration) * 1e3);
}

/// "1.204/1.731", the median and the 95th percentile, or "-" where nothing was measured.
std::string quantiles(const Quantiles& of, std::uint64_t observed) {
  return observed == 0 ? std::string("-") : milliseconds(of.p50) + "/" + milliseconds(of.p95);
}

/// Delay variation within the window, and how much slower a path is than the fastest one.
void append_paths(std::string& out, const OnewaySnapshot& oneway) {
  if (std::ranges::none_of(oneway.paths, [](const auto& path) { return path.exchanges + path.back_exchanges > 0; }))
    return;
  out += fmt::format("{:<8}  {:>20}  {:>14}  {:>20}  {:>14}\n", "path", "forward p50/p95 ms", "slower by",
                     "reverse p50/p95 ms", "slower by");
  for (const OnewayPathSnapshot& path : oneway.paths) {
    const auto relative = [](const std::optional<Duration>& of) { return of ? milliseconds(*of) : std::string("-"); };
    out += fmt::format("{:08x}  {:>20}  {:>14}  {:>20}  {:>14}\n", path.path,
                       quantiles(path.forward_window, path.exchanges), relative(path.relative_forward),
                       quantiles(path.reverse_window, path.back_exchanges), relative(path.relative_reverse));
  }
}

/// Delay of each direction, where both clocks have claimed to be synchronised.
void append_delays(std::string& out, const OnewaySnapshot& oneway) {
  const auto measured = [](const OnewayPathSnapshot& path) {
    return path.forward_delay.window + path.reverse_delay.window > 0;
  };
  if (std::ranges::none_of(oneway.paths, measured)) return;
  out += oneway.clock_error
             ? fmt::format("Delay by both clocks, which may be off by {} ms:\n", milliseconds(*oneway.clock_error))
             : std::string("Delay by both clocks, while they were synchronised:\n");
  out += fmt::format("{:<8}  {:>20}  {:>20}\n", "path", "forward p50/p95 ms", "reverse p50/p95 ms");
  for (const OnewayPathSnapshot& path : oneway.paths) {
    if (!measured(path)) continue;
    out += fmt::format("{:08x}  {:>20}  {:>20}\n", path.path,
                       quantiles(path.forward_delay.quantiles, path.forward_delay.window),
                       quantiles(path.reverse_delay.quantiles, path.reverse_delay.window));
  }
}

}  // namespace

void append_oneway_report(std::string& out, const DestinationSnapshot& snapshot) {
  if (snapshot.oneway == nullptr) return;
  const OnewaySnapshot& oneway = *snapshot.oneway;
  out += fmt::format("\nSTAMP streams: the reflector {}.\n", what_it_shows(oneway));
  append_paths(out, oneway);
  append_delays(out, oneway);
  out += fmt::format("{:>6}  {:<8}  {:>18}  {:>18}  {:>18}\n", "flow", "path", "lost forward", "lost reverse",
                     "lost, unresolved");
  for (std::uint32_t i = 0; i < oneway.flows.size(); ++i) {
    if (!is_steady(*snapshot.facts, i)) continue;
    const stamp::OnewayCounts& counts = oneway.flows[i].counts;
    std::string path = "-";
    for (const FlowSnapshot& flow : snapshot.flows)
      if (flow.source_port == snapshot.facts->source_ports[i] && flow.path != 0)
        path = fmt::format("{:08x}", flow.path);
    out += fmt::format("{:>6}  {:<8}  {:>18}  {:>18}  {:>18}\n", snapshot.facts->source_ports[i], path,
                       share(counts.forward, counts.resolved), share(counts.reverse, counts.reached()),
                       share(counts.unresolved, counts.round_trips));
  }
}

}  // namespace ecmp::render
