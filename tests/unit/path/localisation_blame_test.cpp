// Whom losses are blamed on when several things happen within one window.
#include <algorithm>
#include <memory>
#include <string>

#include "catch.hpp"
#include "path/localisation/localisation.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

using round_builder::address;
using round_builder::Measured;

constexpr std::uint32_t kFlows = 16;

/// One destination behind branches b0 to b3, looked at in a window of twenty rounds.
class Watched {
 public:
  explicit Watched(const ModelOptions& options = {}) : net_(kFlows, options) {}

  template <typename Hops>
  void sweep(Hops hops, std::uint8_t distance = 4) {
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
      RoundRecord record;
      record.destination = facts_;
      record.flow_index = flow;
      record.source_port = facts_->source_ports[flow];
      record.source = address("s");
      record.round = round_builder::round(hops(flow), net_.now + 10.0 * flow / kFlows, distance);
      record.verdict = net_.model.on_round(flow, record.round);
      localisation_.on_round(record);
    }
    net_.now += 10;
    report = localisation_.pass(round_builder::at(net_.now), Duration{});
  }

  /// All flows as they should be.
  void calm(int rounds) {
    for (int i = 0; i < rounds; ++i)
      sweep([](std::uint32_t flow) { return through(flow % 4); });
  }
  static std::string through(std::uint32_t branch) { return "a b" + std::to_string(branch) + " c D"; }
  /// A round whose probes behind the branch are lost, of those of TTL 3 and 4.
  static std::string lost(std::uint32_t branch) { return "a b" + std::to_string(branch) + " * *"; }

  [[nodiscard]] bool blames(std::string_view from, std::string_view to) const {
    return std::ranges::any_of(report->links, [&](const LinkVerdict& verdict) {
      return verdict.blamed &&
             std::ranges::find(verdict.links, LinkEnds{address(from), address(to)}) != verdict.links.end();
    });
  }
  [[nodiscard]] bool blames_any() const { return std::ranges::any_of(report->links, &LinkVerdict::blamed); }

  std::shared_ptr<const LocalisationReport> report;

 private:
  Measured net_;
  std::shared_ptr<const DestinationFacts> facts_ = round_builder::facts(kFlows);
  Localisation localisation_{{.window = std::chrono::seconds(200)}};
};

}  // namespace

TEST_CASE("of two links that lose after each other not the one behind both is blamed", "[localisation]") {
  Watched net;
  net.calm(20);
  // Few flows lose nothing, as where the hash has dealt them out unevenly.
  const auto branch = [](std::uint32_t flow) { return flow < 7 ? 0u : flow < 13 ? 1u : 2u + flow % 2; };
  for (int i = 0; i < 20; ++i)
    net.sweep([&](std::uint32_t flow) { return Watched::through(branch(flow)); });
  for (std::uint32_t i = 0; i < 8; ++i) {
    net.sweep([&](std::uint32_t flow) {
      return branch(flow) == 0 && (flow + i) % 3 == 0 ? Watched::lost(0) : Watched::through(branch(flow));
    });
    CHECK_FALSE(net.blames("c", "D"));
  }
  CHECK(net.blames("b0", "c"));
  for (int i = 0; i < 12; ++i) {
    net.sweep(
        [&](std::uint32_t flow) { return branch(flow) == 1 ? Watched::lost(1) : Watched::through(branch(flow)); });
    CAPTURE(i);
    CHECK_FALSE(net.blames("c", "D"));
    if (i >= 3) CHECK(net.blames("b1", "c"));
  }
}

TEST_CASE("a link whose far end answers all is not blamed", "[localisation]") {
  Watched net;
  // Never heard from behind b1 while it is a black hole: half of its flows know no more of the way than that.
  net.sweep([](std::uint32_t flow) { return flow % 8 == 1 ? Watched::lost(1) : Watched::through(flow % 4); });
  for (int i = 0; i < 8; ++i)
    net.sweep([](std::uint32_t flow) { return flow % 4 == 1 ? Watched::lost(1) : Watched::through(flow % 4); });
  CHECK(net.blames("b1", "c"));
  CHECK_FALSE(net.blames("a", "b1"));
}

TEST_CASE("flows that may pass any of several branches blame no link", "[localisation]") {
  Watched net;
  // The branches are asked in turn, and the flows of b0 have not had theirs.
  const auto hops = [](std::uint32_t flow) {
    return flow % 4 == 0 ? std::string("a . c D") : Watched::through(flow % 4);
  };
  for (int i = 0; i < 4; ++i)
    net.sweep(hops);
  for (int i = 0; i < 6; ++i) {
    net.sweep([&](std::uint32_t flow) { return flow % 8 == 0 ? std::string("a . * *") : hops(flow); });
    CAPTURE(i);
    CHECK_FALSE(net.blames_any());
  }
  // With their turn they learn it, and what they go on to lose has a place.
  net.sweep([](std::uint32_t flow) { return flow % 4 == 0 ? Watched::through(0) : Watched::through(flow % 4); });
  for (int i = 0; i < 2; ++i)
    net.sweep([](std::uint32_t flow) { return flow % 8 == 0 ? Watched::lost(0) : Watched::through(flow % 4); });
  for (int i = 0; i < 2; ++i)
    net.sweep([](std::uint32_t flow) { return flow % 4 == 0 ? Watched::lost(0) : Watched::through(flow % 4); });
  CHECK(net.blames("b0", "c"));
}

TEST_CASE("a branch whose router never answers is blamed by the routers around it", "[localisation]") {
  Watched net;
  const auto hops = [](std::uint32_t flow) {
    return flow % 4 == 0 ? std::string("a * c D") : Watched::through(flow % 4);
  };
  for (int i = 0; i < 8; ++i)
    net.sweep(hops);
  for (int i = 0; i < 4; ++i)
    net.sweep([&](std::uint32_t flow) { return flow % 4 == 0 ? std::string("a * * *") : hops(flow); });
  CHECK(net.blames("a", "c"));
}

TEST_CASE("a flow that was not asked yet passes the one router that all others pass", "[localisation]") {
  // As ecmp_trace places flows, which does not wait until each has had its turn.
  Watched net({.wait_for_hops = false});
  const auto hops = [](std::uint32_t flow) {
    return (flow < 8 ? "a" : ".") + std::string(" b") + std::to_string(flow % 4) + " c D";
  };
  for (int i = 0; i < 4; ++i)
    net.sweep(hops);
  for (int i = 0; i < 4; ++i)
    net.sweep(
        [&](std::uint32_t flow) { return flow % 4 != 0 ? hops(flow) : std::string(flow < 8 ? "a" : ".") + " * * *"; });
  REQUIRE(net.blames("a", "b0"));
  CHECK(net.report->links.front().lossy_flows == 4);
}

}  // namespace ecmp
