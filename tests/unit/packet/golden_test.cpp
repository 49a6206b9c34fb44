#include "golden.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;
using samples::golden;

namespace {

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

/// `bytes` must stay alive as long as the message is looked at.
template <typename T>
T parsed(const Bytes& bytes) {
  const Message message = parse(bytes);
  if (const auto* error = std::get_if<ParseError>(&message)) FAIL(to_string(*error));
  REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

ParseError refused(const Bytes& bytes) {
  const Message message = parse(bytes);
  REQUIRE(std::holds_alternative<ParseError>(message));
  return std::get<ParseError>(message);
}

void check_udp_quote(const Quote& quote, Family family, std::uint8_t ttl) {
  CHECK(quote.tuple == samples::tuple(family, Protocol::udp));
  CHECK(quote.ttl == ttl);
  CHECK(quote.traffic_class == 0xb8);
  CHECK(quote.checksum == 0xbeef);
  CHECK(quote.ip_id == (family == Family::ipv4 ? 0x1234 : 0));
  CHECK(quote.flow_label == (family == Family::ipv4 ? 0 : 0xabcde));
}

void check_tag(ByteView payload) {
  const Bytes tag = samples::hex("a1a2a3a4a5a6a7a8");
  REQUIRE(payload.size() >= 10);
  CHECK(std::equal(tag.begin(), tag.end(), payload.begin() + 2));
}

}  // namespace

TEST_CASE("a quote of 8 transport bytes is enough, one of 7 is not", "[packet]") {
  const Bytes bytes = golden("v4_time_exceeded_smallest_quote");
  const auto error = parsed<IcmpError>(bytes);
  CHECK(error.from == address("203.0.113.1"));
  CHECK(error.to == address("198.51.100.1"));
  CHECK(error.reply_ttl == 62);
  CHECK(error.type == 11);
  CHECK(error.code == 0);
  CHECK(error.mtu == 0);
  CHECK(error.mpls.depth == 0);
  check_udp_quote(error.quote, Family::ipv4, 1);
  CHECK(error.quote.total_size == 52);
  CHECK(error.quote.payload.empty());
  CHECK(refused(golden("v4_time_exceeded_7_bytes")) == ParseError::truncated);
}

TEST_CASE("an MPLS label stack is read behind a quote of RFC 4884", "[packet]") {
  const Bytes v4 = golden("v4_time_exceeded_mpls");
  const auto error = parsed<IcmpError>(v4);
  check_udp_quote(error.quote, Family::ipv4, 1);
  check_tag(error.quote.payload);
  CHECK(error.quote.payload.size() == 100);
  REQUIRE(error.mpls.depth == 2);
  CHECK(error.mpls.labels[0] == MplsLabel{16004, 0, false, 1});
  CHECK(error.mpls.labels[1] == MplsLabel{24005, 5, true, 1});

  const Bytes v6 = golden("v6_time_exceeded_mpls");
  const auto error6 = parsed<IcmpError>(v6);
  check_udp_quote(error6.quote, Family::ipv6, 1);
  CHECK(error6.quote.payload.size() == 80);
  REQUIRE(error6.mpls.depth == 1);
  CHECK(error6.mpls.labels[0] == MplsLabel{24005, 0, true, 1});
}

TEST_CASE("an MPLS label stack is read behind a quote padded to 128 bytes without a length", "[packet]") {
  const Bytes bytes = golden("v4_time_exceeded_mpls_legacy");
  const auto error = parsed<IcmpError>(bytes);
  check_udp_quote(error.quote, Family::ipv4, 1);
  CHECK(error.quote.payload.size() == 100);
  REQUIRE(error.mpls.depth == 1);
  CHECK(error.mpls.labels[0] == MplsLabel{300112, 0, true, 1});
}

TEST_CASE("IP options and extension headers are stepped over, outside and in quotes", "[packet]") {
  const Bytes v4 = golden("v4_time_exceeded_ip_options");
  const auto error = parsed<IcmpError>(v4);
  check_udp_quote(error.quote, Family::ipv4, 1);
  CHECK(error.quote.total_size == 56);
  CHECK(error.quote.payload.size() == 24);
  check_tag(error.quote.payload);

  const Bytes v6 = golden("v6_time_exceeded_extension_headers");
  const auto error6 = parsed<IcmpError>(v6);
  check_udp_quote(error6.quote, Family::ipv6, 1);
  CHECK(error6.quote.total_size == 84);
  CHECK(error6.quote.payload.size() == 12);
  check_tag(error6.quote.payload);
}

TEST_CASE("TCP and echo probes are recognised in quotes", "[packet]") {
  const Bytes tcp = golden("v4_time_exceeded_tcp_8_bytes");
  const auto tcp_error = parsed<IcmpError>(tcp);
  CHECK(tcp_error.quote.tuple.protocol == Protocol::tcp);
  CHECK(tcp_error.quote.tuple.source_port == 50001);
  CHECK(tcp_error.quote.tuple.destination_port == 443);
  CHECK(tcp_error.quote.sequence == 0xdeadbeef);
  CHECK(tcp_error.quote.payload.empty());

  for (const char* name : {"v4_time_exceeded_echo", "v6_time_exceeded_echo"}) {
    CAPTURE(name);
    const Bytes echo = golden(name);
    const auto error = parsed<IcmpError>(echo);
    CHECK(error.quote.tuple == samples::tuple(error.from.family(), Protocol::icmp));
    CHECK(error.quote.checksum == 0x5a5a);
    CHECK(error.quote.sequence == 7);
    check_tag(error.quote.payload);
  }
}

TEST_CASE("errors from destinations and on path MTU are read", "[packet]") {
  const Bytes port = golden("v4_port_unreachable");
  const auto unreachable = parsed<IcmpError>(port);
  CHECK(unreachable.from == unreachable.quote.tuple.destination);
  CHECK(reply_kind(Family::ipv4, unreachable.type, unreachable.code) == ReplyKind::port_unreachable);
  check_udp_quote(unreachable.quote, Family::ipv4, 53);

  const Bytes port6 = golden("v6_port_unreachable");
  const auto unreachable6 = parsed<IcmpError>(port6);
  CHECK(reply_kind(Family::ipv6, unreachable6.type, unreachable6.code) == ReplyKind::port_unreachable);
  check_udp_quote(unreachable6.quote, Family::ipv6, 53);
  CHECK(unreachable6.quote.total_size == 60);

  const Bytes needed = golden("v4_fragmentation_needed");
  const auto fragmentation = parsed<IcmpError>(needed);
  CHECK(fragmentation.mtu == 1400);
  CHECK(fragmentation.quote.total_size == 1500);
  CHECK(fragmentation.quote.payload.size() == 520);

  const Bytes big = golden("v6_packet_too_big");
  const auto too_big = parsed<IcmpError>(big);
  CHECK(too_big.mtu == 1280);
  CHECK(too_big.quote.total_size == 1440);
  CHECK(too_big.quote.payload.size() == 1232 - 48);
}

TEST_CASE("answers of destinations are read", "[packet]") {
  for (const char* name : {"v4_echo_reply", "v6_echo_reply"}) {
    CAPTURE(name);
    const Bytes echo = golden(name);
    const auto reply = parsed<EchoReply>(echo);
    CHECK(reply.from == samples::tuple(reply.from.family(), Protocol::icmp).destination);
    CHECK(reply.to == samples::tuple(reply.from.family(), Protocol::icmp).source);
    CHECK(reply.identifier == 50000);
    CHECK(reply.sequence == 7);
    check_tag(reply.payload);
    CHECK(reply.payload.size() == (reply.from.is_v4() ? 32 : 12));
  }
  const Bytes syn_ack = golden("v4_syn_ack");
  const auto segment = parsed<TcpSegment>(syn_ack);
  CHECK((segment.syn && segment.ack && !segment.rst && !segment.fin));
  CHECK(segment.source_port == 443);
  CHECK(segment.destination_port == 50001);
  CHECK(segment.sequence == 0x01020304);
  CHECK(segment.acknowledgement == 0xdeadbef0);
  CHECK(segment.reply_ttl == 55);

  for (const char* name : {"v4_rst_padded", "v6_rst"}) {
    CAPTURE(name);
    const Bytes bytes = golden(name);
    const auto rst = parsed<TcpSegment>(bytes);
    CHECK((!rst.syn && rst.ack && rst.rst && !rst.fin));
    CHECK(rst.acknowledgement == 0xdeadbef0);
  }
  const Bytes dns = golden("v4_udp");
  const auto udp = parsed<UdpDatagram>(dns);
  CHECK(udp.source_port == 53);
  CHECK(udp.destination_port == 50000);
  CHECK(udp.payload.size() == 12);
  CHECK(load16(udp.payload, 0) == 0x1234);
}

TEST_CASE("a failed reassembly is not a hop's time exceeded", "[packet]") {
  CHECK(refused(golden("v4_reassembly_time_exceeded")) == ParseError::irrelevant);
}

TEST_CASE("the fuzzer starts from the golden datagrams", "[packet]") {
  std::set<std::string> names;
  for (const samples::Golden& each : golden()) {
    CAPTURE(each.name);
    names.insert(each.name);
    std::ifstream file(std::filesystem::path(ECMP_PACKET_CORPUS) / each.name, std::ios::binary);
    REQUIRE(file);
    CHECK(Bytes(std::istreambuf_iterator<char>(file), {}) == each.bytes);
  }
  // Beside them stands only what the fuzzer found itself, which it names by a SHA-1.
  for (const auto& entry : std::filesystem::directory_iterator(ECMP_PACKET_CORPUS)) {
    const std::string name = entry.path().filename().string();
    const bool found = name.size() == 40 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
    CAPTURE(name);
    CHECK((found || names.count(name) == 1));
  }
}
