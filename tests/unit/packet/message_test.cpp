#include "packet/message.hpp"

#include <algorithm>

#include "catch.hpp"
#include "samples.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;
using samples::operator+;

namespace {

ParseError refused(const Bytes& bytes) {
  const Message message = parse(bytes);
  REQUIRE(std::holds_alternative<ParseError>(message));
  return std::get<ParseError>(message);
}

template <typename T>
bool is(const Bytes& bytes) {
  return std::holds_alternative<T>(parse(bytes));
}

Bytes first(const Bytes& bytes, std::size_t size) {
  return samples::padded(bytes, size);
}

/// IPv4 with its header checksum made right again.
Bytes resummed(Bytes bytes) {
  store16(bytes, 10, 0);
  store16(bytes, 10, static_cast<std::uint16_t>(~samples::plain_sum(ByteView(bytes).first((bytes[0] & 0xfu) * 4u))));
  return bytes;
}

Bytes quote_of(Family family, Protocol protocol = Protocol::udp) {
  return samples::written(samples::probe(family, protocol, 100));
}

/// IPv6 extension headers that say `next` follows.
Bytes ipv6_with(const Bytes& headers, std::uint8_t first_kind, const Bytes& payload) {
  return samples::ip(Family::ipv6, first_kind, headers + payload);
}

const Bytes kUdp = samples::hex("0035c350 000c0000 01020304");
const Bytes kTcp = samples::hex("01bbc351 01020304 05060708 5012ffff 00000000");

}  // namespace

TEST_CASE("a quote says what the probe said, however much of it is quoted", "[packet]") {
  for (const Family family : samples::kFamilies) {
    for (const Protocol protocol : samples::kProtocols) {
      const Bytes whole = quote_of(family, protocol);
      const Quote sent = std::get<Quote>(parse_probe(whole));
      const std::size_t header = family == Family::ipv4 ? 20 : 40;
      for (std::size_t size = 0; size <= whole.size(); ++size) {
        CAPTURE(static_cast<int>(family), static_cast<int>(protocol), size);
        const Bytes bytes = samples::time_exceeded(family, first(whole, size));
        const Message message = parse(bytes);
        if (size < header + 8) {
          REQUIRE(std::holds_alternative<ParseError>(message));
          REQUIRE(std::get<ParseError>(message) == ParseError::truncated);
          continue;
        }
        REQUIRE(std::holds_alternative<IcmpError>(message));
        const Quote& quote = std::get<IcmpError>(message).quote;
        REQUIRE(quote.tuple == sent.tuple);
        REQUIRE(quote.ttl == sent.ttl);
        REQUIRE(quote.traffic_class == sent.traffic_class);
        REQUIRE(quote.flow_label == sent.flow_label);
        REQUIRE(quote.ip_id == sent.ip_id);
        REQUIRE(quote.total_size == 100);
        REQUIRE(quote.checksum == sent.checksum);
        REQUIRE(quote.sequence == sent.sequence);
        const std::size_t payload = protocol == Protocol::tcp ? 0 : size - header - 8;
        REQUIRE(quote.payload.size() == payload);
        REQUIRE(std::equal(quote.payload.begin(), quote.payload.end(), sent.payload.begin()));
      }
    }
  }
}

TEST_CASE("what routers and hosts change in a quote does not matter", "[packet]") {
  const Bytes probe = quote_of(Family::ipv4);
  const auto quoted = [&](std::size_t at, std::uint16_t value) {
    Bytes changed = probe;
    store16(changed, at, value);
    const Bytes bytes = samples::time_exceeded(Family::ipv4, changed);
    const Message message = parse(bytes);
    REQUIRE(std::holds_alternative<IcmpError>(message));
    Quote quote = std::get<IcmpError>(message).quote;
    CHECK(quote.tuple == samples::tuple(Family::ipv4, Protocol::udp));
    CHECK(quote.payload.size() == 72);
    return quote;
  };
  quoted(10, 0xabcd);                             // header checksum
  CHECK(quoted(2, 0x6400).total_size == 0x6400);  // length in the other byte order
  CHECK(quoted(2, 80).total_size == 80);          // length without the header
  CHECK(quoted(2, 0).total_size == 0);
  CHECK(quoted(6, 0x0040).total_size == 100);  // DF in the other byte order
  CHECK(quoted(6, 0x2000).total_size == 100);  // a first fragment
  Bytes later = probe;
  store16(later, 6, 1);
  CHECK(refused(samples::time_exceeded(Family::ipv4, later)) == ParseError::malformed);
}

TEST_CASE("what is quoted must be one of ours", "[packet]") {
  for (const Family family : samples::kFamilies) {
    const bool v4 = family == Family::ipv4;
    const auto error = [&](const Bytes& quote) { return refused(samples::time_exceeded(family, quote)); };
    CAPTURE(v4);
    CHECK(error(quote_of(v4 ? Family::ipv6 : Family::ipv4)) == ParseError::malformed);
    CHECK(error(samples::ip(family, 47, kUdp)) == ParseError::irrelevant);
    CHECK(error(samples::icmp(family, v4 ? 0 : 129, 0, 1, {})) == ParseError::irrelevant);
    CHECK(error(samples::time_exceeded(family, quote_of(family))) == ParseError::irrelevant);
    Bytes wrong_version = quote_of(family);
    wrong_version[0] = 0x55;
    CHECK(error(wrong_version) == ParseError::malformed);
    CHECK(error({}) == ParseError::truncated);
  }
  Bytes short_header = quote_of(Family::ipv4);
  short_header[0] = 0x44;
  CHECK(refused(samples::time_exceeded(Family::ipv4, short_header)) == ParseError::malformed);
  Bytes long_header = first(quote_of(Family::ipv4), 30);
  long_header[0] = 0x4f;
  CHECK(refused(samples::time_exceeded(Family::ipv4, long_header)) == ParseError::truncated);
}

TEST_CASE("checksums of complete ICMP messages are verified", "[packet]") {
  for (const Family family : samples::kFamilies) {
    CAPTURE(static_cast<int>(family));
    const Bytes good = samples::time_exceeded(family, quote_of(family));
    CHECK(is<IcmpError>(good));
    Bytes bad = good;
    bad.back() ^= 0x10;
    CHECK(refused(bad) == ParseError::bad_checksum);
    // The capture may cut a datagram: then there is nothing to verify with.
    CHECK(is<IcmpError>(first(bad, bad.size() - 1)));
    // What lies behind the IP length is none of it.
    const Bytes padded = good + samples::hex("ff*20");
    CHECK(is<IcmpError>(padded));
    CHECK(std::get<IcmpError>(parse(padded)).quote.payload.size() ==
          std::get<IcmpError>(parse(good)).quote.payload.size());
  }
  // The pseudo header counts: a message to somebody else is not right here.
  Bytes moved = samples::time_exceeded(Family::ipv6, quote_of(Family::ipv6));
  moved[39] ^= 1;
  CHECK(refused(moved) == ParseError::bad_checksum);
}

TEST_CASE("a received IPv4 header must be right", "[packet]") {
  const Bytes good = samples::ip(Family::ipv4, 17, kUdp);
  CHECK(is<UdpDatagram>(good));
  Bytes bad = good;
  bad[8] ^= 1;
  CHECK(refused(bad) == ParseError::bad_checksum);
  bad = good;
  bad[0] = 0x55;
  CHECK(refused(bad) == ParseError::malformed);
  bad[0] = 0x44;
  CHECK(refused(bad) == ParseError::malformed);
  bad[0] = 0x4f;
  CHECK(refused(bad) == ParseError::truncated);
  CHECK(refused({}) == ParseError::truncated);
  for (std::size_t size = 1; size < 28; ++size)
    CHECK(refused(first(good, size)) == ParseError::truncated);

  bad = good;
  store16(bad, 2, 19);
  CHECK(refused(resummed(bad)) == ParseError::malformed);
  store16(bad, 2, 27);
  CHECK(refused(resummed(bad)) == ParseError::truncated);
  bad = good;
  store16(bad, 6, 0x2001);
  CHECK(refused(resummed(bad)) == ParseError::malformed);
  store16(bad, 6, 0x2000);
  CHECK(is<UdpDatagram>(resummed(bad)));
}

TEST_CASE("IPv6 extension headers lead to the transport header", "[packet]") {
  const Bytes tail = samples::hex("00010400 0000");  // padding option and its length, behind next header and size
  const auto header = [&](std::uint8_t next) { return Bytes{next, 0} + tail; };
  CHECK(is<UdpDatagram>(ipv6_with(header(17), 0, kUdp)));
  CHECK(is<UdpDatagram>(ipv6_with(header(43) + header(60) + header(17), 0, kUdp)));
  CHECK(is<UdpDatagram>(ipv6_with(samples::hex("1101 00*14"), 60, kUdp)));          // 16 bytes
  CHECK(is<UdpDatagram>(ipv6_with(samples::hex("1104 0000 00*20"), 51, kUdp)));     // AH counts in 4 bytes
  CHECK(is<UdpDatagram>(ipv6_with(samples::hex("1100 0001 00000001"), 44, kUdp)));  // first fragment
  CHECK(refused(ipv6_with(samples::hex("1100 0008 00000001"), 44, kUdp)) == ParseError::malformed);
  CHECK(refused(ipv6_with(samples::hex("1100 00*10"), 51, kUdp)) == ParseError::malformed);
  CHECK(refused(ipv6_with(samples::hex("11ff 00*6"), 0, kUdp)) == ParseError::truncated);
  CHECK(refused(ipv6_with(samples::hex("1100"), 0, {})) == ParseError::truncated);

  Bytes chain;
  for (int i = 0; i < 7; ++i)
    chain = chain + header(60);
  CHECK(is<UdpDatagram>(ipv6_with(chain + header(17), 60, kUdp)));
  CHECK(refused(ipv6_with(chain + header(60) + header(17), 60, kUdp)) == ParseError::malformed);

  // Headers that reach behind the IP length.
  Bytes short_length = ipv6_with(samples::hex("1101 00*14"), 60, kUdp);
  store16(short_length, 4, 8);
  CHECK(refused(short_length) == ParseError::malformed);
}

TEST_CASE("TCP segments are reported with their flags", "[packet]") {
  for (const Family family : samples::kFamilies) {
    for (unsigned flags = 0; flags < 64; ++flags) {
      Bytes tcp = kTcp;
      tcp[13] = static_cast<std::uint8_t>(flags);
      const Message message = parse(samples::ip(family, 6, tcp, 33));
      REQUIRE(std::holds_alternative<TcpSegment>(message));
      const auto& segment = std::get<TcpSegment>(message);
      REQUIRE(segment.fin == ((flags & 1) != 0));
      REQUIRE(segment.syn == ((flags & 2) != 0));
      REQUIRE(segment.rst == ((flags & 4) != 0));
      REQUIRE(segment.ack == ((flags & 16) != 0));
      REQUIRE(segment.sequence == 0x01020304);
      REQUIRE(segment.acknowledgement == 0x05060708);
      REQUIRE(segment.reply_ttl == 33);
    }
    Bytes wrong = kTcp;
    wrong[12] = 0x40;
    CHECK(refused(samples::ip(family, 6, wrong)) == ParseError::malformed);
    wrong[12] = 0x60;
    CHECK(refused(samples::ip(family, 6, wrong)) == ParseError::malformed);
    CHECK(refused(samples::ip(family, 6, first(kTcp, 19))) == ParseError::truncated);
    const Bytes with_options = kTcp + samples::hex("02040000");
    Bytes cut = with_options;
    cut[12] = 0x60;
    CHECK(is<TcpSegment>(samples::ip(family, 6, cut)));
    const Bytes whole = samples::ip(family, 6, cut);
    CHECK(refused(first(whole, whole.size() - 1)) == ParseError::truncated);
  }
}

TEST_CASE("UDP datagrams are reported with what is there of them", "[packet]") {
  for (const Family family : samples::kFamilies) {
    const auto with_length = [&](std::uint16_t length) {
      Bytes udp = kUdp;
      store16(udp, 4, length);
      return samples::ip(family, 17, udp);
    };
    const Bytes whole = with_length(12);
    const Bytes shorter = with_length(9);
    CHECK(std::get<UdpDatagram>(parse(whole)).payload.size() == 4);
    CHECK(std::get<UdpDatagram>(parse(shorter)).payload.size() == 1);
    CHECK(refused(with_length(7)) == ParseError::malformed);
    CHECK(refused(with_length(13)) == ParseError::malformed);
    const Bytes cut = first(whole, whole.size() - 3);
    CHECK(std::get<UdpDatagram>(parse(cut)).payload.size() == 1);
    CHECK(refused(samples::ip(family, 17, first(kUdp, 7))) == ParseError::truncated);
  }
}

TEST_CASE("what cannot answer a probe is irrelevant", "[packet]") {
  for (const Family family : samples::kFamilies) {
    const bool v4 = family == Family::ipv4;
    CAPTURE(v4);
    CHECK(refused(samples::ip(family, 89, kUdp)) == ParseError::irrelevant);
    // The other version's ICMP.
    CHECK(refused(samples::ip(family, v4 ? 58 : 1, kUdp)) == ParseError::irrelevant);
    const std::vector<std::uint8_t> types =
        v4 ? std::vector<std::uint8_t>{4, 5, 8, 9, 10, 13, 14, 129} : std::vector<std::uint8_t>{0, 128, 130, 135, 137};
    for (const std::uint8_t type : types)
      CHECK(refused(samples::icmp(family, type, 0, 0, quote_of(family))) == ParseError::irrelevant);
    CHECK(refused(samples::icmp(family, v4 ? 11 : 3, 1, 0, quote_of(family))) == ParseError::irrelevant);
    CHECK(is<EchoReply>(samples::icmp(family, v4 ? 0 : 129, 0, 0x12345678, {})));
    CHECK(refused(samples::icmp(family, v4 ? 0 : 129, 1, 0x12345678, {})) == ParseError::irrelevant);
    CHECK(refused(samples::ip(family, v4 ? 1 : 58, first({}, 7))) == ParseError::truncated);
  }
}

TEST_CASE("our own datagrams are read within their IP length", "[packet]") {
  for (const Family family : samples::kFamilies) {
    Bytes bytes = quote_of(family);
    const std::size_t payload = std::get<Quote>(parse_probe(bytes)).payload.size();
    bytes = bytes + samples::hex("ff*6");
    CHECK(std::get<Quote>(parse_probe(bytes)).payload.size() == payload);
    CHECK(std::get<ParseError>(parse_probe(first(bytes, family == Family::ipv4 ? 27 : 47))) == ParseError::truncated);
    CHECK(std::get<ParseError>(parse_probe(samples::ip(family, 47, kUdp))) == ParseError::irrelevant);
  }
}
