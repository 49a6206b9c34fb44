#include "packet/source_ports.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "catch.hpp"

namespace ecmp {
namespace {

std::vector<std::uint16_t> first_of(const PortOrder& order, std::uint32_t count) {
  const SourcePorts ports(order, count);
  return {ports.list().begin(), ports.list().end()};
}

TEST_CASE("an order of ports holds every port of its block once", "[source_ports]") {
  for (const PortBlock block :
       {PortBlock{}, PortBlock{50000, 50000}, PortBlock{1, 65535}, PortBlock{40000, 40099}, PortBlock{65534, 65535}}) {
    const PortOrder order(block, "fra-edge", Protocol::tcp, 443);
    REQUIRE(order.size() == std::uint32_t{block.last} - block.first + 1);
    std::set<std::uint16_t> seen;
    for (std::uint32_t i = 0; i < order.size(); ++i)
      seen.insert(order[i]);
    CHECK(seen.size() == order.size());
    CHECK(*seen.begin() == block.first);
    CHECK(*seen.rbegin() == block.last);
  }
}

TEST_CASE("name, protocol and destination port decide the ports, and nothing else does", "[source_ports]") {
  const auto ports = [](std::string_view name, Protocol protocol, std::uint16_t port) {
    return first_of(PortOrder({}, name, protocol, port), 16);
  };
  const auto usual = ports("fra-edge", Protocol::udp, 33434);
  CHECK(usual == ports("fra-edge", Protocol::udp, 33434));
  CHECK(usual != ports("fra-edgf", Protocol::udp, 33434));
  CHECK(usual != ports("fra-edge", Protocol::tcp, 33434));
  CHECK(usual != ports("fra-edge", Protocol::udp, 33435));
  CHECK(ports("fra-edge", Protocol::icmp, 1) == ports("fra-edge", Protocol::icmp, 2));
  // Written down: whoever changes these numbers moves every flow of every user to another path.
  CHECK(first_of(PortOrder({}, "fra-edge", Protocol::udp, 33434), 4) ==
        std::vector<std::uint16_t>{41975, 37442, 39784, 39296});
}

TEST_CASE("further flows leave the first ones their ports", "[source_ports]") {
  const PortOrder order({}, "a", Protocol::udp, 33434);
  const auto few = first_of(order, 16);
  const auto many = first_of(order, 512);
  CHECK(std::ranges::equal(few, std::span(many).first(16)));
  CHECK(SourcePorts(order, 16).agrees(SourcePorts(order, 512)));
  CHECK_FALSE(SourcePorts(order, 16).agrees(SourcePorts(PortOrder({}, "b", Protocol::udp, 33434), 16)));
  CHECK(SourcePorts(PortOrder({40000, 40003}, "a", Protocol::udp, 1), 16).list().size() == 4);
}

TEST_CASE("ports are spread evenly and without order over the block", "[source_ports]") {
  // Of 1,000 names the first 16 ports each, counted in 64 cells: chi-square with 63 degrees of freedom is below 103.4
  // with 99.9 %.
  std::array<double, 64> cells{};
  double products = 0;
  int pairs = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto ports = first_of(PortOrder({}, "name" + std::to_string(i), Protocol::tcp, 443), 16);
    for (std::size_t j = 0; j < ports.size(); ++j) {
      cells[(ports[j] - 32768u) / 256u] += 1;
      if (j == 0) continue;
      products += (ports[j] - 40959.5) * (ports[j - 1] - 40959.5);
      ++pairs;
    }
  }
  const double expected = 16000.0 / 64;
  const double chi_square = std::accumulate(cells.begin(), cells.end(), 0.0, [&](double sum, double count) {
    return sum + (count - expected) * (count - expected) / expected;
  });
  CHECK(chi_square < 103.4);
  // Neighbours are uncorrelated: the mean product is within four of its standard errors.
  const double variance = 16384.0 * 16384.0 / 12;
  CHECK(std::abs(products / pairs) < 4 * variance / std::sqrt(pairs));
}

TEST_CASE("consecutive ports follow each other", "[source_ports]") {
  const SourcePorts ports = 50000;
  CHECK(ports[0] == 50000);
  CHECK(ports[15] == 50015);
  CHECK(ports.list().empty());
  CHECK(ports.agrees(50000));
  CHECK_FALSE(ports.agrees(50001));
  CHECK(ports.agrees(SourcePorts(std::vector<std::uint16_t>{50000, 50001})));
  CHECK_FALSE(ports.agrees(SourcePorts(std::vector<std::uint16_t>{50000, 50002})));
}

}  // namespace
}  // namespace ecmp
