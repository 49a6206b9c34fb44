#include "render/metrics/exposition.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "agent/one_off/probe_answers.hpp"
#include "agent/own_metrics.hpp"
#include "catch.hpp"
#include "golden.hpp"
#include "render/metrics/metric_table.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;

namespace {

struct Rendered {
  std::string text;
  RenderOutcome outcome;
};

Rendered render_text(const Snapshots& snapshots, const ExpositionOptions& options = {}) {
  Rendered rendered;
  rendered.outcome = append_exposition(rendered.text, snapshots, example_names(), options);
  return rendered;
}

struct Sample {
  std::string family;
  std::vector<std::string> label_names;
  std::string series;  ///< name and labels
};

/// Splits a sample line without trusting the writer: label values may hold anything escaped.
Sample split(const std::string& line) {
  Sample sample;
  const std::size_t brace = line.find('{');
  sample.family = line.substr(0, brace);
  std::size_t at = brace + 1;
  while (line.at(at) != '}') {
    const std::size_t equals = line.find('=', at);
    sample.label_names.push_back(line.substr(at, equals - at));
    at = equals + 2;
    while (line.at(at) != '"') {
      at += line.at(at) == '\\' ? 2u : 1u;
    }
    ++at;
    if (line.at(at) == ',') ++at;
  }
  sample.series = line.substr(0, at + 1);
  return sample;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<Sample> samples_of(const std::string& text) {
  std::vector<Sample> samples;
  for (const std::string& line : lines_of(text)) {
    if (line.front() != '#') samples.push_back(split(line));
  }
  return samples;
}

std::vector<std::string> families_of(const std::string& text) {
  std::vector<std::string> families;
  for (const std::string& line : lines_of(text)) {
    if (line.rfind("# TYPE ", 0) == 0) families.push_back(line.substr(7, line.find(' ', 7) - 7));
  }
  return families;
}

std::vector<std::string> table_labels(const MetricRow& family) {
  std::vector<std::string> names;
  const std::string labels = labels_of(family);
  for (std::string_view rest = labels; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    names.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return names;
}

/// The row of the table that a sample belongs to: its name may be longer by what a histogram or summary adds.
const MetricRow& family_of(const Sample& sample) {
  for (const MetricRow& family : network_metrics()) {
    const bool has_parts = family.type == MetricType::histogram || family.type == MetricType::summary;
    for (const std::string ending : {"", "_bucket", "_sum", "_count"}) {
      if ((ending.empty() || has_parts) && sample.family == std::string(family.name) + ending) return family;
    }
  }
  FAIL("no family: " << sample.family);
  return network_metrics().front();
}

}  // namespace

TEST_CASE("a scrape of three destinations is exactly this text", "[render]") {
  check_golden("metrics.txt", render_text(example_snapshots()).text);
}

TEST_CASE("the same scrape as OpenMetrics is exactly this text", "[render]") {
  ExpositionOptions options;
  options.format = Format::openmetrics;
  check_golden("metrics.openmetrics.txt", render_text(example_snapshots(), options).text);
}

TEST_CASE("the same scrape in protobuf is exactly these bytes", "[render]") {
  ExpositionOptions options;
  options.format = Format::protobuf;
  check_golden("metrics.protobuf", render_text(example_snapshots(), options).text);
}

TEST_CASE("every family of the table about the network is rendered, with the table's labels", "[render]") {
  const Rendered rendered = render_text(example_snapshots());
  std::vector<std::string> expected;
  for (const MetricRow& family : network_metrics()) {
    expected.emplace_back(family.name);
  }
  CHECK(families_of(rendered.text) == expected);
  for (const Sample& sample : samples_of(rendered.text)) {
    CAPTURE(sample.series);
    const MetricRow& family = family_of(sample);
    auto names = sample.label_names;
    if (!names.empty() && (names.back() == "le" || names.back() == "quantile")) names.pop_back();
    if (family.user_labels) names.resize(table_labels(family).size());
    CHECK(names == table_labels(family));
  }
}

TEST_CASE("user labels stand only on destination_info, malformed, doubled and taken ones not at all", "[render]") {
  std::map<std::string, int> seen;
  for (const Sample& sample : samples_of(render_text(example_snapshots()).text)) {
    for (const std::string& name : sample.label_names) {
      if (name == "site" || name == "team" || name == "note" || name == "bad-name") {
        CHECK(sample.family == "ecmp_destination_info");
        ++seen[name];
      }
    }
  }
  CHECK(seen == std::map<std::string, int>{{"note", 1}, {"site", 1}, {"team", 1}});
}

TEST_CASE("up is told only of destinations that were measured", "[render]") {
  ExpositionOptions options;
  options.families = {"ecmp_destination_up"};
  const Rendered rendered = render_text(example_snapshots(), options);
  CHECK(rendered.outcome.series == 2);
  CHECK(rendered.text.find("ams-six") == std::string::npos);
}

TEST_CASE("a filter takes the families it names and no others", "[render]") {
  ExpositionOptions options;
  options.families = {"ecmp_paths", "ecmp_hop_replies_total", "no_such_family"};
  CHECK(families_of(render_text(example_snapshots(), options).text) ==
        std::vector<std::string>{"ecmp_paths", "ecmp_hop_replies_total"});
  options.families = {"no_such_family"};
  CHECK(render_text(example_snapshots(), options).text.empty());
}

TEST_CASE("a budget drops whole families, the least important first, and counts them", "[render]") {
  const Snapshots snapshots = example_snapshots();
  const Rendered all = render_text(snapshots);
  std::map<std::string, std::uint64_t> counts;
  for (const Sample& sample : samples_of(all.text)) {
    ++counts[std::string(family_of(sample).name)];
  }
  CHECK(all.outcome.dropped.empty());
  CHECK(all.outcome.series == samples_of(all.text).size());
  for (std::uint64_t budget = 0; budget <= all.outcome.series; ++budget) {
    CAPTURE(budget);
    ExpositionOptions options;
    options.max_series = budget;
    const Rendered some = render_text(snapshots, options);
    REQUIRE(some.outcome.series <= budget);
    REQUIRE(some.outcome.series == samples_of(some.text).size());
    std::uint64_t dropped = 0;
    auto kept = families_of(some.text);
    for (const DroppedFamily& family : some.outcome.dropped) {
      REQUIRE(family.series == counts.at(std::string(family.family)));
      dropped += family.series;
    }
    REQUIRE(dropped + some.outcome.series == all.outcome.series);
    // What was dropped is the end of what there was, and not a family more than needed.
    for (auto it = some.outcome.dropped.rbegin(); it != some.outcome.dropped.rend(); ++it) {
      kept.emplace_back(it->family);
    }
    REQUIRE(kept == families_of(all.text));
    if (dropped > 0) REQUIRE(some.outcome.series + some.outcome.dropped.back().series > budget);
  }
}

TEST_CASE("no series comes twice, whatever the snapshots hold", "[render]") {
  const unsigned seed = 20260103;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto small = [&](unsigned bound) { return static_cast<std::uint32_t>(random() % bound); };
  const auto address = [&] { return small(4) == 0 ? ip("::") : IpAddress::v4(small(4)); };
  for (int i = 0; i < 300; ++i) {
    Snapshots snapshots;
    for (std::uint32_t d = small(4); d > 0; --d) {
      DestinationFacts facts;
      facts.name = std::string(1, static_cast<char>('\xf8' + static_cast<char>(small(3))));  // mended, all are the same
      facts.labels = {{"x", "1"}, {"x", "2"}};
      DestinationSnapshot snapshot;
      snapshot.facts = std::make_shared<const DestinationFacts>(facts);
      snapshot.measured = true;
      snapshot.flows.resize(small(5));
      for (FlowSnapshot& flow : snapshot.flows) {
        flow.source_port = static_cast<std::uint16_t>(small(3));
        flow.source = address();
        flow.path = small(3);
      }
      snapshot.paths.resize(small(4));
      for (PathSnapshot& path : snapshot.paths) {
        path.id = small(3);
        path.hops.resize(small(6));
        for (HopSnapshot& hop : path.hops) {
          hop.ttl = static_cast<std::uint8_t>(small(3));
          hop.responder = address();
          packet::MplsStack stack;
          stack.depth = static_cast<std::uint8_t>(small(3));
          stack.labels[0].label = small(4);
          hop.mpls = stack;
        }
      }
      for (std::uint32_t n = small(5); n > 0; --n) {
        snapshot.links.push_back({static_cast<std::uint8_t>(small(2)), address(), address(), 1});
        snapshot.unreachables.push_back({static_cast<packet::ReplyKind>(small(16)), address(), 1});
      }
      snapshots.push_back(std::make_shared<const DestinationSnapshot>(snapshot));
    }
    const Rendered rendered = render_text(snapshots);
    std::set<std::string> seen;
    for (const Sample& sample : samples_of(rendered.text)) {
      CAPTURE(i, sample.series);
      REQUIRE(seen.insert(sample.series).second);
    }
    REQUIRE(seen.size() == rendered.outcome.series);
  }
}

TEST_CASE("doubled links and refusals are summed", "[render]") {
  DestinationFacts facts;
  facts.name = "a";
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>(facts);
  snapshot.links = {{2, ip("10.0.0.1"), ip("10.0.0.2"), 3},
                    {1, ip("10.0.0.1"), ip("10.0.0.2"), 1},
                    {2, ip("10.0.0.1"), ip("10.0.0.2"), 4}};
  snapshot.unreachables = {{packet::ReplyKind::host_unreachable, ip("10.0.0.1"), 5},
                           {packet::ReplyKind::host_unreachable, ip("10.0.0.1"), 6}};
  const std::string text = render_text({std::make_shared<const DestinationSnapshot>(snapshot)}).text;
  CHECK(text.find("ttl=\"2\",from=\"10.0.0.1\",to=\"10.0.0.2\"} 7\n") != std::string::npos);
  CHECK(text.find("reply=\"host_unreachable\",hop=\"10.0.0.1\"} 11\n") != std::string::npos);
}

TEST_CASE("a filter takes families by the names of their samples and of OpenMetrics", "[render]") {
  ExpositionOptions options;
  for (const auto& [name, family] :
       std::map<std::string, std::string>{{"ecmp_path_rtt_seconds", "ecmp_path_rtt_seconds"},
                                          {"ecmp_path_rtt_seconds_bucket", "ecmp_path_rtt_seconds"},
                                          {"ecmp_path_rtt_seconds_count", "ecmp_path_rtt_seconds"},
                                          {"ecmp_hop_window_rtt_seconds_sum", "ecmp_hop_window_rtt_seconds"},
                                          {"ecmp_path_probes", "ecmp_path_probes_total"}}) {
    CAPTURE(name);
    options.families = {name};
    CHECK(families_of(render_text(example_snapshots(), options).text) == std::vector<std::string>{family});
  }
  for (const char* name : {"ecmp_paths_total", "ecmp_hop_window_rtt_seconds_bucket", "ecmp_path_probes_total_sum"}) {
    options.families = {name};
    CHECK(render_text(example_snapshots(), options).text.empty());
  }
}

TEST_CASE("the forms of histograms are what the options say", "[render]") {
  const auto count = [](HistogramForm form, Format format) {
    ExpositionOptions options;
    options.format = format;
    options.histograms.paths = form;
    options.histograms.rtt = {0.001, 0.01};
    options.families = {"ecmp_path_rtt_seconds"};
    const Rendered rendered = render_text(example_snapshots(), options);
    if (format == Format::text) CHECK(rendered.outcome.series == samples_of(rendered.text).size());
    return rendered.outcome.series;
  };
  // Two paths, and of each three buckets, a sum and a count.
  CHECK(count(HistogramForm::both, Format::text) == 10);
  CHECK(count(HistogramForm::classic, Format::openmetrics) == 10);
  CHECK(count(HistogramForm::native, Format::text) == 6);  // the open bucket remains
  CHECK(count(HistogramForm::both, Format::protobuf) == 10);
  CHECK(count(HistogramForm::native, Format::protobuf) == 2);
  CHECK(count(HistogramForm::off, Format::text) == 0);
  CHECK(count(HistogramForm::off, Format::protobuf) == 0);
}

TEST_CASE("hops have every other bound of the paths, the last one among them", "[render]") {
  CHECK(every_other(std::vector<double>{}).empty());
  CHECK(every_other(std::vector<double>{1}) == std::vector<double>{1});
  CHECK(every_other(std::vector<double>{1, 2}) == std::vector<double>{2});
  CHECK(every_other(std::vector<double>{1, 2, 3, 4, 5}) == std::vector<double>{1, 3, 5});
}

TEST_CASE("native spans and deltas say what the buckets hold", "[render]") {
  const unsigned seed = 20260302;
  CAPTURE(seed);
  std::mt19937 random(seed);
  NativeConversion conversion;
  for (int i = 0; i < 500; ++i) {
    Histogram histogram;
    std::map<int, std::int64_t> expected;
    std::uint64_t zeros = 0;
    for (auto n = random() % 60; n > 0; --n) {
      const auto index = static_cast<int>(random() % 40) - 20;
      const bool zero = random() % 10 == 0;
      histogram.observe(zero ? 0.0 : log_buckets::upper_edge(index) * 0.99);
      zeros += zero ? 1 : 0;
      if (!zero) ++expected[index];
    }
    const NativeBuckets& native = conversion.convert(histogram);
    CHECK(native.zero_count == zeros);
    std::map<int, std::int64_t> found;
    int index = 0;
    std::int64_t count = 0;
    std::size_t next = 0;
    for (const NativeSpan& span : native.spans) {
      REQUIRE(span.length > 0);
      if (&span != native.spans.data()) REQUIRE(span.offset > 0);
      index += span.offset;
      for (std::uint32_t k = 0; k < span.length; ++k) {
        count += native.deltas[next++];
        REQUIRE(count >= 0);
        if (count > 0) found[index] = count;
        ++index;
      }
    }
    CHECK(next == native.deltas.size());
    CAPTURE(i);
    REQUIRE(found == expected);
  }
}

TEST_CASE("floats are the shortest that read back, and bounds canonical", "[render]") {
  const auto canonical = [](double value) {
    std::string text;
    append_canonical(text, value);
    return text;
  };
  const auto shortest = [](double value) {
    std::string text;
    append_float(text, value);
    return text;
  };
  const double infinity = std::numeric_limits<double>::infinity();
  // As Go's 'g' writes them, which makes the label of a series that comes in protobuf.
  CHECK(canonical(1) == "1.0");
  CHECK(canonical(0) == "0.0");
  CHECK(canonical(0.005) == "0.005");
  CHECK(canonical(0.0001) == "0.0001");
  CHECK(canonical(0.00001) == "1e-05");
  CHECK(canonical(0.000025) == "2.5e-05");
  CHECK(canonical(100000) == "100000.0");
  CHECK(canonical(1e6) == "1e+06");
  CHECK(canonical(1234567) == "1.234567e+06");
  CHECK(canonical(1e100) == "1e+100");
  CHECK(canonical(infinity) == "+Inf");
  CHECK(shortest(1) == "1");
  CHECK(shortest(0.1) == "0.1");
  CHECK(shortest(-infinity) == "-Inf");
  CHECK(shortest(std::numeric_limits<double>::quiet_NaN()) == "NaN");
}

TEST_CASE("a float reads back as it was, and no text of fewer digits does", "[render]") {
  const unsigned seed = 20260303;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100000; ++i) {
    const double exact = static_cast<double>(random() % 3'000'000'000) / 1e9;
    const double value = i % 2 == 0 ? exact : exact / 3;
    std::string text;
    append_float(text, value);
    CAPTURE(text);
    REQUIRE(std::stod(text) == value);
    REQUIRE(text.size() <= fmt::format("{}", value).size());
  }
}

TEST_CASE("varints and zigzags are those of protobuf's documentation", "[render]") {
  const auto varint = [](std::uint64_t value) {
    std::string bytes;
    wire::append_varint(bytes, value);
    CHECK(bytes.size() == wire::varint_size(value));
    return bytes;
  };
  CHECK(varint(0) == std::string(1, '\0'));
  CHECK(varint(127) == "\x7f");
  CHECK(varint(150) == "\x96\x01");
  CHECK(varint(~0ull) == "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  CHECK(wire::zigzag(0) == 0);
  CHECK(wire::zigzag(-1) == 1);
  CHECK(wire::zigzag(1) == 2);
  CHECK(wire::zigzag(-2) == 3);
  CHECK(wire::zigzag(2147483647) == 4294967294u);
  CHECK(wire::zigzag(-2147483648ll) == 4294967295u);
}

TEST_CASE("nothing to report is no text", "[render]") {
  const Rendered rendered = render_text({});
  CHECK(rendered.text.empty());
  CHECK(rendered.outcome.series == 0);
}

TEST_CASE("the metric table keeps the naming rules of Prometheus", "[render]") {
  std::set<std::string_view> names;
  std::vector<MetricRow> families = own_metrics();
  families.insert(families.end(), network_metrics().begin(), network_metrics().end());
  families.insert(families.end(), probe_metrics().begin(), probe_metrics().end());
  for (const MetricRow& family : families) {
    CAPTURE(family.name);
    CHECK(names.insert(family.name).second);
    const std::string_view total = "_total";
    const bool ends_in_total = family.name.size() > total.size() && family.name.substr(family.name.size() - 6) == total;
    CHECK(ends_in_total == (family.type == MetricType::counter));
    CHECK(family.help.size() > 10);
    CHECK(family.help.back() == '.');
    CHECK(family.help.find_first_of("\n\\") == std::string_view::npos);  // would have to be escaped
    for (const char* never : {"target", "type", "host", "le", "quantile"}) {
      const auto labels = table_labels(family);
      CHECK(std::find(labels.begin(), labels.end(), never) == labels.end());
    }
  }
}

TEST_CASE("a scrape written in pieces is the same as one written at once", "[render]") {
  const auto format = GENERATE(Format::text, Format::openmetrics, Format::protobuf);
  const std::size_t enough = GENERATE(1u, 500u, 20000u);
  CAPTURE(static_cast<int>(format), enough);
  const Snapshots snapshots = many_snapshots(3, 5, 4, 6);
  const ExpositionOptions options{.format = format};
  const std::string whole = render_text(snapshots, options).text;
  Exposition exposition(snapshots, example_names(), options);
  std::string pieces;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    std::string piece;
    more = exposition.next(piece, enough);
    CHECK(piece.size() >= (more ? enough : 0));
    if (format != Format::protobuf) CHECK(piece.size() < enough + (std::size_t{64} << 10));
    pieces += piece;
  }
  CHECK(count >= whole.size() / (enough + (std::size_t{64} << 10)));
  CHECK(pieces == whole);
  CHECK(exposition.outcome().series == render_text(snapshots, options).outcome.series);
}
