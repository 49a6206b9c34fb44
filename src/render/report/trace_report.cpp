#include "render/report/trace_report.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "packet/message.hpp"
#include "render/append.hpp"
#include "render/fan/fan_text.hpp"
#include "render/report/search_text.hpp"

namespace ecmp::render {

namespace {

/// Tallies of several flows, as one.
struct Figures {
  std::uint64_t sent = 0;
  std::uint64_t replies = 0;
  std::uint64_t losses = 0;
  std::uint64_t silences = 0;
  std::uint64_t unjudged = 0;
  Duration last{};
  Duration best = Duration::max();
  Duration worst{};
  Duration rtt_sum{};
  std::uint64_t jitters = 0;
  Duration jitter_sum{};

  void add(const ProbeTally& tally);
  [[nodiscard]] Duration average() const { return rtt_sum / static_cast<Duration::rep>(std::max(replies, 1ul)); }
  [[nodiscard]] Duration jitter() const { return jitter_sum / static_cast<Duration::rep>(std::max(jitters, 1ul)); }
};

void Figures::add(const ProbeTally& tally) {
  sent += tally.sent();
  replies += tally.replies();
  losses += tally.losses();
  silences += tally.silences();
  unjudged += tally.unjudged();
  if (tally.replies() > 0) {
    last = tally.last();
    best = std::min(best, tally.best());
    worst = std::max(worst, tally.worst());
    rtt_sum += tally.average() * static_cast<Duration::rep>(tally.replies());
  }
  jitters += tally.jitters();
  jitter_sum += tally.mean_jitter() * static_cast<Duration::rep>(tally.jitters());
}

std::string milliseconds(Duration time) {
  return fmt::format("{:.3f}", static_cast<double>(time.count()) / 1e6);
}

/// "-" where nothing was observed: 0 would be a figure.
std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f}", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

/// A path in use, and the flows on it. Those that have no path are under ordinal 0, last.
struct PathRow {
  std::uint32_t ordinal = 0;
  std::vector<const DestinationTally::Flow*> flows;

  [[nodiscard]] std::size_t length() const {
    std::size_t most = 0;
    for (const auto* flow : flows)
      most = std::max(most, flow->tally.hops().size());
    return most;
  }
};

std::vector<PathRow> paths_of(const DestinationTally& tally) {
  std::map<std::uint32_t, PathRow> rows;
  for (const auto& flow : tally.flows()) {
    const std::uint32_t ordinal = flow.tally.ordinal();
    PathRow& row = rows[ordinal - 1];  // 0 comes last
    row.ordinal = ordinal;
    row.flows.push_back(&flow);
  }
  std::vector<PathRow> sorted;
  sorted.reserve(rows.size());
  for (auto& [key, row] : rows)
    sorted.push_back(std::move(row));
  return sorted;
}

void append_head(std::string& out, const DestinationFacts& facts, const DestinationTally& tally) {
  out += plain_text(facts.name);
  const std::string address = facts.address.to_string();
  if (address != facts.name && !facts.address.is_unspecified()) out += fmt::format(" ({})", address);
  out += fmt::format(", {}", traits(facts.protocol).upper_name);
  if (has_ports(facts.protocol)) out += fmt::format(" port {}", facts.port);
  if (tally.rounds() == 0) {
    out += ": no round was finished\n";
    return;
  }
  const auto reached =
      std::ranges::count_if(tally.flows(), [](const auto& flow) { return flow.tally.end_to_end().replies() > 0; });
  out += fmt::format(": {}, {}, {}", counted(tally.flows().size(), "flow"), counted(tally.rounds(), "round"),
                     counted(tally.paths(), "path"));
  if (reached == 0) {
    out += ", not reached";
  } else if (static_cast<std::size_t>(reached) < tally.flows().size()) {
    out += fmt::format(", reached by {} of them", counted(static_cast<std::uint64_t>(reached), "flow"));
  }
  out += '\n';
  if (tally.search() != nullptr) out += search_text(*tally.search()) + '\n';
  Figures ends;
  for (const auto& flow : tally.flows())
    ends.add(flow.tally.end_to_end());
  if (ends.unjudged == 0) return;
  out += fmt::format("not judged: {} of {}; the destination limits its answers, and is asked as often as it answers\n",
                     ends.unjudged, counted(ends.sent + ends.unjudged, "round"));
}

void append_path_head(std::string& out, const PathRow& row) {
  if (row.ordinal == 0) {
    out += "no path known";
  } else {
    out += fmt::format("path {}  ", row.ordinal);
    append_hex8(out, row.flows.front()->tally.path());
    out += fmt::format("  {}", counted(row.length(), "hop"));
  }
  out += fmt::format(", {}:", counted(row.flows.size(), "flow"));
  for (const auto* flow : row.flows)
    out += fmt::format(" {}", flow->source_port);
  out += '\n';
}

constexpr std::string_view kColumns = "{:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9}";

std::string titles() {
  return fmt::format(fmt::runtime(kColumns), "loss%", "silent%", "sent", "last", "avg", "best", "worst", "jitter");
}

std::string columns(const Figures& figures) {
  const bool any = figures.replies > 0;
  const auto time = [any](Duration value) { return any ? milliseconds(value) : std::string("-"); };
  return fmt::format(fmt::runtime(kColumns), percent(figures.losses, figures.sent),
                     percent(figures.silences, figures.sent), figures.sent, time(figures.last), time(figures.average()),
                     time(figures.best), time(figures.worst),
                     figures.jitters > 0 ? milliseconds(figures.jitter()) : "-");
}

void append_host(std::string& out, const IpAddress& address, const HopNames& names) {
  if (address.is_unspecified()) {
    out += '*';
    return;
  }
  const std::string_view name = names.name(address);
  if (name.empty()) {
    append_address(out, address);
  } else {
    out += plain_text(name);
    out += " (";
    append_address(out, address);
    out += ')';
  }
  if (const std::string_view origin = names.origin(address); !origin.empty())
    out += fmt::format(" AS{}", plain_text(origin));
  for (const std::string_view place : {names.city(address), names.country(address)}) {
    if (place.empty()) continue;
    out += ' ';
    out += plain_text(place);
  }
}

/// What stands behind the host: labels, why it refused, and whether its silence is its own choice.
void append_remarks(std::string& out, const HopTally& hop, bool limited) {
  std::string_view before = " mpls ";
  for (const packet::MplsLabel& label : hop.mpls().view()) {
    out += fmt::format("{}{}", before, label.label);
    before = "/";
  }
  if (hop.refusal() != packet::ReplyKind::none) out += fmt::format(" !{}", packet::to_string(hop.refusal()));
  if (limited) out += " limited";
}

/// What replies give away at a hop of the path, each once however many of its flows show it.
void append_findings(std::string& out, std::size_t index, const PathRow& row) {
  std::vector<std::string> told;
  for (const auto* flow : row.flows) {
    for (const Finding& finding : flow->tally.findings()) {
      if (finding.hop != index) continue;
      std::string words = fmt::format("{}: {}", to_string(finding.kind), finding.detail);
      if (!finding.behind.is_unspecified()) words += fmt::format(" (behind {})", finding.behind.to_string());
      if (std::ranges::find(told, words) == told.end()) told.push_back(std::move(words));
    }
  }
  for (const std::string& words : told) {
    out.append(titles().size() + 8, ' ');
    out += words;
    out += '\n';
  }
}

void append_hop(std::string& out, std::size_t index, const PathRow& row, const HopNames& names) {
  Figures figures;
  std::vector<IpAddress> others;
  const HopTally* told = nullptr;
  bool limited = false;
  for (const auto* flow : row.flows) {
    if (index >= flow->tally.hops().size()) continue;
    const HopTally& hop = flow->tally.hops()[index];
    figures.add(hop.probes());
    limited = limited || hop.limited();
    if (told == nullptr || (told->address().is_unspecified() && !hop.address().is_unspecified())) told = &hop;
    for (const auto& responder : hop.responders())
      others.push_back(responder.address);
  }
  if (told == nullptr) return;
  out += fmt::format("{:>5} {}  ", index + 1, columns(figures));
  append_host(out, told->address(), names);
  append_remarks(out, *told, limited);
  out += '\n';
  append_findings(out, index, row);
  std::ranges::sort(others);
  const auto rest = std::ranges::unique(others);
  others.erase(rest.begin(), rest.end());
  for (const IpAddress& other : others) {
    if (other == told->address()) continue;
    out.append(titles().size() + 8, ' ');
    out += "also ";
    append_host(out, other, names);
    out += '\n';
  }
}

void append_flows(std::string& out, const DestinationTally& tally) {
  out += fmt::format("{:>5} {}  path  hops\n", "flow", titles());
  for (const auto& flow : tally.flows()) {
    Figures figures;
    figures.add(flow.tally.end_to_end());
    out += fmt::format("{:>5} {}  {:>4}  {:>4}", flow.source_port, columns(figures), flow.tally.ordinal(),
                       flow.tally.hops().size());
    if (figures.unjudged > 0) out += fmt::format("  {} not judged", figures.unjudged);
    if (const auto changes = flow.tally.path_changes(); changes > 0)
      out += fmt::format("  {}", counted(changes, "path change"));
    out += '\n';
  }
}

}  // namespace

void append_trace_report(std::string& out, const DestinationFacts& facts, const DestinationTally& tally,
                         const HopNames& names) {
  append_head(out, facts, tally);
  if (tally.rounds() == 0) return;
  for (const PathRow& row : paths_of(tally)) {
    out += '\n';
    append_path_head(out, row);
    if (row.length() == 0) continue;
    out += fmt::format("{:>5} {}  host\n", "TTL", titles());
    for (std::size_t index = 0; index < row.length(); ++index)
      append_hop(out, index, row, names);
  }
  out += '\n';
  append_flows(out, tally);
}

void append_trace_summary(std::string& out, const DestinationFacts& facts, const DestinationTally& tally) {
  append_head(out, facts, tally);
  for (const PathRow& row : paths_of(tally)) {
    Figures figures;
    for (const auto* flow : row.flows)
      figures.add(flow->tally.end_to_end());
    out += row.ordinal == 0 ? std::string("  no path known") : fmt::format("  path {}", row.ordinal);
    out += fmt::format(", {}, {}: loss {}%", counted(row.length(), "hop"), counted(row.flows.size(), "flow"),
                       percent(figures.losses, figures.sent));
    if (figures.replies > 0) {
      out += fmt::format(", rtt {} / {} / {} ms (best / avg / worst)", milliseconds(figures.best),
                         milliseconds(figures.average()), milliseconds(figures.worst));
    }
    out += '\n';
  }
}

}  // namespace ecmp::render
