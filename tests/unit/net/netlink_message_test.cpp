#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <random>
#include <sys/socket.h>

#include "catch.hpp"
#include "net/probe_io/send_failure.hpp"
#include "net/routing/link_table.hpp"
#include "net/routing/netlink_socket.hpp"
#include "net/routing/route_lookup.hpp"

namespace ecmp::net {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// The body of a netlink message under construction.
class Body {
 public:
  template <typename Fixed>
  explicit Body(const Fixed& fixed) {
    append(&fixed, sizeof fixed);
  }
  Body& attribute(std::uint16_t type, ByteView value) {
    const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type};
    append(&header, sizeof header);
    append(value.data(), value.size());
    return *this;
  }
  Body& word(std::uint16_t type, std::uint32_t value) {
    Bytes number(sizeof value);
    std::memcpy(number.data(), &value, sizeof value);
    return attribute(type, number);
  }
  Bytes bytes;

 private:
  void append(const void* from, std::size_t size) {
    const std::size_t at = bytes.size();
    bytes.resize(at + (size + 3) / 4 * 4);
    if (size != 0) std::memcpy(bytes.data() + at, from, size);
  }
};

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

RouteQuery query_for(const char* destination) {
  RouteQuery query;
  query.tuple.destination = address(destination);
  return query;
}

rtmsg route_body(unsigned char type) {
  rtmsg body{};
  body.rtm_type = type;
  return body;
}

TEST_CASE("a route answer gives interface, gateway and source", "[route_lookup]") {
  Body body(route_body(RTN_UNICAST));
  body.word(RTA_OIF, 5)
      .attribute(RTA_GATEWAY, address("10.0.0.2").bytes())
      .attribute(RTA_PREFSRC, address("10.0.0.1").bytes());
  const RouteAnswer answer = read_route({RTM_NEWROUTE, body.bytes}, query_for("192.0.2.1"));
  CHECK(std::get<Route>(answer) == Route{false, 5, address("10.0.0.2"), address("10.0.0.1")});
}

TEST_CASE("without a gateway the destination is the neighbour", "[route_lookup]") {
  Body body(route_body(RTN_UNICAST));
  body.word(RTA_OIF, 5);
  RouteQuery query = query_for("192.0.2.1");
  query.tuple.source = address("192.0.2.7");
  const RouteAnswer answer = read_route({RTM_NEWROUTE, body.bytes}, query);
  CHECK(std::get<Route>(answer) == Route{false, 5, address("192.0.2.1"), address("192.0.2.7")});
}

TEST_CASE("an IPv4 route may lead over an IPv6 gateway", "[route_lookup]") {
  Bytes via(2);
  const std::uint16_t family = AF_INET6;
  std::memcpy(via.data(), &family, sizeof family);
  const IpAddress gateway = address("fe80::1");
  via.insert(via.end(), gateway.bytes().begin(), gateway.bytes().end());
  Body body(route_body(RTN_UNICAST));
  body.word(RTA_OIF, 5).attribute(RTA_VIA, via).attribute(RTA_PREFSRC, address("10.0.0.1").bytes());
  const RouteAnswer answer = read_route({RTM_NEWROUTE, body.bytes}, query_for("192.0.2.1"));
  CHECK(std::get<Route>(answer).gateway == gateway);
}

TEST_CASE("routes that lead nowhere are no routes", "[route_lookup]") {
  const auto answer = [](unsigned char type, bool interface, const char* source) {
    Body body(route_body(type));
    if (interface) body.word(RTA_OIF, 5);
    if (source) body.attribute(RTA_PREFSRC, address(source).bytes());
    return read_route({RTM_NEWROUTE, body.bytes}, query_for("192.0.2.1"));
  };
  CHECK(std::holds_alternative<Route>(answer(RTN_UNICAST, true, "10.0.0.1")));
  CHECK(std::get<Route>(answer(RTN_LOCAL, true, "10.0.0.1")).local);
  for (const unsigned char type : {RTN_BROADCAST, RTN_MULTICAST, RTN_UNREACHABLE, RTN_BLACKHOLE, RTN_PROHIBIT})
    CHECK(std::get<SendError>(answer(type, true, "10.0.0.1")) == SendError::no_route);
  CHECK(std::get<SendError>(answer(RTN_UNICAST, false, "10.0.0.1")) == SendError::no_route);
  CHECK(std::get<SendError>(answer(RTN_UNICAST, true, nullptr)) == SendError::no_route);
  CHECK(std::get<SendError>(answer(RTN_UNICAST, true, "2001:db8::1")) == SendError::no_route);
}

TEST_CASE("next hops of a multipath route are counted by interface", "[route_lookup]") {
  Bytes hops;
  for (const int interface : {5, 6, 5}) {
    rtnexthop hop{};
    hop.rtnh_len = sizeof hop + 8;  // and a gateway attribute
    hop.rtnh_ifindex = interface;
    const std::size_t at = hops.size();
    hops.resize(at + hop.rtnh_len);
    std::memcpy(hops.data() + at, &hop, sizeof hop);
  }
  Body multipath(route_body(RTN_UNICAST));
  multipath.attribute(RTA_MULTIPATH, hops);
  CHECK(next_hops_on({RTM_NEWROUTE, multipath.bytes}, 5) == 2);
  CHECK(next_hops_on({RTM_NEWROUTE, multipath.bytes}, 6) == 1);
  CHECK(next_hops_on({RTM_NEWROUTE, multipath.bytes}, 7) == 0);
  Body single(route_body(RTN_UNICAST));
  single.word(RTA_OIF, 6);
  CHECK(next_hops_on({RTM_NEWROUTE, single.bytes}, 6) == 1);
  CHECK(next_hops_on({RTM_NEWROUTE, single.bytes}, 5) == 0);
}

TEST_CASE("malformed netlink messages are read without harm", "[netlink]") {
  const unsigned seed = 20240601;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int turn = 0; turn < 20000; ++turn) {
    Bytes bytes(random() % 120);
    for (auto& byte : bytes)
      byte = static_cast<std::uint8_t>(random() % 8 == 0 ? random() : random() % 24);
    std::size_t attributes = 0;
    each_attribute({0, bytes}, random() % 40, [&](std::uint16_t, ByteView value) {
      ++attributes;
      REQUIRE(value.size() <= bytes.size());
    });
    REQUIRE(attributes <= bytes.size() / 4);
    (void)read_route({RTM_NEWROUTE, bytes}, query_for("192.0.2.1"));
    (void)next_hops_on({RTM_NEWROUTE, bytes}, 1);
    LinkTable links;
    links.take({RTM_NEWLINK, bytes});
  }
}

TEST_CASE("links are followed by their messages", "[link_table]") {
  LinkTable links;
  ifinfomsg fixed{};
  fixed.ifi_index = 4;
  const auto message = [&](const char* name, std::size_t address_size) {
    Body body(fixed);
    const std::string text(name);
    body.attribute(IFLA_IFNAME, Bytes(text.c_str(), text.c_str() + text.size() + 1));
    if (address_size != 0) body.attribute(IFLA_ADDRESS, Bytes(address_size));
    return body;
  };
  const Body ethernet = message("eth7", 6);
  CHECK(links.take({RTM_NEWLINK, ethernet.bytes}));
  CHECK_FALSE(links.take({RTM_NEWLINK, ethernet.bytes}));
  CHECK(links.index_of("eth7") == 4u);
  CHECK(links.find(4)->has_neighbours);
  const Body renamed = message("tun7", 0);
  CHECK(links.take({RTM_NEWLINK, renamed.bytes}));
  CHECK_FALSE(links.index_of("eth7").has_value());
  CHECK_FALSE(links.find(4)->has_neighbours);
  fixed.ifi_family = AF_BRIDGE;
  CHECK_FALSE(links.take({RTM_DELLINK, message("tun7", 0).bytes}));
  fixed.ifi_family = AF_UNSPEC;
  CHECK(links.take({RTM_DELLINK, message("tun7", 0).bytes}));
  CHECK(links.find(4) == nullptr);
}

TEST_CASE("errnos become the engine's reasons", "[send_failure]") {
  CHECK(send_failure(0) == SendError::none);
  CHECK(send_failure(EHOSTUNREACH) == SendError::no_route);
  CHECK(send_failure(EPERM) == SendError::no_permission);
  CHECK(send_failure(EAGAIN) == SendError::no_buffers);
  CHECK(send_failure(ENOBUFS) == SendError::no_buffers);
  CHECK(send_failure(EMSGSIZE) == SendError::too_big);
  CHECK(send_failure(ENXIO) == SendError::link_down);
  CHECK(send_failure(EIO) == SendError::other);
}

}  // namespace
}  // namespace ecmp::net
