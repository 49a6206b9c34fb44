// A place that several paths share has the same quantiles wherever they are shown: those of all values in the window.
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "render/fan/diagram.hpp"
#include "render/fan/fan_text.hpp"
#include "render/json/topology.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

/// Two paths from one router, ten rounds on each: 1 ms six times and 20 ms four times on the first, 11 ms on the other.
/// Of the twenty values the tenth is 11 ms and the nineteenth 20 ms. The medians of the paths are 1 ms and 11 ms: none
/// of the ways to mix these gives the median of all values for certain.
std::shared_ptr<const DestinationSnapshot> two_paths() {
  round_builder::Measured net(2);
  for (int turn = 0; turn < 10; ++turn) {
    for (const std::uint32_t flow : {0u, 1u}) {
      Round round = round_builder::round(flow == 0 ? "a b D" : "a c D", net.now);
      const Duration rtt = flow == 1 ? 11ms : turn < 6 ? 1ms : 20ms;
      for (HopResult& hop : round.hops)
        hop.rtt = rtt;
      net.model.on_round(flow, round);
    }
    net.now += 10;
  }
  return net.told();
}

bool same_bucket(Duration a, Duration b) {
  return log_buckets::key_of(in_seconds(a)) == log_buckets::key_of(in_seconds(b));
}

nlohmann::json topology(const std::shared_ptr<const DestinationSnapshot>& snapshot) {
  render::TopologyWriter writer({snapshot}, {});
  std::string text;
  while (writer.next(text, render::NoNames(),
                     [](const std::string&) { return std::vector<std::shared_ptr<const RoundRecord>>(); })) {
  }
  return nlohmann::json::parse(text);
}

std::string diagram(const DestinationSnapshot& snapshot, render::DiagramForm form) {
  std::string text;
  render::append_diagram(text, form, snapshot, render::NoNames());
  return text;
}

std::string line_with(const std::string& text, std::string_view words) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find(words) != std::string::npos) return line;
  return {};
}

std::string shown(const nlohmann::json& quantile) {
  std::string text;
  render::append_rtt(text, Duration(quantile.get<std::int64_t>()));
  return text;
}

}  // namespace

TEST_CASE("quantiles over several paths are those of all values, and the same on every surface", "[render][path]") {
  const auto snapshot = two_paths();
  REQUIRE(snapshot->paths_in_use == 2);
  const nlohmann::json told = topology(snapshot);
  const std::string text = diagram(*snapshot, render::DiagramForm::ascii);
  const std::string dot = diagram(*snapshot, render::DiagramForm::dot);
  const std::string svg = diagram(*snapshot, render::DiagramForm::svg);
  const auto check = [&](const nlohmann::json& window, const std::string& address) {
    CAPTURE(address, text);
    const auto& rtt = window.at("rtt_ns");
    CHECK(same_bucket(Duration(rtt.at("p50").get<std::int64_t>()), 11ms));
    CHECK(same_bucket(Duration(rtt.at("p95").get<std::int64_t>()), 20ms));
    const std::string p50 = shown(rtt.at("p50"));
    const std::string p95 = shown(rtt.at("p95"));
    const std::string row = line_with(text, "o " + address);
    CHECK(row.find(p50) != std::string::npos);
    CHECK(row.find(p95) != std::string::npos);
    const std::string both = p50.substr(0, p50.size() - 3) + " / " + p95;
    CHECK(dot.find(address + "\\n" + both) != std::string::npos);
    CHECK(svg.find(both) != std::string::npos);
  };
  int nodes = 0;
  for (const auto& node : told.at("nodes")) {
    if (node.at("address") != "10.97.0.0" && node.at("role") != "destination") continue;
    ++nodes;
    check(node.at("window"), node.at("address"));
  }
  CHECK(nodes == 2);
  check(told.at("destinations").at(0).at("window"), "192.0.2.1");
}
