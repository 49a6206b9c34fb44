#include "probe/codec.hpp"

#include <set>
#include <vector>

#include "catch.hpp"

using namespace ecmp;
using Match = FlowCodec::Decoded::Match;
using packet::ProbeDatagram;
using packet::Quote;

namespace {

constexpr SipKey kSecret{0x0123456789abcdefu, 0xfedcba9876543210u};

FiveTuple tuple_of(Protocol protocol, bool v6, std::uint16_t source_port = 50000) {
  return {.source = *IpAddress::parse(v6 ? "2001:db8::1" : "192.0.2.1"),
          .destination = *IpAddress::parse(v6 ? "2001:db8:1::2" : "198.51.100.2"),
          .protocol = protocol,
          .source_port = source_port,
          .destination_port = protocol == Protocol::icmp ? std::uint16_t{0} : std::uint16_t{33434}};
}

struct Sent {
  std::vector<std::uint8_t> bytes;
  Quote quote;
  ProbeMark mark;
};

/// The probe as it leaves, and as a router would quote it in full (or only its 8 transport bytes).
Sent send(const FlowCodec& codec, const FiveTuple& tuple, const ProbeIdentity& identity, bool short_quote = false) {
  const auto size = packet::minimum_size(tuple.destination.family(), tuple.protocol);
  ProbeDatagram probe{.tuple = tuple, .total_size = static_cast<std::uint16_t>(size + 4)};
  const ProbeMark mark = codec.encode(identity, probe);
  Sent sent{std::vector<std::uint8_t>(probe.total_size), {}, mark};
  packet::write_probe(probe, sent.bytes);
  const auto parsed = packet::parse_probe(sent.bytes);
  REQUIRE(std::holds_alternative<Quote>(parsed));
  sent.quote = std::get<Quote>(parsed);
  if (short_quote) sent.quote.payload = {};
  return sent;
}

}  // namespace

TEST_CASE("the permutation is one-to-one on 1..65534 and undone by its inverse", "[probe][codec]") {
  const Permutation16 permutation(0x1122334455667788u);
  std::set<std::uint16_t> images;
  for (std::uint32_t number = 1; number < 0xffff; ++number) {
    const std::uint16_t image = permutation.forward(static_cast<std::uint16_t>(number));
    REQUIRE(image != 0);
    REQUIRE(image != 0xffff);
    REQUIRE(permutation.backward(image) == number);
    images.insert(image);
  }
  CHECK(images.size() == 0xfffe);
}

TEST_CASE("every identity survives the way through a quote", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const bool v6 : {false, true}) {
      for (const bool short_quote : {false, true}) {
        CAPTURE(static_cast<int>(protocol), v6, short_quote);
        const FiveTuple tuple = tuple_of(protocol, v6);
        const FlowCodec codec(protocol, derive_flow_secret(kSecret, tuple));
        for (int ttl = 1; ttl <= 255; ttl += 7) {
          for (std::uint8_t round = 0; round < ProbeIdentity::kRounds; round += 5) {
            const ProbeIdentity identity{.ttl = static_cast<std::uint8_t>(ttl), .round = round, .attempt = 2};
            const auto decoded = codec.decode(send(codec, tuple, identity, short_quote).quote);
            REQUIRE(decoded.match == Match::full);
            REQUIRE(decoded.identity == identity);
          }
        }
      }
    }
  }
}

TEST_CASE("what routers hash is the same for all probes of a flow", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    const FiveTuple tuple = tuple_of(protocol, true);
    const FlowCodec codec(protocol, derive_flow_secret(kSecret, tuple));
    const auto first = send(codec, tuple, {.ttl = 1, .round = 0, .attempt = 0});
    for (std::uint8_t ttl = 2; ttl < 40; ++ttl) {
      const auto other = send(codec, tuple, {.ttl = ttl, .round = ttl, .attempt = 1});
      CHECK(other.quote.tuple == first.quote.tuple);
      CHECK(other.quote.flow_label == first.quote.flow_label);
      CHECK(other.quote.flow_label != 0);
      CHECK(other.bytes.size() == first.bytes.size());
      if (protocol == Protocol::icmp) CHECK(other.quote.checksum == first.quote.checksum);
    }
  }
}

TEST_CASE("ICMP flows differ in their checksum, the field that routers hash", "[probe][codec]") {
  std::set<std::uint16_t> checksums;
  for (std::uint16_t identifier = 50000; identifier < 50064; ++identifier) {
    const FiveTuple tuple = tuple_of(Protocol::icmp, false, identifier);
    const FlowCodec codec(Protocol::icmp, derive_flow_secret(kSecret, tuple));
    checksums.insert(send(codec, tuple, {.ttl = 1}).quote.checksum);
  }
  CHECK(checksums.size() == 64);
}

TEST_CASE("a quote made with another secret is not taken for ours", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const bool v6 : {false, true}) {
      const FiveTuple tuple = tuple_of(protocol, v6);
      const FlowCodec ours(protocol, derive_flow_secret(kSecret, tuple));
      const FlowCodec theirs(protocol, derive_flow_secret({1, 2}, tuple));
      int believed = 0;
      for (int ttl = 1; ttl <= 255; ++ttl) {
        const auto sent = send(theirs, tuple, {.ttl = static_cast<std::uint8_t>(ttl), .round = 3});
        const auto decoded = ours.decode(sent.quote);
        believed += decoded.match == Match::full ? 1 : 0;
        if (protocol != Protocol::tcp) CHECK(decoded.match == Match::none);
      }
      CHECK(believed == 0);
    }
  }
}

TEST_CASE("a checksum that a NAT has adapted is off by the same for every probe of a flow", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp}) {
    const FiveTuple tuple = tuple_of(protocol, false);
    const FlowCodec codec(protocol, derive_flow_secret(kSecret, tuple));
    std::set<std::uint32_t> offsets;
    for (std::uint8_t ttl = 1; ttl < 200; ++ttl) {
      const ProbeIdentity identity{.ttl = ttl, .round = 40, .attempt = 0};
      auto sent = send(codec, tuple, identity);
      // RFC 1624, equation 3, for an address whose words changed by 0x1234 in all; a sequence number is shifted.
      const std::uint32_t sum = (~sent.quote.checksum & 0xffffu) + 0x1234u;
      sent.quote.checksum = static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16)));
      sent.quote.sequence += protocol == Protocol::tcp ? 0xdeadbeefu : 0;
      if (protocol == Protocol::udp) {
        CHECK(codec.decode(sent.quote).match == Match::full);  // the tag is quoted
        CHECK(codec.decode(sent.quote).identity == identity);
      }
      sent.quote.payload = {};
      const auto decoded = codec.decode(sent.quote);
      REQUIRE(decoded.match == Match::rewritten);
      REQUIRE(decoded.identity == identity);
      offsets.insert(decoded.offset);
    }
    CHECK(offsets.size() == 1);
  }
}

TEST_CASE("a rewritten IP-ID is not believed on a short quote", "[probe][codec]") {
  const FiveTuple tuple = tuple_of(Protocol::udp, false);
  const FlowCodec codec(Protocol::udp, derive_flow_secret(kSecret, tuple));
  auto sent = send(codec, tuple, {.ttl = 9, .round = 40});
  sent.quote.ip_id = 0;
  CHECK(codec.decode(sent.quote).match == Match::full);
  sent.quote.payload = {};
  CHECK(codec.decode(sent.quote).match == Match::none);
}

TEST_CASE("a mark is shown by its own probe's quote alone, long or short", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const bool v6 : {false, true}) {
      const FiveTuple tuple = tuple_of(protocol, v6);
      const FlowCodec codec(protocol, derive_flow_secret(kSecret, tuple));
      for (const bool short_quote : {false, true}) {
        const auto sent = send(codec, tuple, {.ttl = 9, .round = 40}, short_quote);
        CHECK(codec.shows(sent.quote, sent.mark));
        CHECK_FALSE(codec.shows(sent.quote, ProbeMark{}));
        for (const ProbeIdentity other : {ProbeIdentity{.ttl = 10, .round = 40}, ProbeIdentity{.ttl = 9, .round = 41},
                                          ProbeIdentity{.ttl = 9, .round = 40, .attempt = 1}})
          CHECK_FALSE(codec.shows(send(codec, tuple, other, short_quote).quote, sent.mark));
      }
    }
  }
}

TEST_CASE("a forged or rewritten quote shows no mark, so that decode() has to look closer", "[probe][codec]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::icmp}) {
    for (const bool v6 : {false, true}) {
      const FiveTuple tuple = tuple_of(protocol, v6);
      const FlowCodec codec(protocol, derive_flow_secret(kSecret, tuple));
      auto sent = send(codec, tuple, {.ttl = 9, .round = 40});
      sent.bytes.back() ^= 1;  // behind the tag: nobody's business
      CHECK(codec.shows(sent.quote, sent.mark));
      auto rewritten = sent.quote;
      rewritten.checksum ^= 0x1234;
      CHECK_FALSE(codec.shows(rewritten, sent.mark));
      auto forged = sent;
      // The first byte of the tag, behind the two that steer the checksum.
      const auto payload = static_cast<std::size_t>(forged.quote.payload.data() - forged.bytes.data());
      forged.bytes[payload + 2] ^= 1;
      CHECK_FALSE(codec.shows(forged.quote, sent.mark));
      auto guessed = sent.quote;
      guessed.payload = {};
      guessed.flow_label ^= 1;
      guessed.ip_id ^= 1;
      CHECK_FALSE(codec.shows(guessed, sent.mark));
    }
  }
}
