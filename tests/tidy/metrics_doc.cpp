// Writes docs/metrics.md from the metric table to stdout; with a file as argument, says whether the file is that text.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "agent/one_off/probe_answers.hpp"
#include "agent/own_metrics.hpp"
#include "render/metrics/metric_table.hpp"

namespace {

using ecmp::render::MetricRow;

void append_labels(std::string& out, const MetricRow& row) {
  const std::string labels = labels_of(row);
  for (std::string_view rest = labels; !rest.empty();) {
    const std::size_t size = std::min(rest.find(','), rest.size());
    out.append("`").append(rest.substr(0, size)).append("`");
    rest.remove_prefix(std::min(size + 1, rest.size()));
    if (!rest.empty()) out.append(", ");
  }
  if (row.user_labels) out.append(", and those of the configuration");
}

void append_table(std::string& out, std::span<const MetricRow> rows) {
  out.append("| metric | type | labels | meaning |\n|---|---|---|---|\n");
  for (const MetricRow& row : rows) {
    out.append("| `").append(row.name).append("` | ").append(to_string(row.type)).append(" | ");
    append_labels(out, row);
    out.append(" | ").append(row.help).append(" |\n");
  }
}

std::string document() {
  std::string out =
      R"(# Metrics

Made by the program `metrics_doc` from the tables in `src/render/metrics/network_metrics.hpp` and `src/agent/own_metrics.cpp`; edit
the tables, not this file.

Label `destination` is the configured name; `flow` the source port (ICMP: the identifier); `path` a stable path id of 8
hex digits; `hop` the address of a responder; `ttl` the TTL it stands at. Reverse names, AS numbers and the labels of the
configuration are only on `_info` metrics: join them with `* on (hop) group_left (name) ecmp_hop_info`.

*Loss* means that nothing at a hop or beyond it answered. A hop that keeps quiet while a later one answers is *silent*,
which says nothing about the traffic: routers limit how often they answer.

A scrape comes as Prometheus text 0.0.4, OpenMetrics 1.0.0 or delimited protobuf, as `Accept` asks. Histograms of paths carry
classic buckets in all of them, and native ones (schema 3) in protobuf; those of hops native ones in protobuf and three classic
buckets at most elsewhere. `[histograms]` changes that, and `[metrics]` switches whole groups of families: window quantiles of
hops are off by default. Classic buckets are exact: a value that equals a bound is within it. (The buckets of native histograms are 9 % wide; what lies in the one that a bound cuts is counted beside it.)

Protobuf also says of each counter, histogram and summary when what it counts began (`created_timestamp`, in newer versions
of the messages `start_timestamp`): with the process, when the destination was added, with the round in which a path or hop
was first seen, with the first refusal. It never moves: [adr/0020](adr/0020-when-counters-began.md).

## The network

In the order of their importance: when a scrape would have more series than `limits.max_series`, whole families are left
out from the end, and counted in `ecmp_exporter_series_dropped_total`.

)";
  append_table(out, ecmp::render::network_metrics());
  out.append("\n## The exporter itself\n\n");
  append_table(out, ecmp::own_metrics());
  out.append("\n## Answers of /probe\n\nThe families about the network, of the one destination, and\n\n");
  append_table(out, ecmp::probe_metrics());
  return out;
}

int compare(const char* file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string found((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::string wanted = document();
  if (stream && found == wanted) return 0;
  const auto differs = std::mismatch(found.begin(), found.end(), wanted.begin(), wanted.end()).first;
  std::cerr << file << ":" << 1 + std::count(found.begin(), differs, '\n')
            << ": not what the metric table says; write it anew with metrics_doc\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return compare(argv[1]);
  std::cout << document();
  return 0;
}
