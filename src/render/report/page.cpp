#include "render/report/page.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "render/append.hpp"

namespace ecmp::render {

namespace {

// color-scheme lets the browser choose colours for light and dark; only what it cannot know is set here.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>ecmp_exporter</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
nav a { margin-right: 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .75rem; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, .4); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.up::before { content: "\25cf"; color: #2a9d4a; margin-right: .4rem; }
.down::before { content: "\25cf"; color: #d9372c; margin-right: .4rem; }
.unknown::before { content: "\25cb"; margin-right: .4rem; }
</style>
</head>
<body>
<h1>ecmp_exporter</h1>
)";

constexpr std::string_view kLinks = R"(<nav>
<a href="metrics">/metrics</a>
<a href="paths">/paths</a>
<a href="-/healthy">/-/healthy</a>
<a href="-/ready">/-/ready</a>
</nav>
<h2>Destinations</h2>
)";

constexpr std::string_view kTableHead = R"(<div class="wide"><table>
<thead><tr><th>Name</th><th>Address</th><th>Protocol</th><th>State</th><th class="number">Paths in use</th>
<th class="number">Flows</th><th class="number">Loss since start</th></tr></thead>
<tbody>
)";

/// In hundredths of a per cent, rounded up: a loss must not look like none.
void append_loss(std::string& out, const DestinationSnapshot& snapshot) {
  std::uint64_t probes = 0;
  std::uint64_t replies = 0;
  for (const FlowSnapshot& flow : snapshot.flows) {
    probes += flow.probes;
    replies += flow.replies;
  }
  if (probes == 0) {
    out.append("&ndash;");
    return;
  }
  const std::uint64_t lost = probes - std::min(probes, replies);
  constexpr std::uint64_t kWhole = 10000;
  const std::uint64_t hundredths = lost / probes * kWhole + (lost % probes * kWhole + probes - 1) / probes;
  append_number(out, hundredths / 100);
  out.push_back('.');
  if (hundredths % 100 < 10) out.push_back('0');
  append_number(out, hundredths % 100);
  out.append(" %");
}

void append_state(std::string& out, const DestinationSnapshot& snapshot) {
  if (!snapshot.measured) {
    out.append(R"(<td class="unknown">)").append(explain(snapshot.unjudged)).append("</td>");
  } else if (snapshot.up) {
    out.append(R"(<td class="up">up</td>)");
  } else {
    out.append(R"(<td class="down">down</td>)");
  }
}

void append_row(std::string& out, const DestinationSnapshot& snapshot) {
  const DestinationFacts& facts = *snapshot.facts;
  out.append("<tr><td>");
  append_html(out, facts.name);
  out.append("</td><td>");
  if (facts.address.is_unspecified()) {
    out.append("not resolved");
  } else {
    append_address(out, facts.address);
  }
  out.append("</td><td>");
  out.append(traits(facts.protocol).upper_name);
  if (has_ports(facts.protocol)) {
    out.push_back(' ');
    append_number(out, facts.port);
  }
  out.append("</td>");
  append_state(out, snapshot);
  out.append(R"(<td class="number">)");
  append_number(out, snapshot.paths_in_use);
  out.append(R"(</td><td class="number">)");
  append_number(out, snapshot.flows.size());
  out.append(R"(</td><td class="number">)");
  append_loss(out, snapshot);
  out.append("</td></tr>\n");
}

}  // namespace

std::string page(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, std::string_view version) {
  std::vector<const DestinationSnapshot*> sorted;
  sorted.reserve(snapshots.size());
  for (const auto& snapshot : snapshots) {
    sorted.push_back(snapshot.get());
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const DestinationSnapshot* a, const DestinationSnapshot* b) { return a->facts->name < b->facts->name; });
  std::string out(kHead);
  out.append("<p>Version ");
  append_html(out, version);
  out.append("</p>\n").append(kLinks);
  if (sorted.empty()) {
    out.append("<p>None is configured.</p>\n");
  } else {
    out.append(kTableHead);
    for (const DestinationSnapshot* snapshot : sorted) {
      append_row(out, *snapshot);
    }
    out.append("</tbody></table></div>\n");
  }
  out.append("</body>\n</html>\n");
  return out;
}

}  // namespace ecmp::render
