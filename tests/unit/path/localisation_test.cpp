// What of the rounds that are told becomes evidence of loss.
#include "path/localisation/localisation.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "round_builder.hpp"

using namespace ecmp;
using round_builder::address;

namespace {

constexpr std::uint32_t kFlows = 16;

/// One destination behind branches b0 to b3, looked at in a window of twenty rounds. b1 loses half of what it forwards.
class Watched {
 public:
  /// `change` does to a round of a flow what it likes before it is told.
  template <typename Change>
  void sweep(int rounds, Change change) {
    for (int i = 0; i < rounds; ++i, net_.now += 10) {
      for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        RoundRecord record;
        record.destination = facts_;
        record.flow_index = flow;
        record.source_port = facts_->source_ports[flow];
        record.source = address("s");
        const bool lost = known_ && flow % 4 == 1 && (static_cast<std::uint32_t>(i) + flow / 4) % 2 == 0;
        const std::string branch = "a b" + std::to_string(flow % 4);
        record.round = round_builder::round(branch + (lost ? " * *" : " c D"), net_.now + 10.0 * flow / kFlows, 4);
        change(record.round, flow);
        record.verdict = net_.model.on_round(flow, record.round);
        localisation_.on_round(record);
      }
    }
    known_ = true;
    report = localisation_.pass(round_builder::at(net_.now), Duration{});
  }

  [[nodiscard]] const LinkVerdict* blamed() const {
    const auto at = std::ranges::find_if(report->links, &LinkVerdict::blamed);
    return at == report->links.end() ? nullptr : &*at;
  }

  std::shared_ptr<const LocalisationReport> report;

 private:
  bool known_ = false;  ///< the paths are: nothing is lost before
  round_builder::Measured net_{kFlows};
  std::shared_ptr<const DestinationFacts> facts_ = round_builder::facts(kFlows);
  Localisation localisation_{{.window = std::chrono::seconds(200)}};
};

}  // namespace

TEST_CASE("a hop left out, and a round that could not be observed, is no evidence of loss", "[localisation]") {
  Watched net;
  net.sweep(1, [](const Round&, std::uint32_t) {});
  SECTION("a hop that answers whenever it is asked clears what is before it") {
    net.sweep(18, [](Round& round, std::uint32_t flow) {
      HopResult& branch = round.hops[1];
      if (round.started.time_since_epoch() / std::chrono::seconds(10) % 4 == flow / 4) return;
      branch.outcome = HopOutcome::left_out;
      branch.responder = {};
    });
    REQUIRE(net.blamed() != nullptr);
    CHECK(net.blamed()->links == std::vector{LinkEnds{address("b1"), address("c")}});
    CHECK(net.blamed()->forward_consistent);
  }
  SECTION("a hop that keeps quiet clears nothing") {
    net.sweep(18, [](Round& round, std::uint32_t flow) {
      HopResult& branch = round.hops[1];
      // As often in rounds that are lost as in others: each second of them.
      if (round.started.time_since_epoch() / std::chrono::seconds(10) % 3 == flow / 4 % 3) return;
      branch.outcome = HopOutcome::silent;
      branch.responder = {};
    });
    REQUIRE(net.blamed() != nullptr);
    CHECK(net.blamed()->links.size() == 2);
  }
  SECTION("nobody knows what became of a round that could not be observed") {
    net.sweep(18, [](Round& round, std::uint32_t) {
      if (round.reached()) return;
      round.end_to_end = EndToEnd::unobserved;
      for (HopResult& hop : round.hops)
        if (hop.outcome == HopOutcome::lost) hop.outcome = HopOutcome::unobserved;
    });
    CHECK(net.report->losses == 0);
    CHECK(net.report->links.empty());
    CHECK(net.report->probes == 16 + 18 * 12 + 18 * 4 / 2);
  }
}
