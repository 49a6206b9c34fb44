#include "packet/probe_datagram.hpp"

#include <algorithm>
#include <set>

#include "catch.hpp"
#include "samples.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;

namespace {

/// Sum over everything a transport checksum covers, the checksum field itself included: 0xffff if it is right.
std::uint16_t transport_sum(const ProbeDatagram& probe, const Bytes& bytes) {
  const bool v4 = probe.tuple.source.is_v4();
  const ByteView transport = ByteView(bytes).subspan(v4 ? 20 : 40);
  const std::uint8_t protocol = probe.tuple.protocol == Protocol::udp   ? 17
                                : probe.tuple.protocol == Protocol::tcp ? 6
                                : v4                                    ? 1
                                                                        : 58;
  if (protocol == 1) return samples::plain_sum(transport);
  return samples::plain_sum(
      transport, samples::plain_pseudo_sum(probe.tuple.source, probe.tuple.destination, protocol, transport.size()));
}

std::uint16_t checksum_field(const ProbeDatagram& probe, const Bytes& bytes) {
  const std::size_t ip = probe.tuple.source.is_v4() ? 20 : 40;
  return load16(bytes, ip + (probe.tuple.protocol == Protocol::udp   ? 6
                             : probe.tuple.protocol == Protocol::tcp ? 16
                                                                     : 2));
}

}  // namespace

TEST_CASE("a probe reads back as it was written", "[packet]") {
  std::mt19937_64 random(1);
  for (const Family family : samples::kFamilies) {
    for (const Protocol protocol : samples::kProtocols) {
      const std::size_t smallest = minimum_size(family, protocol);
      for (const std::size_t size :
           {smallest, smallest + 1, smallest + 2, std::size_t{128}, std::size_t{1500}, kMaximumProbeSize}) {
        ProbeDatagram probe = samples::random_probe(family, protocol, random);
        probe.total_size = static_cast<std::uint16_t>(size);
        CAPTURE(static_cast<int>(family), static_cast<int>(protocol), size);
        const Bytes bytes = samples::written(probe);
        const auto parsed = parse_probe(bytes);
        REQUIRE(std::holds_alternative<Quote>(parsed));
        const Quote& quote = std::get<Quote>(parsed);
        CHECK(quote.tuple == probe.tuple);
        CHECK(quote.ttl == probe.ttl);
        CHECK(quote.traffic_class == probe.dscp << 2);
        CHECK(quote.flow_label == probe.flow_label);
        CHECK(quote.ip_id == probe.ip_id);
        CHECK(quote.total_size == size);
        CHECK(quote.sequence == (protocol == Protocol::udp ? 0 : probe.sequence));
        CHECK(transport_sum(probe, bytes) == 0xffff);
        if (protocol == Protocol::tcp) {
          CHECK(quote.payload.empty());
          continue;
        }
        CHECK(quote.checksum == probe.checksum);
        REQUIRE(quote.payload.size() == size - (family == Family::ipv4 ? 28 : 48));
        CHECK(std::equal(probe.tag.begin(), probe.tag.end(), quote.payload.begin() + 2));
        CHECK(std::all_of(quote.payload.begin() + 10, quote.payload.end(), [](std::uint8_t b) { return b == 0; }));
      }
    }
  }
}

TEST_CASE("an IPv4 probe has a right header checksum, DF and no ECN", "[packet]") {
  std::mt19937_64 random(2);
  for (int i = 0; i < 1000; ++i) {
    const Bytes bytes = samples::written(samples::random_probe(Family::ipv4, samples::kProtocols[i % 3], random));
    REQUIRE(samples::plain_sum(ByteView(bytes).first(20)) == 0xffff);
    REQUIRE(load16(bytes, 6) == 0x4000);
    REQUIRE((bytes[1] & 3) == 0);
  }
}

TEST_CASE("a probe carries exactly the checksum that was asked for, and it is right", "[packet]") {
  std::mt19937_64 random(3);
  for (const Family family : samples::kFamilies) {
    for (const Protocol protocol : {Protocol::udp, Protocol::icmp}) {
      for (std::uint32_t checksum = 0; checksum <= 0xffff; ++checksum) {
        if (checksum == 0 && protocol == Protocol::udp) continue;
        ProbeDatagram probe = samples::random_probe(family, protocol, random);
        probe.checksum = static_cast<std::uint16_t>(checksum);
        const Bytes bytes = samples::written(probe);
        if (checksum_field(probe, bytes) == checksum && transport_sum(probe, bytes) == 0xffff) continue;
        CAPTURE(static_cast<int>(family), static_cast<int>(protocol), checksum);
        FAIL("wrong checksum");
      }
    }
  }
}

TEST_CASE("a TCP probe is a SYN as hosts send it", "[packet]") {
  const Bytes v4 = samples::written(samples::probe(Family::ipv4, Protocol::tcp));
  CHECK(v4.size() == 60);
  CHECK(Bytes(v4.begin() + 20, v4.begin() + 36) == samples::hex("c350 01bb deadbeef 00000000 a002 ffff"));
  CHECK(Bytes(v4.begin() + 40, v4.end()) == samples::hex("020405b4 0402 080a0000000100000000 01 030307"));
  const Bytes v6 = samples::written(samples::probe(Family::ipv6, Protocol::tcp));
  CHECK(v6.size() == 80);
  CHECK(Bytes(v6.begin() + 60, v6.begin() + 64) == samples::hex("020405a0"));
  CHECK(load32(v6, 0) == 0x6b8abcde);

  const Bytes large = samples::written(samples::probe(Family::ipv4, Protocol::tcp, 100));
  CHECK(large[32] == 0xa0);
  CHECK(std::all_of(large.begin() + 60, large.end(), [](std::uint8_t b) { return b == 0; }));
}

TEST_CASE("only the bytes that no router hashes differ between the probes of a flow", "[packet]") {
  for (const Family family : samples::kFamilies) {
    for (const Protocol protocol : samples::kProtocols) {
      const bool v4 = family == Family::ipv4;
      const std::size_t ip = v4 ? 20 : 40;
      std::set<std::size_t> free = v4 ? std::set<std::size_t>{4, 5, 8, 10, 11} : std::set<std::size_t>{7};
      const auto allow = [&](std::size_t first, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
          free.insert(ip + first + i);
      };
      if (protocol == Protocol::udp) allow(6, 12);
      if (protocol == Protocol::tcp) allow(4, 4), allow(16, 2);
      if (protocol == Protocol::icmp) allow(6, 12);

      std::mt19937_64 random(4);
      const ProbeDatagram first = samples::probe(family, protocol, 100);
      const Bytes reference = samples::written(first);
      std::set<std::size_t> seen;
      for (int i = 0; i < 2000; ++i) {
        ProbeDatagram other = samples::random_probe(family, protocol, random);
        other.tuple = first.tuple;
        other.dscp = first.dscp;
        other.flow_label = first.flow_label;
        other.total_size = first.total_size;
        if (protocol == Protocol::icmp) other.checksum = first.checksum;
        const Bytes bytes = samples::written(other);
        for (std::size_t at = 0; at < bytes.size(); ++at)
          if (bytes[at] != reference[at]) seen.insert(at);
      }
      CAPTURE(static_cast<int>(family), static_cast<int>(protocol));
      CHECK(seen == free);
    }
  }
}

TEST_CASE("a probe that cannot be built is not written", "[packet]") {
  Bytes room(100, 0xee);
  ProbeDatagram probe = samples::probe(Family::ipv4, Protocol::udp, 101);
  CHECK(write_probe(probe, room).empty());
  probe.total_size = static_cast<std::uint16_t>(minimum_size(Family::ipv4, Protocol::udp) - 1);
  CHECK(write_probe(probe, room).empty());
  probe.total_size = 60;
  probe.tuple.destination = *IpAddress::parse("2001:db8::1");
  CHECK(write_probe(probe, room).empty());
  Bytes larger(kMaximumProbeSize + 1, 0xee);
  probe = samples::probe(Family::ipv4, Protocol::udp, static_cast<std::uint16_t>(larger.size()));
  CHECK(write_probe(probe, larger).empty());
  CHECK(std::all_of(room.begin(), room.end(), [](std::uint8_t b) { return b == 0xee; }));
  // And nothing behind the datagram is touched.
  probe.total_size = 60;
  CHECK(write_probe(probe, room).size() == 60);
  CHECK(std::all_of(room.begin() + 60, room.end(), [](std::uint8_t b) { return b == 0xee; }));
}

TEST_CASE("the smallest probes hold their headers, steering bytes and tag", "[packet]") {
  CHECK(minimum_size(Family::ipv4, Protocol::udp) == 38);
  CHECK(minimum_size(Family::ipv4, Protocol::icmp) == 38);
  CHECK(minimum_size(Family::ipv4, Protocol::tcp) == 60);
  CHECK(minimum_size(Family::ipv6, Protocol::udp) == 58);
  CHECK(minimum_size(Family::ipv6, Protocol::icmp) == 58);
  CHECK(minimum_size(Family::ipv6, Protocol::tcp) == 80);
}
