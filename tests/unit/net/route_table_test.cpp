#include "net/routing/route_table.hpp"

#include <set>

#include "catch.hpp"

namespace ecmp::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

IpAddress address(const std::string& text) {
  return IpAddress::parse(text).value();
}

FlowSpec to(const std::string& destination) {
  FlowSpec spec;
  spec.tuple.destination = address(destination);
  return spec;
}

/// A kernel that routes everything one way, and counts how often it is asked.
struct Kernel {
  RouteAnswer answer = Route{false, 2, IpAddress::v4(0x0a000002), IpAddress::v4(0x0a000001)};
  std::size_t asked = 0;

  RouteTable::Lookup lookup() {
    return [this](const FlowSpec&) {
      ++asked;
      return answer;
    };
  }
  void use_source(std::uint32_t source) { answer = Route{false, 3, IpAddress::v4(0x0a000102), IpAddress::v4(source)}; }
};

/// Runs refresh() as the probing loop does, from `now` until `end`.
void run(RouteTable& table, Instant& now, Instant end) {
  while (table.next_refresh() <= end) {
    now = std::max(now, table.next_refresh());
    table.refresh(now);
  }
  now = end;
}

TEST_CASE("a flow's route is looked up when it is added, and its source is not told as a change", "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  CHECK(table.next_refresh() == Instant::max());
  const FlowRoute& flow = table.add(9, to("192.0.2.1"));
  CHECK(flow.error == SendError::none);
  CHECK(flow.route.source == IpAddress::v4(0x0a000001));
  CHECK(table.find(9) == &flow);
  CHECK(table.find(8) == nullptr);
  CHECK(table.take_source_changes().empty());
}

TEST_CASE("a flow without a route says why, and gets its source when there is one", "[route_table]") {
  Kernel kernel;
  kernel.answer = SendError::no_permission;
  RouteTable table(kernel.lookup());
  Instant now{seconds(100)};
  CHECK(table.add(1, to("192.0.2.1")).error == SendError::no_permission);
  table.refresh(now);
  kernel.use_source(0x0a000101);
  table.everything_changed();
  run(table, now, now + seconds(1));
  CHECK(table.take_source_changes() == std::vector<SourceChange>{{1, IpAddress::v4(0x0a000101)}});
  CHECK(table.take_source_changes().empty());
  kernel.answer = SendError::no_route;
  table.everything_changed();
  run(table, now, now + seconds(1));
  CHECK(table.take_source_changes() == std::vector<SourceChange>{{1, IpAddress()}});
}

TEST_CASE("only the flows inside a changed prefix are looked up again", "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  Instant now{seconds(100)};
  table.add(1, to("192.0.2.1"));
  table.add(2, to("198.51.100.1"));
  table.add(3, to("2001:db8::1"));
  table.add(4, to("192.0.2.200"));
  table.refresh(now);
  const auto looked_up_for = [&](const std::string& prefix, std::uint8_t length) {
    kernel.asked = 0;
    table.prefix_changed(address(prefix), length);
    run(table, now, now + seconds(1));
    return kernel.asked;
  };
  CHECK(looked_up_for("192.0.2.0", 24) == 2);
  CHECK(looked_up_for("192.0.2.0", 25) == 1);
  CHECK(looked_up_for("192.0.2.200", 32) == 1);
  CHECK(looked_up_for("192.0.3.0", 24) == 0);
  CHECK(looked_up_for("192.0.0.0", 22) == 2);
  CHECK(looked_up_for("0.0.0.0", 0) == 3);
  CHECK(looked_up_for("::", 0) == 1);
  CHECK(looked_up_for("2001:db8::", 61) == 1);
  CHECK(looked_up_for("2001:db9::", 32) == 0);
  CHECK(looked_up_for("192.0.2.0", 255) == 0);
  table.remove(2);
  CHECK(looked_up_for("198.51.100.0", 24) == 0);
}

TEST_CASE("a storm of changes costs a pass each 100 ms, however many flows there are a slice at a time",
          "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  for (std::uint32_t flow = 0; flow < 1000; ++flow)
    table.add(flow, to("192.0.2.1"));
  Instant now{seconds(100)};
  table.refresh(now);
  kernel.asked = 0;
  const Instant end = now + seconds(1);
  while (now < end) {
    table.everything_changed();
    const std::size_t before = kernel.asked;
    table.refresh(now);
    CHECK(kernel.asked - before <= RouteTable::kSlice);
    now += milliseconds(1);
  }
  // Ten slices of 5 ms and 100 ms of rest make a pass of about 145 ms.
  CHECK(kernel.asked >= 5000);
  CHECK(kernel.asked <= 8000);
}

TEST_CASE("without any change every flow is looked up again each 30 s", "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  for (std::uint32_t flow = 0; flow < 250; ++flow)
    table.add(flow, to("192.0.2.1"));
  Instant now{seconds(100)};
  table.refresh(now);
  kernel.asked = 0;
  run(table, now, now + seconds(29));
  CHECK(kernel.asked == 0);
  run(table, now, now + seconds(2));
  CHECK(kernel.asked == 250);
  run(table, now, now + seconds(60));
  CHECK(kernel.asked == 750);
}

TEST_CASE("flows that are removed during a pass hide no other from it", "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  for (std::uint32_t flow = 0; flow < 300; ++flow)
    table.add(flow, to("192.0.2.1"));
  Instant now{seconds(100)};
  table.refresh(now);
  kernel.use_source(0x0a000101);
  table.everything_changed();
  table.refresh(now);  // the first slice
  std::set<std::uint32_t> changed;
  const auto note = [&] {
    for (const SourceChange& change : table.take_source_changes())
      changed.insert(change.flow);
  };
  note();
  for (std::uint32_t flow = 0; flow < 50; ++flow)
    CHECK(table.remove(flow).has_value());
  CHECK_FALSE(table.remove(0).has_value());
  run(table, now, now + seconds(1));
  note();
  CHECK(table.size() == 250);
  for (std::uint32_t flow = 50; flow < 300; ++flow)
    CHECK(changed.contains(flow));
}

TEST_CASE("a flow number that is added again gets the new destination", "[route_table]") {
  Kernel kernel;
  RouteTable table(kernel.lookup());
  table.add(1, to("192.0.2.1"));
  table.add(1, to("198.51.100.1"));
  CHECK(table.size() == 1);
  CHECK(table.remove(1).value().tuple.destination == address("198.51.100.1"));
  CHECK(table.size() == 0);
}

}  // namespace
}  // namespace ecmp::net
