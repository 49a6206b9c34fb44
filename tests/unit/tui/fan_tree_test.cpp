#include "tui/fan_tree.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;

namespace {

/// Flow i takes the i-th of these ways; three rounds each.
class Fan {
 public:
  explicit Fan(const std::vector<std::string>& ways)
      : measured_(static_cast<std::uint16_t>(ways.size())),
        facts_(round_builder::facts(static_cast<std::uint16_t>(ways.size()))) {
    for (std::uint32_t i = 0; i < 3; ++i)
      sweep(ways, i);
  }

  void sweep(const std::vector<std::string>& ways, std::uint32_t number) {
    for (std::uint32_t flow = 0; flow < ways.size(); ++flow) {
      RoundRecord record;
      record.destination = facts_;
      record.flow_index = flow;
      record.source_port = static_cast<std::uint16_t>(50000 + flow);
      record.round = round_builder::round(ways[flow], 1000 + number);
      record.round.number = number;
      for (HopResult& hop : record.round.hops)
        if (hop.outcome == HopOutcome::replied) hop.rtt = hop.ttl * 1ms;
      record.verdict = measured_.model.on_round(flow, record.round);
      tally.take(record);
    }
  }

  std::vector<FanRow> rows() const {
    std::vector<const DestinationTally::Flow*> flows;
    for (const auto& flow : tally.flows())
      flows.push_back(&flow);
    return fan_tree(flows);
  }

  /// One line a row: rails, hop, number of flows.
  std::string drawn() const {
    std::string text;
    for (const FanRow& row : rows()) {
      for (const FanRow::Rail rail : row.rails)
        text += rail == FanRow::Rail::line     ? "| "
                : rail == FanRow::Rail::branch ? "|-"
                : rail == FanRow::Rail::last   ? "`-"
                                               : "  ";
      text += row.kind == FanRow::Kind::straight ? "=" : name(row.address);
      text += " " + std::to_string(row.flows.size()) + "\n";
    }
    return text;
  }

  DestinationTally tally;

 private:
  static std::string name(const IpAddress& address) {
    if (address.is_unspecified()) return "*";
    if (address == round_builder::address("D")) return "D";
    const auto bytes = address.bytes();
    return std::string(1, static_cast<char>(bytes[1])) + std::to_string(bytes[3]);
  }

  round_builder::Measured measured_;
  std::shared_ptr<const DestinationFacts> facts_;
};

}  // namespace

TEST_CASE("Common hops are drawn once, and branches between where they part and meet", "[tui][fan]") {
  CHECK(Fan({"a1 b1 c1 D", "a1 b2 c1 D", "a1 b1 c1 D"}).drawn() ==
        "a1 3\n"
        "|-b1 2\n"
        "|-b2 1\n"
        "c1 3\n"
        "D 3\n");
}

TEST_CASE("One path is drawn without any branch", "[tui][fan]") {
  CHECK(Fan({"a1 b1 D", "a1 b1 D"}).drawn() == "a1 2\nb1 2\nD 2\n");
  CHECK(Fan({"D"}).drawn() == "D 1\n");
}

TEST_CASE("Branches part again and meet again", "[tui][fan]") {
  CHECK(Fan({"a1 b1 c1 d1 e1 D", "a1 b1 c2 d1 e1 D", "a1 b2 c3 d2 e1 D"}).drawn() ==
        "a1 3\n"
        "|-b1 2\n"
        "| |-c1 1\n"
        "| |-c2 1\n"
        "| d1 2\n"
        "|-b2 1\n"
        "| c3 1\n"
        "| d2 1\n"
        "e1 3\n"
        "D 3\n");
}

TEST_CASE("Two fans one behind the other are two partings, not all combinations", "[tui][fan]") {
  std::vector<std::string> ways;
  for (const char* first : {"b1", "b2"})
    for (const char* second : {"d1", "d2"})
      ways.push_back(std::string("a1 ") + first + " c1 " + second + " D");
  CHECK(Fan(ways).drawn() ==
        "a1 4\n"
        "|-b1 2\n"
        "|-b2 2\n"
        "c1 4\n"
        "|-d1 2\n"
        "|-d2 2\n"
        "D 4\n");
}

TEST_CASE("Branches of different lengths meet where they do", "[tui][fan]") {
  Fan fan({"a1 b1 D", "a1 b2 c2 D"});
  CHECK(fan.drawn() ==
        "a1 2\n"
        "|-b1 1\n"
        "|-b2 1\n"
        "| c2 1\n"
        "D 2\n");
  CHECK(fan.rows().back().first_ttl == 3);
  CHECK(fan.rows().back().last_ttl == 4);
}

TEST_CASE("Flows that skip a hop go straight on", "[tui][fan]") {
  CHECK(Fan({"a1 c1 D", "a1 b1 c1 D"}).drawn() ==
        "a1 2\n"
        "|-b1 1\n"
        "|-= 1\n"
        "c1 2\n"
        "D 2\n");
}

TEST_CASE("Branches that never meet end on their own", "[tui][fan]") {
  CHECK(Fan({"a1 b1 c1", "a1 b2 c2"}).drawn() ==
        "a1 2\n"
        "|-b1 1\n"
        "| c1 1\n"
        "`-b2 1\n"
        "  c2 1\n");
  CHECK(Fan({"a1 b1", "a2 b1"}).drawn() == "|-a1 1\n|-a2 1\nb1 2\n");
}

TEST_CASE("Hops that nobody answered at are no place to meet", "[tui][fan]") {
  CHECK(Fan({"a1 b1 * D", "a1 b2 * D"}).drawn() ==
        "a1 2\n"
        "|-b1 1\n"
        "| * 1\n"
        "|-b2 1\n"
        "| * 1\n"
        "D 2\n");
}

TEST_CASE("A branch tells its own loss at its hops and at the destination", "[tui][fan]") {
  Fan fan({"a1 b1 c1 D", "a1 b2 c1 D"});
  for (std::uint32_t i = 3; i < 10; ++i)
    fan.sweep({"a1 b1 c1 D", "a1 b2 * *"}, i);
  const std::vector<FanRow> rows = fan.rows();
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].end.loss_ratio() == Approx(0.35));
  CHECK(rows[1].end.loss_ratio() == 0);
  CHECK(rows[2].here.loss_ratio() == 0);
  CHECK(rows[2].end.loss_ratio() == Approx(0.7));
  CHECK(rows[3].here.loss_ratio() == Approx(0.35));
  CHECK(rows[3].here.average() == 3ms);
  CHECK(rows[3].here.best() == 3ms);
  CHECK(rows[4].here.worst() == 4ms);
  CHECK(rows[2].flows == std::vector<std::uint32_t>{1});
  CHECK(rows[2].ordinals.size() == 1);
  CHECK(rows[0].ordinals.size() == 2);
}

TEST_CASE("A fan of fans stays within bounds", "[tui][fan]") {
  std::vector<std::string> ways;
  for (int flow = 0; flow < 64; ++flow) {
    std::string way;
    for (int hop = 0; hop < 12; ++hop)
      way += std::string(1, static_cast<char>('a' + hop)) + std::to_string(1 + (flow >> hop % 6) % 2) + " ";
    ways.push_back(way + "D");
  }
  const std::vector<FanRow> rows = Fan(ways).rows();
  CHECK(rows.size() > 12);
  CHECK(rows.size() <= 64 * 13);
  CHECK(rows.back().flows.size() == 64);
}
