#include "net/routing/neighbour_table.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "catch.hpp"

namespace ecmp::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// No interface has this index, so that the kernel knows no such neighbour.
constexpr std::uint32_t kNowhere = 0x7ffffff0;

NeighbourKey key(std::uint32_t last) {
  return {kNowhere, IpAddress::v4(0xc0000200 + last)};
}

/// The body of a message about the neighbour `of`.
std::vector<std::uint8_t> body(const NeighbourKey& of, std::uint16_t state, std::uint8_t link_address) {
  ndmsg fixed{};
  fixed.ndm_family = AF_INET;
  fixed.ndm_ifindex = static_cast<int>(of.interface);
  fixed.ndm_state = state;
  std::vector<std::uint8_t> bytes(sizeof fixed);
  std::memcpy(bytes.data(), &fixed, sizeof fixed);
  const auto attribute = [&bytes](std::uint16_t type, ByteView value) {
    const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type};
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof header + (value.size() + 3) / 4 * 4);
    std::memcpy(bytes.data() + at, &header, sizeof header);
    std::memcpy(bytes.data() + at + sizeof header, value.data(), value.size());
  };
  attribute(NDA_DST, of.address.bytes());
  const std::vector<std::uint8_t> link(6, link_address);
  if (link_address != 0) attribute(NDA_LLADDR, link);
  return bytes;
}

struct Table {
  NeighbourTable table{std::move(*NetlinkSocket::open())};
  void tell(const NeighbourKey& of, std::uint16_t state, std::uint8_t link_address) {
    const auto bytes = body(of, state, link_address);
    table.take({RTM_NEWNEIGH, bytes});
  }
};

TEST_CASE("a neighbour's address is followed by notifications", "[neighbour_table]") {
  Table host;
  CHECK(host.table.resolve(key(1)).size == 0);
  const std::uint64_t before = host.table.generation();
  host.tell(key(1), NUD_REACHABLE, 0x11);
  CHECK(host.table.generation() != before);
  CHECK(host.table.resolve(key(1)).size == 6);
  CHECK(host.table.resolve(key(1)).bytes[5] == 0x11);
  const std::uint64_t known = host.table.generation();
  host.tell(key(1), NUD_STALE, 0x11);
  CHECK(host.table.generation() == known);
  CHECK(host.table.resolve(key(1)).size == 6);
  host.tell(key(1), NUD_FAILED, 0);
  CHECK(host.table.generation() != known);
  CHECK(host.table.resolve(key(1)).size == 0);
  host.tell(key(1), NUD_PERMANENT, 0x12);
  const auto gone = body(key(1), NUD_PERMANENT, 0x12);
  host.table.take({RTM_DELNEIGH, gone});
  CHECK(host.table.resolve(key(1)).size == 0);
}

TEST_CASE("neighbours nobody asked for are not kept", "[neighbour_table]") {
  Table host;
  const std::uint64_t before = host.table.generation();
  host.tell(key(1), NUD_REACHABLE, 0x11);
  CHECK(host.table.generation() == before);
  CHECK(host.table.due_checks(Instant(seconds(100)), 10).empty());
}

/// When `of` is due between `now` and `end`, in seconds since `now`, asked each 100 ms.
std::vector<Duration> due_times(NeighbourTable& table, Instant now, Duration during) {
  std::vector<Duration> times;
  for (Duration at{}; at < during; at += milliseconds(100))
    if (!table.due_checks(now + at, 10).empty()) times.push_back(at);
  return times;
}

TEST_CASE("an unresolved neighbour is asked for at once, then ever less often", "[neighbour_table]") {
  Table host;
  host.table.resolve(key(1));
  CHECK(due_times(host.table, Instant(seconds(100)), seconds(50)) ==
        std::vector<Duration>{seconds(0), seconds(1), seconds(3), seconds(7), seconds(15), seconds(31), seconds(47)});
}

TEST_CASE("a stale neighbour is verified each 5 s, a reachable one never", "[neighbour_table]") {
  Table host;
  host.table.resolve(key(1));
  host.tell(key(1), NUD_STALE, 0x11);
  CHECK(due_times(host.table, Instant(seconds(100)), seconds(14)) ==
        std::vector<Duration>{seconds(0), seconds(5), seconds(10)});
  host.tell(key(1), NUD_REACHABLE, 0x11);
  CHECK(due_times(host.table, Instant(seconds(200)), seconds(20)).empty());
}

TEST_CASE("many due neighbours are checked a few at a time", "[neighbour_table]") {
  Table host;
  for (std::uint32_t i = 0; i < 25; ++i)
    host.table.resolve(key(i));
  const Instant now(seconds(100));
  CHECK(host.table.due_checks(now, 10).size() == 10);
  CHECK(host.table.due_checks(now, 10).size() == 10);
  CHECK(host.table.due_checks(now, 10).size() == 5);
  CHECK(host.table.due_checks(now, 10).empty());
}

TEST_CASE("a neighbour that no route uses any more is forgotten", "[neighbour_table]") {
  Table host;
  host.table.resolve(key(1));
  host.tell(key(1), NUD_STALE, 0x11);
  host.table.forget_unused();
  host.table.forget_unused();
  CHECK(host.table.due_checks(Instant(seconds(100)), 10).empty());
}

}  // namespace
}  // namespace ecmp::net
