#include "render/report/page.hpp"

#include "catch.hpp"
#include "golden.hpp"
#include "snapshots.hpp"

using namespace ecmp;
using namespace ecmp::render;
using namespace ecmp::render::test;

namespace {

/// The last cell of the row of a destination with these counts.
std::string loss_of(std::uint64_t probes, std::uint64_t replies) {
  DestinationSnapshot snapshot;
  snapshot.facts = std::make_shared<const DestinationFacts>();
  snapshot.flows.resize(1);
  snapshot.flows[0].probes = probes;
  snapshot.flows[0].replies = replies;
  const Snapshots one = {std::make_shared<const DestinationSnapshot>(snapshot)};
  const std::string html = page(one, "1");
  const std::size_t end = html.rfind("</td></tr>");
  const std::size_t begin = html.rfind('>', end - 1) + 1;
  return html.substr(begin, end - begin);
}

}  // namespace

TEST_CASE("the page of three destinations is exactly this", "[render]") {
  check_golden("page.html.txt", page(example_snapshots(), "1.2.3 <b>"));
}

TEST_CASE("the page asks no other server and holds no script", "[render]") {
  const std::string html = page(example_snapshots(), "1.2.3");
  CHECK(html.find("://") == std::string::npos);
  CHECK(html.find("//") == std::string::npos);
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("<name>") == std::string::npos);  // of the destination that asks for escaping
}

TEST_CASE("a loss never looks like none", "[render]") {
  CHECK(loss_of(0, 0) == "&ndash;");
  CHECK(loss_of(100, 100) == "0.00 %");
  CHECK(loss_of(1'000'000, 999'999) == "0.01 %");
  CHECK(loss_of(200, 199) == "0.50 %");
  CHECK(loss_of(40, 0) == "100.00 %");
  CHECK(loss_of(1, 2) == "0.00 %");  // never negative
}

TEST_CASE("a page without destinations says so", "[render]") {
  CHECK(page({}, "1").find("None is configured") != std::string::npos);
}
