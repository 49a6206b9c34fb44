#include "stamp/reflector.hpp"

#include <algorithm>

#include "catch.hpp"
#include "unit/stamp/stamp_bytes.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace ecmp::stamp::test;
using namespace std::chrono_literals;

namespace {

constexpr SipKey kSecret = {19, 8762};
/// 2026-01-01T00:00:00Z, see packet_test.cpp. T1 at .5, T2 at .625, T3 at .75.
constexpr WallTime kNewYear{1767225600s};
constexpr WallTime kReceived = kNewYear + 625ms;
constexpr WallTime kSending = kNewYear + 750ms;
constexpr Instant kStart{1h};

/// What our reflector says of its clock: S and Z 0, scale 63, multiplier 1.
const std::string kOurError = "3f01";

Bytes open_request(std::uint32_t sequence = 7, const std::string& ssid = "1234") {
  Bytes bytes = hex("00000000 ed00378080000000 8f02 " + ssid + " 00*28");
  store32(bytes, 0, sequence);
  return bytes;
}
Bytes open_reply(const std::string& r, const std::string& s = "00000007", const std::string& ttl = "3d") {
  return hex(r + " ed003780c0000000 " + kOurError + " 1234 ed003780a0000000 " + s + " ed00378080000000 8f02 0000 " +
             ttl + " 000000");
}

/// 198.51.100.1:50000 asks 192.0.2.1:862 with TTL 61 and DSCP 46, ECN 2.
struct Asked {
  SessionKey session{*IpAddress::parse("198.51.100.1"), *IpAddress::parse("192.0.2.1"), 50000, 862, 0};
  std::uint8_t traffic_class = 0xba;
  Instant now = kStart;
  WallTime received = kReceived;
};

struct Asking {
  explicit Asking(ReflectorSettings settings = {}, std::size_t sessions = 100)
      : reflector(std::move(settings), sessions, kSecret) {}

  std::variant<Answer, Refusal> ask(const Bytes& payload, const Asked& asked = {}) {
    reply.assign(payload.size(), 0xee);
    const auto outcome = reflector.answer({.payload = payload,
                                           .session = asked.session,
                                           .ttl = 61,
                                           .traffic_class = asked.traffic_class,
                                           .now = asked.now,
                                           .received = asked.received},
                                          kSending, reply);
    if (const auto* answer = std::get_if<Answer>(&outcome)) {
      CHECK(answer->size == payload.size());
      traffic_class = answer->traffic_class;
    } else {
      CHECK(to_hex(reply) == to_hex(Bytes(payload.size(), 0xee)));
    }
    return outcome;
  }
  std::optional<Refusal> refusal(const Bytes& payload, const Asked& asked = {}) {
    const auto outcome = ask(payload, asked);
    const auto* refused = std::get_if<Refusal>(&outcome);
    return refused == nullptr ? std::nullopt : std::optional(*refused);
  }

  Reflector reflector;
  Bytes reply;
  std::uint8_t traffic_class = 0;
};

/// Behind the base of an open packet.
std::string tlvs(const Bytes& packet) {
  return to_hex(ByteView(packet).subspan(44));
}

}  // namespace

TEST_CASE("A reply is byte for byte what RFC 8762 figure 6 says, and R counts replies", "[stamp][reflector]") {
  Asking asking;
  REQUIRE_FALSE(asking.refusal(open_request()));
  CHECK(to_hex(asking.reply) == to_hex(open_reply("00000000")));
  // RFC 8762 section 4.3: the reply's DSCP is the request's; ECN is not for us to repeat.
  CHECK(asking.traffic_class == 0xb8);
  // Two requests were lost on the way: S jumps, R does not.
  REQUIRE_FALSE(asking.refusal(open_request(10)));
  CHECK(to_hex(asking.reply) == to_hex(open_reply("00000001", "0000000a")));
}

TEST_CASE("Sessions are told apart by addresses, ports and SSID", "[stamp][reflector]") {
  Asking asking;
  for (int i = 0; i < 3; ++i)
    REQUIRE_FALSE(asking.refusal(open_request()));
  Asked other;
  const auto r_of_next = [&](const Asked& asked, const Bytes& request) {
    REQUIRE_FALSE(asking.refusal(request, asked));
    return load32(asking.reply, 0);
  };
  CHECK(r_of_next(other, open_request()) == 3);
  CHECK(r_of_next(other, open_request(7, "1235")) == 0);
  other.session.source_port = 50001;
  CHECK(r_of_next(other, open_request()) == 0);
  other = {};
  other.session.source = *IpAddress::parse("198.51.100.2");
  CHECK(r_of_next(other, open_request()) == 0);
  other = {};
  other.session.destination = *IpAddress::parse("192.0.2.2");
  CHECK(r_of_next(other, open_request()) == 0);
  other = {};
  other.session.destination_port = 10862;
  CHECK(r_of_next(other, open_request()) == 0);
  CHECK(r_of_next({}, open_request()) == 4);
  CHECK(asking.reflector.sessions() == 6);
}

TEST_CASE("A request too short for its reply gets none, and TWAMP Light's of 41 bytes gets 41", "[stamp][reflector]") {
  Asking asking;
  const Bytes whole = open_request();
  for (std::size_t size = 0; size < 41; ++size)
    CHECK(asking.refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))) ==
          Refusal::too_short);
  CHECK(asking.reflector.sessions() == 0);
  for (std::size_t size = 41; size < 44; ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(asking.refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
    // A TWAMP Light sender has no SSID: what stands there is padding.
    Bytes wanted = open_reply("00000000");
    store32(wanted, 0, static_cast<std::uint32_t>(size - 41));
    store16(wanted, 14, 0);
    wanted.resize(size);
    CHECK(to_hex(asking.reply) == to_hex(wanted));
  }
}

TEST_CASE("Padding of TWAMP Light that is no TLV comes back", "[stamp][reflector]") {
  Asking asking;
  REQUIRE_FALSE(asking.refusal(open_request() + hex("5555555555555555")));
  // The first byte holds the flags of what claims to be 0x5555 bytes long: M.
  CHECK(tlvs(asking.reply) == "4055555555555555");
  REQUIRE_FALSE(asking.refusal(open_request() + hex("5a5a5a")));
  CHECK(tlvs(asking.reply) == "5a5a5a");
}

TEST_CASE("Extensions are answered as RFC 8972 says", "[stamp][reflector]") {
  Asking asking;
  const auto answered = [&](const std::string& request, const Asked& asked = {}) {
    REQUIRE_FALSE(asking.refusal(open_request() + hex(request), asked));
    return tlvs(asking.reply);
  };
  SECTION("padding: its bytes come back") {
    CHECK(answered("80 01 0003 aabbcc") == "00010003aabbcc");
  }
  SECTION("location: ports 862 and 50000, the addresses seen") {
    CHECK(answered("80 02 0004 00000000") == "00020004035ec350");
    CHECK(answered("80 02 002c 00000000 80 04 0010 00*16 80 07 0010 00*16") ==
          to_hex(hex("00 02 002c 035ec350 00 05 0010 c0000201 00*12 00 08 0010 c6336401 00*12")));
    Asked six;
    six.session.source = *IpAddress::parse("2001:db8::5");
    six.session.destination = *IpAddress::parse("2001:db8::1");
    CHECK(answered("80 02 0018 00000000 80 07 0010 00*16", six) ==
          to_hex(hex("00 02 0018 035ec350 00 09 0010 20010db8 00*11 05")));
    // Hardware addresses are not known here; a length of 8 is none of an address.
    CHECK(answered("80 02 0010 00000000 80 01 0008 00*8") == to_hex(hex("00 02 0010 035ec350 80 01 0008 00*8")));
    CHECK(answered("80 02 0010 00000000 80 07 0008 00*8") == to_hex(hex("00 02 0010 035ec350 40 07 0008 00*8")));
    CHECK(answered("80 02 0003 000000") == "40020003000000");
  }
  SECTION("timestamp information: a local clock, read by software") {
    CHECK(answered("80 03 0004 00000000") == "0003000405020502");
    CHECK(answered("80 03 0002 0000") == "400300020000");
  }
  SECTION("class of service: DSCP 10 is used, DSCP 46 with ECN 2 arrived") {
    // 001010 101110 10 00 and 16 zeros.
    CHECK(answered("80 04 0004 28000000") == "000400042ae80000");
    CHECK(asking.traffic_class == 10 << 2);
  }
  SECTION("class of service: nobody gets a class of routing protocols who has not sent one") {
    // 110000 101110 10 01
    CHECK(answered("80 04 0004 c0000000") == "00040004c2e90000");
    CHECK(asking.traffic_class == 46 << 2);
    Asked control;
    control.traffic_class = 0xc0;
    CHECK(answered("80 04 0004 c0000000", control) == "00040004c3000000");
    CHECK(asking.traffic_class == 0xc0);
    CHECK(answered("80 04 0002 c000") == "40040002c000");
  }
  SECTION("direct measurement: requests and replies of this session") {
    CHECK(answered("80 05 000c 00000009 00000000 00000000") == "0005000c000000090000000100000001");
    CHECK(answered("80 05 000c 0000000a 00000000 00000000") == "0005000c0000000a0000000200000002");
    CHECK(answered("80 05 0008 00000009 00000000") == "400500080000000900000000");
  }
  SECTION("what asks for other ways, more replies or reports is not understood") {
    CHECK(answered("80 06 0004 10000000") == "8006000410000000");
    CHECK(answered("80 09 0004 c0000209") == "80090004c0000209");
    CHECK(answered("80 0a 0008 80 01 0004 00000001") == "800a00088001000400000001");
    CHECK(answered("80 0b 0004 00010002") == "800b000400010002");
    CHECK(answered("80 0c 000c 05dc 0064 00000000 00000000") == "800c000c05dc00640000000000000000");
    CHECK(answered("80 c8 0000") == "80c80000");
    // A sender that forgot to set U learns it all the same.
    CHECK(answered("00 c8 0000") == "80c80000");
    // Without a key nobody can say whether an HMAC is right.
    CHECK(answered("80 08 0010 11*16") == to_hex(hex("80 08 0010 11*16")));
  }
  SECTION("nothing behind a malformed one is looked at") {
    CHECK(answered("80 05 0004 00000000 80 01 0000") == "400500040000000080010000");
    CHECK(answered("80 01 0000 80 05 00ff 00000000") == "00010000400500ff00000000");
  }
}

TEST_CASE("The follow-up says when the reply before left", "[stamp][reflector]") {
  Asking asking;
  const Bytes request = open_request() + hex("80 07 0010 00*16");
  const auto first = asking.ask(request);
  CHECK(tlvs(asking.reply) == to_hex(hex("00 07 0010 00*16")));
  const auto answer = std::get<Answer>(first);
  asking.reflector.left(answer.session, answer.sequence, kNewYear + 875ms);
  REQUIRE_FALSE(asking.refusal(request));
  CHECK(tlvs(asking.reply) == to_hex(hex("00 07 0010 00000000 ed003780e0000000 02 000000")));
  // Replies that this session has not had, and sessions that are not.
  asking.reflector.left(answer.session, 77, kNewYear);
  asking.reflector.left(4711, 0, kNewYear);
  REQUIRE_FALSE(asking.refusal(request));
  CHECK(tlvs(asking.reply) == to_hex(hex("00 07 0010 00000000 ed003780e0000000 02 000000")));
}

TEST_CASE("Our own extension says which requests arrived, also those whose replies are lost", "[stamp][reflector]") {
  std::vector<BackAsked> backs;
  Asking asking({.path_back = [&backs](const SessionKey& key, const BackAsked& asked, Instant) {
    backs.push_back(asked);
    return OwnTlv::Path{key.source_port, 9};
  }});
  const std::string own = "80 fa 0020 ec4d 01 00*26 05 00*2";
  const auto told = [&](std::uint32_t sequence) {
    REQUIRE_FALSE(asking.refusal(open_request(sequence) + hex(own)));
    CHECK(to_hex(ByteView(asking.reply).subspan(44, 4)) == "00fa0020");
    const auto read = read_own_tlv(ByteView(asking.reply).subspan(48));
    REQUIRE(read);
    return *read;
  };
  const OwnTlv first = told(100);
  CHECK(first.highest == 100);
  CHECK(first.arrived == 1);
  CHECK(first.back == OwnTlv::Path{50000, 9});
  told(101);
  const OwnTlv later = told(104);
  CHECK(later.epoch == first.epoch);
  CHECK(later.arrived == 0b11001);
  CHECK(later.received == 3);
  // The one in between comes late, and a copy of the first.
  CHECK(told(102).arrived == 0b11101);
  const OwnTlv last = told(100);
  CHECK(last.received == 4);
  CHECK(last.arrived == 0b11101);

  REQUIRE_FALSE(backs.empty());
  CHECK(backs.front().routers == 5);
  CHECK(backs.front().payload == 44 + 36);
  // A sender that does not know how far away it is learns no path, and neither does what a reflector wrote.
  const std::size_t asked = backs.size();
  REQUIRE_FALSE(asking.refusal(open_request(105) + hex("80 fa 0020 ec4d 01 00*29")));
  CHECK_FALSE(read_own_tlv(ByteView(asking.reply).subspan(48))->back);
  REQUIRE_FALSE(asking.refusal(open_request(106) + hex("80 fa 0020 ec4d 01 01 00*25 05 00*2")));
  CHECK(backs.size() == asked);

  // Somebody else's experiment with this type.
  REQUIRE_FALSE(asking.refusal(open_request() + hex("80 fa 0004 00000000")));
  CHECK(tlvs(asking.reply) == "80fa000400000000");
}

TEST_CASE("A sender that counts from 0 again begins a new epoch", "[stamp][reflector]") {
  Asking asking;
  const auto own = [&](std::uint32_t sequence) {
    REQUIRE_FALSE(asking.refusal(open_request(sequence) + hex("80 fa 0020 ec4d 01 00*29")));
    return *read_own_tlv(ByteView(asking.reply).subspan(48));
  };
  const auto before = own(5000);
  OwnTlv after;
  for (std::uint32_t sequence = 0; sequence < 20; ++sequence)
    after = own(sequence);
  CHECK(after.epoch != before.epoch);
  CHECK(after.highest == 19);
  // One very old packet is none.
  const auto steady = own(5000);
  CHECK(own(20).epoch == steady.epoch);
  CHECK(own(5001).highest == 5001);
}

TEST_CASE("Requests from ports of reflectors are refused", "[stamp][reflector]") {
  Asking asking({.own_ports = {862, 10862}});
  Asked asked;
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{0, 53, 862, 1023, 10862}) {
    asked.session.source_port = port;
    CHECK(asking.refusal(open_request(), asked) == Refusal::source_port);
  }
  asked.session.source_port = 1024;
  CHECK_FALSE(asking.refusal(open_request(), asked));
  CHECK(asking.reflector.sessions() == 1);
}

TEST_CASE("A loop between two reflectors ends with its second reply", "[stamp][reflector]") {
  // Two of ours that do not know of each other's ports, and a request that seems to come from the other.
  Asking a({.own_ports = {20001}});
  Asking b({.own_ports = {20002}});
  const IpAddress at_a = *IpAddress::parse("192.0.2.1");
  const IpAddress at_b = *IpAddress::parse("192.0.2.2");
  Asked to_a{.session = {at_b, at_a, 20002, 20001, 0}};
  const Asked to_b{.session = {at_a, at_b, 20001, 20002, 0}};
  REQUIRE_FALSE(a.refusal(open_request(), to_a));
  const Bytes first = a.reply;
  int packets = 1;
  Bytes packet = a.reply;
  while (packets < 10) {
    if (b.refusal(packet, to_b)) break;
    ++packets;
    if (a.refusal(b.reply, to_a)) break;
    ++packets;
    packet = a.reply;
  }
  CHECK(packets <= 2);
  // And the reply that comes back says why.
  CHECK(a.refusal(first, to_a) == Refusal::reply);
  // The same bytes much later: nobody's reply any more, so padding of TWAMP Light.
  to_a.received = kReceived + 10min;
  CHECK_FALSE(a.refusal(first, to_a));
}

TEST_CASE("Requests are no replies when the seconds of NTP begin anew", "[stamp][reflector]") {
  Asking asking;
  // 2036-02-07T06:28:16Z is 0 on the wire, as is what must be zero in a request.
  CHECK_FALSE(asking.refusal(open_request(), {.received = WallTime(2085978496s)}));
}

TEST_CASE("Sources are taken by the list, and requests to many are not", "[stamp][reflector]") {
  const IpAddress friendly = *IpAddress::parse("198.51.100.1");
  Asking asking({.allowed = [friendly](const IpAddress& address) { return address == friendly; }});
  CHECK_FALSE(asking.refusal(open_request()));
  Asked stranger;
  stranger.session.source = *IpAddress::parse("198.51.100.2");
  CHECK(asking.refusal(open_request(), stranger) == Refusal::not_allowed);
  Bytes out(44);
  const Bytes request = open_request();
  const auto outcome = asking.reflector.answer(
      {.payload = request, .session = Asked().session, .to_many = true, .now = kStart}, kSending, out);
  CHECK(std::get<Refusal>(outcome) == Refusal::destination);
}

TEST_CASE("A source has as many replies a second as it may, and others have theirs", "[stamp][reflector]") {
  Asking asking({.packets_per_second_per_source = 100});
  Asked asked;
  int replies = 0;
  for (int i = 0; i < 3000; ++i) {  // three seconds, ten times the rate
    asked.now = kStart + i * 1ms;
    asked.session.source_port = static_cast<std::uint16_t>(50000 + i % 7);
    replies += asking.refusal(open_request(), asked) == Refusal::rate ? 0 : 1;
  }
  // A second's worth at once, and what comes in three seconds.
  CHECK(replies >= 395);
  CHECK(replies <= 405);
  asked.session.source = *IpAddress::parse("198.51.100.77");
  CHECK_FALSE(asking.refusal(open_request(), asked));
  // An IPv6 /64 is one source.
  replies = 0;
  asked.session.destination = *IpAddress::parse("2001:db8::1");
  for (int i = 0; i < 1000; ++i) {
    asked.session.source = *IpAddress::parse("2001:db8:0:1::" + std::to_string(i + 1));
    replies += asking.refusal(open_request(), asked) ? 0 : 1;
  }
  CHECK(replies == 100);
}

TEST_CASE("Packets that say they are corrupt are dropped", "[stamp][reflector]") {
  Asking asking;
  Bytes request = open_request();
  request[13] = 0;
  CHECK(asking.refusal(request) == Refusal::malformed);
  CHECK(asking.reflector.sessions() == 0);
}

TEST_CASE("With a key, replies are sealed and nothing is remembered of requests that are not", "[stamp][reflector]") {
  const Bytes key = text("stamp key");
  Asking asking({.key = key});
  // From packet_test.cpp: sealed by Python's hmac.
  const Bytes request = hex("00000007 00*12 ed00378080000000 8f02 1234 00*68 0c6d222b7ed79a297a71762659bd7db4");
  for (std::size_t at = 0; at < request.size(); ++at) {
    Bytes changed = request;
    changed[at] ^= 1;
    REQUIRE(asking.refusal(changed) == Refusal::unauthenticated);
  }
  CHECK(asking.refusal(open_request() + hex("00*68")) == Refusal::unauthenticated);
  CHECK(asking.refusal(Bytes(request.begin(), request.end() - 1)) == Refusal::too_short);
  CHECK(asking.reflector.sessions() == 0);

  REQUIRE_FALSE(asking.refusal(request));
  CHECK(to_hex(ByteView(asking.reply).first(96)) ==
        to_hex(hex("00000000 00*12 ed003780c0000000 " + kOurError +
                   " 1234 00000000 ed003780a0000000 00*8 00000007 00*12 ed00378080000000 8f02 00*6 3d 00*15")));
  CHECK(is_sealed(key, asking.reply));

  SECTION("extensions with the right HMAC are answered and sealed anew") {
    REQUIRE_FALSE(
        asking.refusal(request + hex("80 04 0004 b8000000 80 08 0010 6b1b7d3ddce3d822428f2c23f6b2f9fc 80 01 0001 aa")));
    CHECK(to_hex(ByteView(asking.reply).subspan(112, 12)) == "00040004bae8000000080010");
    CHECK(to_hex(ByteView(asking.reply).subspan(140)) == "00010001aa");
    // RFC 8972 section 4.8: of the reply's sequence number and the TLVs before it.
    CHECK(to_hex(ByteView(asking.reply).subspan(124, 16)) ==
          to_hex(hmac_tag(key, {hex("00000001"), hex("00040004bae80000")})));
  }
  SECTION("extensions with a wrong one, or none, go back with I") {
    REQUIRE_FALSE(asking.refusal(request + hex("80 04 0004 b8000000 80 08 0010 00*16")));
    CHECK(to_hex(ByteView(asking.reply).subspan(112)) == to_hex(hex("a0 04 0004 b8000000 a0 08 0010 00*16")));
    REQUIRE_FALSE(asking.refusal(request + hex("80 04 0004 b8000000")));
    CHECK(to_hex(ByteView(asking.reply).subspan(112)) == "a0040004b8000000");
  }
  SECTION("padding alone needs no HMAC") {
    REQUIRE_FALSE(asking.refusal(request + hex("80 01 0002 aabb")));
    CHECK(to_hex(ByteView(asking.reply).subspan(112)) == "00010002aabb");
  }
}

TEST_CASE("A replay changes neither the highest number nor what arrived", "[stamp][reflector]") {
  Asking asking;
  const std::string own = "80 fa 0020 ec4d 01 00*29";
  std::vector<Bytes> recorded;
  for (std::uint32_t sequence = 0; sequence < 50; ++sequence) {
    recorded.push_back(open_request(sequence) + hex(own));
    REQUIRE_FALSE(asking.refusal(recorded.back()));
  }
  const auto before = *read_own_tlv(ByteView(asking.reply).subspan(48));
  for (const Bytes& packet : recorded)
    REQUIRE_FALSE(asking.refusal(packet));
  const auto after = *read_own_tlv(ByteView(asking.reply).subspan(48));
  CHECK(after == before);
}
