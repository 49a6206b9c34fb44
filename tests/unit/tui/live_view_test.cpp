#include "tui/live_view.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/tui/watched_network.hpp"

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;
using tui::test::WatchedNetwork;
using View = LiveView::View;
using Request = LiveView::Request;

namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    found.push_back(line);
  return found;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Source ports of the summary's rows, from the top.
std::vector<int> ports(WatchedNetwork& network) {
  std::vector<int> found;
  for (const std::string& line : lines(network.text(60, 120))) {
    const std::size_t at = line.find("500");
    if (at != std::string::npos && at < 4 && line[at + 5] == ' ') found.push_back(std::atoi(line.c_str() + at));
  }
  return found;
}

}  // namespace

TEST_CASE("Arrows and hjkl choose flows and views", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(5s);
  CHECK(network.view().view() == View::summary);
  CHECK(network.view().chosen_flow() == 0);
  network.press("j");
  CHECK(network.view().chosen_flow() == 1);
  network.press("\x1b[B\x1b[B");
  CHECK(network.view().chosen_flow() == 3);
  network.press("k\x1b[A");
  CHECK(network.view().chosen_flow() == 1);
  network.press("G");
  CHECK(network.view().chosen_flow() == 11);
  network.press("jg");
  CHECK(network.view().chosen_flow() == 0);
  network.press("k");
  CHECK(network.view().chosen_flow() == 0);
  for (const char* next : {"l", "\x1b[C", "\t"}) {
    network.press(next);
  }
  CHECK(network.view().view() == View::summary);
  network.press("l");
  CHECK(network.view().view() == View::detail);
  network.press("\x1b[C");
  CHECK(network.view().view() == View::fan);
  network.press("h");
  CHECK(network.view().view() == View::detail);
  network.press("\x1b[D");
  CHECK(network.view().view() == View::summary);
  network.press("\x1b[Z");
  CHECK(network.view().view() == View::fan);
  network.press("2");
  CHECK(network.view().view() == View::detail);
  network.press("\x1b");
  CHECK(network.view().view() == View::summary);
}

TEST_CASE("The chosen flow is the one whose hops are shown", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(5s);
  network.press("jj");
  CHECK(has(network.text(40, 100), "Flow 50002"));
  network.press("]");
  CHECK(has(network.text(40, 100), "Flow 50003"));
  network.press("2[[");
  CHECK(has(network.text(40, 100), "Flow 50001"));
  // On a screen too small for both, Enter opens the hops.
  network.press("1");
  CHECK_FALSE(has(network.text(10, 80), "TTL"));
  network.press("\r");
  CHECK(has(network.text(10, 80), "TTL"));
}

TEST_CASE("Rows of the fan choose flows, and the chosen flow is shown in the fan", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(20s);
  network.press("jj3");
  CHECK(network.view().chosen_flow() == 2);
  const std::uint32_t before = network.view().tally().flow(2)->tally.ordinal();
  network.press("jjj\r");
  CHECK(network.view().view() == View::detail);
  const std::uint32_t chosen = network.view().chosen_flow();
  CHECK(network.view().tally().flow(chosen)->tally.ordinal() != before);
}

TEST_CASE("A flow with a stream of STAMP packets shows both directions", "[tui][view][stamp]") {
  WatchedNetwork network("backbone");
  network.run(5s);
  CHECK_FALSE(has(network.text(40, 120), "Rev%"));
  OnewayPathSnapshot path;
  path.exchanges = path.back_exchanges = 5;
  path.forward_window = {100us, 200us, 300us};
  path.reverse_window = {1100us, 1200us, 1300us};
  path.relative_reverse = 2500us;
  OnewayRound oneway;
  oneway.flow.counts = {.resolved = 200, .forward = 100, .reverse = 30};
  oneway.flow.reverse_path = 0x0badcafe;
  oneway.there = oneway.back = std::make_shared<const OnewayPathSnapshot>(path);
  const auto& records = network.records();
  RoundRecord record =
      **std::find_if(records.rbegin(), records.rend(), [](const auto& one) { return one->flow_index == 0; });
  record.oneway = std::make_shared<const OnewayRound>(oneway);
  network.view().take(record);
  network.view().take(record);
  const std::string text = network.text(40, 140);
  CHECK(has(text, "Fwd%"));
  CHECK(has(text, "Rev%"));
  CHECK(has(text, "forward 50.0 %"));  // of all flows
  CHECK(has(text, "reverse 30.0 %"));
  CHECK(has(text, "forward 200 of 400 lost, 50.0 %; delay variation p50 0.100 p95 0.200 p99 0.300"));
  CHECK(has(text, "reverse 60 of 200 lost, 30.0 %; delay variation p50 1.100 p95 1.200 p99 1.300; 2.500 slower"));
  CHECK(has(text, "path 0badcafe"));
  CHECK_FALSE(has(text, "delay p50"));  // the clocks are not synchronised
  path.forward_delay = {.window = 5, .quantiles = {4ms, 5ms, 6ms}};
  oneway.there = std::make_shared<const OnewayPathSnapshot>(path);
  record.oneway = std::make_shared<const OnewayRound>(oneway);
  network.view().take(record);
  CHECK(has(network.text(40, 140), "p99 0.300; delay p50 4.000 p95 5.000 p99 6.000"));
  network.press("r");
  CHECK(has(network.text(40, 140), "forward loss not known"));
}

TEST_CASE("Flows are sorted by every column in both directions", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(30s);
  const DestinationTally& tally = network.view().tally();
  const std::vector<int> by_port = ports(network);
  REQUIRE(by_port.size() == 12);
  CHECK(std::is_sorted(by_port.begin(), by_port.end()));
  const auto sorted_by = [&](auto value) {
    std::vector<double> values;
    for (const int port : ports(network))
      values.push_back(value(tally.flow(static_cast<std::uint32_t>(port - 50000))->tally));
    CHECK(values.size() == 12);
    return std::is_sorted(values.begin(), values.end()) ? 1 : std::is_sorted(values.rbegin(), values.rend()) ? -1 : 0;
  };
  const auto figure = [](const FlowTally& flow, auto member) {
    return static_cast<double>((flow.end_to_end().*member)().count());
  };
  network.press("s");
  CHECK(sorted_by([](const FlowTally& flow) { return flow.ordinal(); }) == 1);
  network.press("S");
  CHECK(sorted_by([](const FlowTally& flow) { return flow.ordinal(); }) == -1);
  network.press("s");
  CHECK(has(network.text(30, 120), "▼Hops"));
  network.press("s");
  CHECK(sorted_by([](const FlowTally& flow) { return flow.end_to_end().loss_ratio(); }) == -1);
  for (const auto member : {&ProbeTally::last, &ProbeTally::average, &ProbeTally::best, &ProbeTally::worst}) {
    network.press("s");
    INFO(network.text(30, 120));
    CHECK(sorted_by([&](const FlowTally& flow) { return figure(flow, member); }) == -1);
  }
  network.press("s");
  CHECK(sorted_by([&](const FlowTally& flow) { return figure(flow, &ProbeTally::mean_jitter); }) == -1);
  network.press("s");
  CHECK(ports(network) == by_port);
}

TEST_CASE("A pause holds the picture while measuring goes on", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(5s);
  const std::uint64_t before = network.view().tally().rounds();
  network.press("p");
  CHECK(network.view().paused());
  const auto below_title = [&] {
    const std::string text = network.text(40, 120);
    return text.substr(text.find("Path id"));
  };
  CHECK(has(network.text(40, 120), "PAUSED"));
  const std::string held = below_title();
  network.run(10s);
  CHECK(network.view().tally().rounds() > before);
  CHECK(below_title() == held);
  CHECK(has(network.text(40, 120), std::to_string(before) + " rounds"));
  network.press(" ");
  CHECK_FALSE(network.view().paused());
  CHECK_FALSE(has(network.text(40, 120), "PAUSED"));
  CHECK(below_title() != held);
  CHECK(has(network.text(40, 120), std::to_string(network.view().tally().rounds()) + " rounds"));
}

TEST_CASE("A reset counts anew and is shown at once, also while paused", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(30s);
  CHECK(network.view().tally().rounds() > 20);
  network.press("pr");
  CHECK(network.view().tally().rounds() == 0);
  CHECK(has(network.text(40, 120), "0 rounds"));
  CHECK(has(network.text(40, 120), "ae1.core.example.net"));
  network.press("p");
  network.run(3s);
  CHECK(network.view().tally().rounds() >= 2);
}

TEST_CASE("Names and labels are switched off and on", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(10s);
  CHECK(has(network.text(40, 100), "ae1.core.example.net"));
  CHECK(has(network.text(40, 100), "MPLS 16004"));
  network.press("ne");
  CHECK_FALSE(has(network.text(40, 100), "ae1.core.example.net"));
  CHECK(has(network.text(40, 100), "10.1.0.2"));
  CHECK_FALSE(has(network.text(40, 100), "MPLS"));
  network.press("ne");
  CHECK(has(network.text(40, 100), "ae1.core.example.net"));
  CHECK(has(network.text(40, 100), "MPLS 16004"));
}

TEST_CASE("A search narrows the flows by port, path, address and name", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(20s);
  network.press("/50007\r");
  CHECK(ports(network) == std::vector<int>{50007});
  CHECK(has(network.text(40, 120), "only \"50007\": 1 flow"));
  network.press("\x1b");
  CHECK(ports(network).size() == 12);
  const DestinationTally& tally = network.view().tally();
  std::size_t on_path_2 = 0;
  for (const auto& flow : tally.flows())
    on_path_2 += flow.tally.ordinal() == 2 ? 1u : 0u;
  network.press("/2\r");
  CHECK(ports(network).size() == on_path_2);
  network.press("/FRA3.ex\r");
  const std::vector<int> by_name = ports(network);
  CHECK((!by_name.empty() && by_name.size() < 12));
  network.press("/" + network.engine_run().network().address("fra3").to_string() + "\r");
  CHECK(ports(network) == by_name);
  network.press("/" + path_id(tally.flow(static_cast<std::uint32_t>(by_name.front() - 50000))->tally.path()) + "\r");
  CHECK(ports(network) == by_name);
  network.press("3");
  CHECK_FALSE(has(network.text(40, 120), "fra1"));
  network.press("1/nothing like it");
  CHECK(has(network.text(40, 120), "no flow matches"));
  network.press("\x7f\x7f");
  CHECK(has(network.text(40, 120), "search: nothing like"));
  CHECK(has(network.text(40, 120), "no flow matches"));
  network.press("\x1b");
  CHECK(ports(network).size() == 12);
}

TEST_CASE("Typed text is text, whatever its letters do otherwise", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(3s);
  CHECK(network.press("/qrpsn?123") == Request::none);
  CHECK(has(network.text(40, 120), "search: qrpsn?123"));
  CHECK_FALSE(network.view().paused());
  CHECK(network.view().view() == View::summary);
  network.press(std::string(500, 'x'));
  network.press("\r");
  CHECK(has(network.text(40, 120), "no flow matches"));
}

TEST_CASE("The help tells every binding, and closes in every way it says", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(3s);
  network.press("?");
  const std::string help = network.text(50, 100);
  for (const Binding& binding : bindings()) {
    CHECK(has(help, binding.key_names()));
    CHECK(has(help, binding.does));
  }
  network.press("?");
  CHECK_FALSE(has(network.text(50, 100), "this help"));
  network.press("?\x1b");
  CHECK_FALSE(has(network.text(50, 100), "this help"));
  // On a small screen it scrolls.
  network.press("?");
  CHECK_FALSE(has(network.text(12, 80), "this help"));
  network.press("G");
  CHECK(has(network.text(12, 80), "this help"));
  network.press("g");
  CHECK(has(network.text(12, 80), "one row up"));
}

TEST_CASE("Keys that are for the program are passed on", "[tui][view]") {
  WatchedNetwork network("backbone");
  CHECK(network.press("q") == Request::quit);
  CHECK(network.press("\x1a") == Request::suspend);
  CHECK(network.press("\x0c") == Request::redraw);
  CHECK(network.press("?q") == Request::quit);
  CHECK(network.press("x") == Request::none);
}

TEST_CASE("Before the first round the view says so, and what is traced", "[tui][view]") {
  auto facts = std::make_shared<DestinationFacts>();
  facts->host = "www.example.net";
  facts->port = 443;
  facts->protocol = Protocol::tcp;
  LiveView view(facts, {});
  Grid grid(24, 80);
  view.draw(grid, 1s);
  CHECK(grid.text(0) == "www.example.net  TCP port 443");
  CHECK(has(grid.text(), "no round is over yet"));
  view.notice("the name does not resolve\x1b[2J");
  view.draw(grid, 1s);
  CHECK(grid.text(23) == "the name does not resolve?[2J");
  view.on_key(character(U'j'));
  view.draw(grid, 1s);
  CHECK_FALSE(has(grid.text(), "resolve"));
}

TEST_CASE("A hop's AS is shown as soon as one is known", "[tui][view]") {
  class Numbers final : public AsNumbers {
   public:
    [[nodiscard]] std::uint32_t number(const IpAddress& address) const override {
      return address == IpAddress::v4(0x0a010002) ? 64500 : 0;
    }
  };
  WatchedNetwork network("backbone");
  network.run(3s);
  CHECK_FALSE(has(network.text(40, 120), "64500"));
  network.view().set_as_numbers(std::make_shared<Numbers>());
  CHECK(has(network.text(40, 120), "64500"));
  network.press("/as64500\r");
  CHECK(ports(network).size() == 12);
}

TEST_CASE("Silence is told apart from loss at a hop", "[tui][view]") {
  WatchedNetwork network("silent_hop", 1);
  network.run(20s);
  const std::vector<std::string> shown = lines(network.text(40, 100));
  const auto silent =
      std::find_if(shown.begin(), shown.end(), [](const std::string& line) { return has(line, "no answer"); });
  REQUIRE(silent != shown.end());
  CHECK(has(*silent, " 0.0 "));
  CHECK(has(*silent, " 100 "));
}

TEST_CASE("A flow that is let go leaves the screen", "[tui][view]") {
  WatchedNetwork network("backbone");
  network.run(5s);
  network.press("jj");
  network.view().forget(2);
  CHECK(ports(network).size() == 11);
  CHECK(has(network.text(40, 120), "Flow 50000"));
  network.press("j");
  CHECK(has(network.text(40, 120), "Flow 50001"));
}
