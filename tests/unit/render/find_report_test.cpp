#include "render/report/find_report.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::render;

namespace {

DestinationFacts facts(Protocol protocol, const char* address, std::uint16_t port) {
  DestinationFacts made;
  made.name = "dst";
  made.address = *IpAddress::parse(address);
  made.protocol = protocol;
  made.port = port;
  return made;
}

/// A flow of so many rounds that reach the destination at TTL 1, the first of them lost.
void add_flow(DestinationTally& tally, std::uint32_t index, std::uint32_t rounds, std::uint32_t lost) {
  for (std::uint32_t number = 0; number < rounds; ++number) {
    RoundRecord record;
    record.flow_index = index;
    record.source_port = static_cast<std::uint16_t>(50000 + index);
    record.round.number = number;
    record.round.distance = 1;
    HopResult hop;
    hop.ttl = 1;
    if (number >= lost) {
      record.round.end_to_end = EndToEnd::reached;
      hop.outcome = HopOutcome::replied;
      hop.reply = packet::ReplyKind::port_unreachable;
      hop.responder = IpAddress::v4(0xc0000201);
    }
    record.round.hops = {hop};
    tally.take(record);
  }
}

}  // namespace

TEST_CASE("commands send on the 5-tuple of a flow, as far as their programs can", "[find]") {
  const IpAddress v4 = IpAddress::v4(0xc6336401);
  const IpAddress v6 = *IpAddress::parse("2001:db8::9");
  using Lines = std::vector<std::string>;
  CHECK(flow_commands(facts(Protocol::udp, "192.0.2.1", 33434), 50003, v4) ==
        Lines{"iperf3 -4 -u -c 192.0.2.1 -p 33434 --cport 50003 -B 198.51.100.1 -b 1M -t 30",
              "hping3 -2 -s 50003 -k -p 33434 -c 100 -i u100000 192.0.2.1",
              "ecmp_trace -U -4 -p 33434 -s 50003 -P 1 -c 100 --report 192.0.2.1"});
  CHECK(flow_commands(facts(Protocol::tcp, "2001:db8::1", 443), 50003, v6) ==
        Lines{"iperf3 -6 -c 2001:db8::1 -p 443 --cport 50003 -B 2001:db8::9 -t 30",
              "curl -6 --interface 2001:db8::9 --local-port 50003 -k -o /dev/null 'https://[2001:db8::1]:443/'",
              "ecmp_trace -T -6 -p 443 -s 50003 -P 1 -c 100 --report 2001:db8::1"});
  const auto plain = flow_commands(facts(Protocol::tcp, "192.0.2.1", 80), 50003, IpAddress());
  CHECK(plain.at(0) == "iperf3 -4 -c 192.0.2.1 -p 80 --cport 50003 -t 30");
  CHECK(plain.at(1) == "curl -4 --local-port 50003 -k -o /dev/null 'http://192.0.2.1:80/'");
  CHECK(plain.at(2) == "hping3 -S -s 50003 -k -p 80 -c 100 -i u100000 192.0.2.1");
  CHECK(flow_commands(facts(Protocol::icmp, "192.0.2.1", 0), 7, v4) ==
        Lines{"ecmp_trace -I -4 -s 7 -P 1 -c 100 --report 192.0.2.1"});
}

TEST_CASE("loss is clear when a flow has lost enough and another would have", "[find]") {
  DestinationTally tally;
  CHECK_FALSE(loss_is_clear(tally));
  add_flow(tally, 0, 40, 9);
  add_flow(tally, 1, 40, 0);
  CHECK_FALSE(loss_is_clear(tally));  // too few
  DestinationTally enough;
  add_flow(enough, 0, 40, 10);
  CHECK_FALSE(loss_is_clear(enough));  // nothing to compare with
  add_flow(enough, 1, 16, 0);
  CHECK_FALSE(loss_is_clear(enough));  // 0.75 to the 16th is 1.002 %
  DestinationTally clear;
  add_flow(clear, 0, 40, 10);
  add_flow(clear, 1, 17, 0);
  CHECK(loss_is_clear(clear));
}

TEST_CASE("the report tells those that lose and those that do not", "[find]") {
  DestinationTally tally;
  const DestinationFacts told = facts(Protocol::udp, "192.0.2.1", 33434);
  add_flow(tally, 0, 20, 0);
  std::string text;
  append_find_report(text, told, tally, nullptr, NoNames());
  CHECK(text == "\nNo loss: 1 flow answered every one of 20 probes.\n");
  add_flow(tally, 1, 20, 5);
  text.clear();
  append_find_report(text, told, tally, nullptr, NoNames());
  CHECK(text.starts_with("\n1 of 2 flows lose, 1 is clean.\n\nThese lose:\n\n  port 50001: lost 5 of 20 (25.0 %)\n"));
  CHECK(text.find("These do not:\n\n  port 50000: lost 0 of 20 (0.0 %)\n") != std::string::npos);
}
