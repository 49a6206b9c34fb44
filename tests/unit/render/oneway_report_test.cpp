// What `ecmp_trace --stamp --report` adds about each direction.
#include "render/report/oneway_report.hpp"

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kDelays = R"(Delay by both clocks, which may be off by 2.000 ms:
path        forward p50/p95 ms    reverse p50/p95 ms
5c1e09aa         10.000/14.000                     -
)";

/// Two paths, of which the first has delays of the way there.
OnewaySnapshot two_paths() {
  OnewaySnapshot oneway;
  oneway.up = true;
  oneway.clock_error = 2ms;
  oneway.paths.resize(2);
  oneway.paths[0].path = 0x5c1e09aa;
  oneway.paths[0].forward_delay = {.window = 170, .quantiles = {10ms, 14ms, 18ms}};
  oneway.paths[1].path = 0x0badcafe;
  return oneway;
}

std::string report(const OnewaySnapshot& oneway) {
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>();
  snapshot.oneway = std::make_shared<const OnewaySnapshot>(oneway);
  std::string text;
  render::append_oneway_report(text, snapshot);
  return text;
}

}  // namespace

TEST_CASE("The report has the delay of each direction where both clocks are synchronised", "[report][oneway]") {
  OnewaySnapshot oneway = two_paths();
  CHECK(report(oneway).find(kDelays) != std::string::npos);
  // The clocks were synchronised within the window, and are no longer.
  oneway.clock_error = std::nullopt;
  CHECK(report(oneway).find("Delay by both clocks, while they were synchronised:") != std::string::npos);
  oneway.paths[0].forward_delay = {};
  CHECK(report(oneway).find("Delay") == std::string::npos);
}
