// What single samples say.
#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <string>

#include "catch.hpp"
#include "render/metrics/exposition.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;

namespace {

struct Whole {
  std::string text;
  RenderOutcome outcome;
};

/// With what was measured at every path and hop, and the links between them.
Snapshots measured(const Snapshots& bare) {
  Statistics statistics;
  statistics.window.probes = 1;
  const auto shared = std::make_shared<const Statistics>(statistics);
  Snapshots made;
  for (const auto& one : bare) {
    DestinationSnapshot snapshot = *one;
    std::set<std::pair<IpAddress, IpAddress>> links;
    for (PathSnapshot& path : snapshot.paths) {
      path.statistics = shared;
      for (std::size_t i = 0; i < path.hops.size(); ++i) {
        HopSnapshot& hop = path.hops[i];
        hop.statistics = shared;
        if (i == 0 || !links.emplace(path.hops[i - 1].responder, hop.responder).second) continue;
        snapshot.links.push_back({.ttl = hop.ttl, .from = path.hops[i - 1].responder, .to = hop.responder, .flows = 1});
      }
    }
    made.push_back(std::make_shared<const DestinationSnapshot>(std::move(snapshot)));
  }
  return made;
}

Whole rendered(const ExpositionOptions& options) {
  Whole made;
  made.outcome = append_exposition(made.text, example_snapshots(), example_names(), options);
  return made;
}

}  // namespace

TEST_CASE("why nothing is known of a destination is told in place of up", "[render]") {
  Snapshots snapshots;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Unjudged::count_); ++i) {
    DestinationFacts facts;
    facts.name = "d" + std::to_string(i);
    auto made = std::make_shared<DestinationSnapshot>();
    made->facts = std::make_shared<const DestinationFacts>(facts);
    made->unjudged = static_cast<Unjudged>(i);
    // What a limit hides leaves the last answer standing.
    made->measured = i == 0 || made->unjudged == Unjudged::suppressed;
    snapshots.push_back(made);
  }
  ExpositionOptions options;
  options.families = {"ecmp_destination_up", "ecmp_destination_unjudged"};
  std::string text;
  append_exposition(text, snapshots, example_names(), options);
  CHECK(text.find("ecmp_destination_up{destination=\"d0\"} 0\n") != std::string::npos);
  CHECK(text.find("ecmp_destination_up{destination=\"d6\"} 0\n") != std::string::npos);
  CHECK(text.find("ecmp_destination_unjudged{destination=\"d0\"") == std::string::npos);
  for (const char* sample : {"d1\",reason=\"not_resolved", "d2\",reason=\"not_traced", "d3\",reason=\"first_round",
                             "d4\",reason=\"send_failed", "d5\",reason=\"unobserved", "d6\",reason=\"suppressed",
                             "d7\",reason=\"left_out", "d8\",reason=\"undecided"}) {
    CHECK(text.find(std::string("ecmp_destination_unjudged{destination=\"") + sample + "\"} 1\n") != std::string::npos);
  }
}

TEST_CASE("how many paths there should be is published where it is configured", "[render]") {
  Snapshots snapshots;
  for (const std::uint32_t expected : {0u, 16u}) {
    DestinationFacts facts;
    facts.name = "d" + std::to_string(expected);
    facts.expected_paths = expected;
    auto made = std::make_shared<DestinationSnapshot>();
    made->facts = std::make_shared<const DestinationFacts>(facts);
    snapshots.push_back(made);
  }
  ExpositionOptions options;
  options.families = {"ecmp_destination_expected_paths"};
  std::string text;
  append_exposition(text, snapshots, example_names(), options);
  CHECK(text.ends_with("ecmp_destination_expected_paths{destination=\"d16\"} 16\n"));
  CHECK(text.find("d0") == std::string::npos);
}

TEST_CASE("classic buckets of all formats are exact at their bounds", "[render]") {
  // Half the RTTs are 9.5 ms, which the buckets behind (0.0093 to 0.0101) do not tell from what is above le="0.01".
  auto exact = std::make_shared<Statistics::Bounds>();
  ExpositionOptions options;
  (*exact)[0].add(options.histograms.rtt);
  options.histograms.exact = exact;
  auto statistics = std::make_shared<Statistics>();
  for (int i = 0; i < 100; ++i)
    statistics->observe(Statistics::Kind::rtt, Duration(i % 2 == 0 ? 9'500'000 : 10'000'001), exact.get());
  auto snapshot = std::make_shared<DestinationSnapshot>();
  DestinationFacts facts;
  facts.name = "d";
  snapshot->facts = std::make_shared<const DestinationFacts>(facts);
  PathSnapshot path;
  path.id = 1;
  path.statistics = statistics;
  HopSnapshot hop;
  hop.ttl = 1;
  hop.responder = ip("198.51.100.1");
  hop.statistics = statistics;
  path.hops.push_back(hop);
  snapshot->paths.push_back(path);
  options.families = {"ecmp_path_rtt_seconds", "ecmp_hop_rtt_seconds"};
  for (const Format format : {Format::text, Format::openmetrics}) {
    options.format = format;
    std::string text;
    const Snapshots one = {snapshot};
    append_exposition(text, one, example_names(), options);
    CHECK(text.find("path_rtt_seconds_bucket{destination=\"d\",path=\"00000001\",le=\"0.01\"} 50\n") !=
          std::string::npos);
    CHECK(text.find("path_rtt_seconds_bucket{destination=\"d\",path=\"00000001\",le=\"0.025\"} 100\n") !=
          std::string::npos);
    CHECK(text.find("hop_rtt_seconds_bucket{destination=\"d\",path=\"00000001\",ttl=\"1\",hop=\"198.51.100.1\",le=\"0."
                    "01\"} 50\n") != std::string::npos);
  }
  // Protobuf has each bucket as a message: cumulative_count (1) 50, upper_bound (2) 0.01.
  options.format = Format::protobuf;
  std::string bytes;
  const Snapshots one = {snapshot};
  append_exposition(bytes, one, example_names(), options);
  std::string bucket = "\x08\x32\x11";
  const auto bits = std::bit_cast<std::uint64_t>(0.01);
  for (unsigned shift = 0; shift < 64; shift += 8)
    bucket += static_cast<char>(bits >> shift & 0xff);
  CHECK(bytes.find(bucket) != std::string::npos);
}

TEST_CASE("by default hops have native histograms in protobuf, and few classic buckets elsewhere", "[render]") {
  ExpositionOptions options;
  options.histograms.hops = HistogramForm::automatic;
  options.families = {"ecmp_hop_rtt_seconds"};
  auto text = rendered(options);
  std::map<std::string, int> bounds;
  constexpr std::string_view kBound = ",le=\"";
  for (std::size_t at = text.text.find(kBound); at != std::string::npos; at = text.text.find(kBound, at + 1)) {
    const std::size_t begin = at + kBound.size();
    ++bounds[text.text.substr(begin, text.text.find('"', begin) - begin)];
  }
  REQUIRE(bounds.size() == 3);
  const int hops = bounds["+Inf"];
  CHECK(bounds == std::map<std::string, int>{{"+Inf", hops}, {"0.0025", hops}, {"0.05", hops}});
  CHECK(text.outcome.series == static_cast<std::uint64_t>(std::ranges::count(text.text, '\n') - 2));
  options.format = Format::protobuf;
  CHECK(rendered(options).outcome.series == static_cast<std::uint64_t>(hops));
}

TEST_CASE("what is evenly few of bounds", "[render]") {
  CHECK(few(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 2) == std::vector<double>{5, 9});
  CHECK(few(std::vector<double>{1, 2, 3}, 1) == std::vector<double>{2});
  CHECK(few(std::vector<double>{1, 2, 3}, 0).empty());
  CHECK(few(std::vector<double>{}, 2).empty());
}

TEST_CASE("the defaults drop nothing of 100 destinations with 32 flows over a fan of 16, 12 hops long", "[render]") {
  ExpositionOptions options;
  options.histograms.hops = HistogramForm::automatic;
  options.groups.hop_windows = false;
  const auto series = [&](Format format, std::size_t paths) {
    options.format = format;
    const Exposition exposition(measured(many_snapshots(100, 32, paths, 12)), example_names(), options);
    CHECK(exposition.outcome().dropped.empty());
    return exposition.outcome().series;
  };
  CHECK(series(Format::text, 16) <= 500000);
  // 32 flows see 14 of 16 branches: 16 (1 - (15/16)^32). Prometheus keeps of a histogram that is both the native one.
  options.histograms.paths = HistogramForm::native;
  CHECK(series(Format::protobuf, 14) <= 250000);
  // What they were before, all together: above the limit, so that this test can fail.
  options.histograms = {};
  options.groups.hop_windows = true;
  options.format = Format::text;
  CHECK_FALSE(
      Exposition(measured(many_snapshots(100, 32, 14, 12)), example_names(), options).outcome().dropped.empty());
}

TEST_CASE("what a setting costs is what README says", "[render]") {
  // Thousands of series: of a scraper that takes native histograms, which of a histogram that is both keeps the native
  // one, and of one that takes text.
  struct Cost {
    std::int64_t native = 0, text = 0;
    bool operator==(const Cost&) const = default;
  };
  const auto snapshots = many_snapshots(100, 32, 14, 12);
  const auto series = [&](const MetricGroups& groups, HistogramForm hops) {
    const auto count = [&](Format format) {
      ExpositionOptions options;
      options.max_series = 10'000'000;
      options.format = format;
      options.groups = groups;
      options.histograms.hops = hops;
      if (format == Format::protobuf) options.histograms.paths = HistogramForm::native;
      return static_cast<std::int64_t>(Exposition(measured(snapshots), example_names(), options).outcome().series);
    };
    return Cost{count(Format::protobuf), count(Format::text)};
  };
  const auto thousands = [](std::int64_t count) { return (count + (count < 0 ? -500 : 500)) / 1000; };
  const Cost defaults = series({.hop_windows = false}, HistogramForm::automatic);
  const auto costs = [&](const MetricGroups& groups) {
    const Cost with = series(groups, HistogramForm::automatic);
    return Cost{thousands(with.native - defaults.native), thousands(with.text - defaults.text)};
  };
  const auto shown = [&](const Cost& cost) { return Cost{thousands(cost.native), thousands(cost.text)}; };
  CHECK(shown(defaults) == Cost{231, 434});
  CHECK(shown(series({.hop_windows = false}, HistogramForm::off)) == Cost{181, 232});
  CHECK(costs({.hop_windows = true}) == Cost{168, 168});
  CHECK(costs({.hops = false, .hop_windows = false}) == Cost{-67, -67});
  CHECK(costs({.flows = false, .hop_windows = false}) == Cost{-38, -38});
  CHECK(costs({.path_windows = false, .hop_windows = false}) == Cost{-15, -15});
  CHECK(costs({.hop_windows = false, .links = false}) == Cost{-12, -12});
}

TEST_CASE("groups of families that are switched off are not there", "[render]") {
  const auto text = [](const MetricGroups& groups) {
    ExpositionOptions options;
    options.groups = groups;
    return rendered(options).text;
  };
  const auto has = [](const std::string& all, const char* family) {
    return all.find(std::string("# TYPE ") + family + " ") != std::string::npos;
  };
  const std::map<const char*, MetricGroups> switched = {{"ecmp_flow_path_ordinal", {.flows = false}},
                                                        {"ecmp_path_window_rtt_seconds", {.path_windows = false}},
                                                        {"ecmp_hop_silences_total", {.hops = false}},
                                                        {"ecmp_hop_window_jitter_seconds", {.hop_windows = false}},
                                                        {"ecmp_link_flows", {.links = false}}};
  for (const auto& [of_group, groups] : switched) {
    const std::string all = text(groups);
    for (const auto& [family, other] : switched) {
      CAPTURE(family, of_group);
      CHECK(has(all, family) == (std::string(family) != of_group));
    }
  }
}
