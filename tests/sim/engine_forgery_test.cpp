// An attacker off the path: knows addresses, ports and protocol of a flow, not the secret, sees none of our packets.
// What is counted here are guesses that the engine believed; docs/adr/0006 states the odds.
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "packet/checksum.hpp"
#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"
#include "probe/engine.hpp"
#include "sim/random.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::uint8_t kMaxTtl = 30;

class NoRounds final : public RoundSink {
 public:
  void on_round(const Round& /*round*/) override {}
};

/// One flow, one round: all its probes are under way and stay so, the best that an attacker can hope for.
struct Victim {
  Victim(Protocol protocol, Family family, const SipKey& secret) : engine({.secret = secret}) {
    const bool v4 = family == Family::ipv4;
    const DestinationPlan plan{.address = v4 ? IpAddress::v4(0xc6336401) : *IpAddress::parse("2001:db8:1::1"),
                               .protocol = protocol,
                               .flows = 1,
                               .interval = 1h,
                               .timeout = 50min,
                               .max_ttl = kMaxTtl,
                               .ttl_gap = 1ms,
                               .start_spread = 1ms};
    const auto flow = engine.add(plan, now);
    engine.set_source(*flow, v4 ? IpAddress::v4(0xc0000201) : *IpAddress::parse("2001:db8::1"));
    tuple = engine.tuple(*flow);
    send_all();
  }

  void next_round() {
    now += 1h;
    send_all();
  }

  void feed(ByteView bytes) {
    ++fed;
    engine.on_captured({.bytes = bytes, .at = now}, sink);
  }

  [[nodiscard]] std::uint64_t believed() const {
    const auto& ignored = engine.counters().ignored;
    return fed - std::accumulate(ignored.begin(), ignored.end(), std::uint64_t{0});
  }
  [[nodiscard]] std::uint64_t ignored(Ignored why) const {
    return engine.counters().ignored[static_cast<std::size_t>(why)];
  }

  void send_all() {
    sent.clear();
    for (int turn = 0; turn < 3000; ++turn) {
      const auto batch = engine.poll(now, 128, sink);
      for (Outgoing& outgoing : batch) {
        outgoing.at = now;
        sent.push_back(std::get<packet::Quote>(packet::parse_probe(outgoing.bytes)));
        sent.back().payload = {};  // it is of the batch, which goes
      }
      engine.on_sent(batch);
      now += 1ms;
    }
  }

  Engine engine;
  NoRounds sink;
  Instant now{1h};
  FiveTuple tuple;
  std::vector<packet::Quote> sent;
  std::uint64_t fed = 0;
};

/// A datagram to the victim whose fields can be changed one by one: the checksum follows (RFC 1624).
class Forgery {
 public:
  static Forgery time_exceeded(const FiveTuple& tuple, bool whole_quote) {
    const bool v4 = tuple.destination.is_v4();
    packet::ProbeDatagram probe{.tuple = tuple, .checksum = 0x1234};
    probe.total_size = static_cast<std::uint16_t>(packet::minimum_size(tuple.destination.family(), tuple.protocol));
    std::vector<std::uint8_t> quote(probe.total_size);
    (void)packet::write_probe(probe, quote);
    quote[v4 ? 8 : 7] = 1;
    const std::size_t transport = v4 ? 20 : 40;
    if (!whole_quote) quote.resize(transport + 8);
    std::vector<std::uint8_t> body = {static_cast<std::uint8_t>(v4 ? 11 : 3), 0, 0, 0, 0, 0, 0, 0};
    body.insert(body.end(), quote.begin(), quote.end());
    const IpAddress router = v4 ? IpAddress::v4(0x0a000001) : *IpAddress::parse("2001:db8:ff::1");
    Forgery made(router, tuple.source, v4 ? 1 : 58, std::move(body), 2);
    made.quote_ = made.header_ + 8;
    made.transport_ = made.quote_ + transport;
    return made;
  }

  static Forgery echo_reply(const FiveTuple& tuple) {
    const bool v4 = tuple.destination.is_v4();
    std::vector<std::uint8_t> body(8 + 10);
    body[0] = v4 ? 0 : 129;
    store16(body, 4, tuple.source_port);
    return {tuple.destination, tuple.source, static_cast<std::uint8_t>(v4 ? 1 : 58), std::move(body), 2};
  }

  static Forgery segment(const FiveTuple& tuple, bool rst, std::size_t data = 0) {
    std::vector<std::uint8_t> body(20 + data);
    store16(body, 0, tuple.destination_port);
    store16(body, 2, tuple.source_port);
    body[12] = 0x50;
    body[13] = rst ? 0x14 : 0x12;
    return {tuple.destination, tuple.source, 6, std::move(body), 16};
  }

  /// `at`: an even place in what follows the IP header.
  void put16(std::size_t at, std::uint16_t value) {
    const MutableBytes bytes(bytes_);
    const std::size_t place = header_ + at;
    const auto sum = std::uint32_t{static_cast<std::uint16_t>(~load16(bytes, checksum_))} +
                     static_cast<std::uint16_t>(~load16(bytes, place)) + value;
    store16(bytes, place, value);
    const std::uint32_t folded = (sum & 0xffff) + (sum >> 16);
    store16(bytes, checksum_, static_cast<std::uint16_t>(~((folded & 0xffff) + (folded >> 16))));
  }
  void put32(std::size_t at, std::uint32_t value) {
    put16(at, static_cast<std::uint16_t>(value >> 16));
    put16(at + 2, static_cast<std::uint16_t>(value));
  }

  void ip_id(std::uint16_t value) { put16(quote_ - header_ + 4, value); }
  void flow_label(std::uint32_t value) { put32(quote_ - header_, 6u << 28 | (value & 0xfffff)); }
  /// What says which probe it was: a checksum, a sequence of 16 bits, or one of 32.
  void word(Protocol protocol, std::uint32_t value) {
    if (protocol == Protocol::tcp) return put32(transport_ - header_ + 4, value);
    put16(transport_ - header_ + 6, static_cast<std::uint16_t>(value));
  }
  void tag(std::uint64_t value) {
    put32(transport_ - header_ + 10, static_cast<std::uint32_t>(value >> 32));
    put32(transport_ - header_ + 14, static_cast<std::uint32_t>(value) | 1);
  }

  [[nodiscard]] ByteView bytes() const { return bytes_; }

 private:
  Forgery(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, std::vector<std::uint8_t> body,
          std::size_t checksum) {
    const bool v4 = to.is_v4();
    header_ = v4 ? 20 : 40;
    bytes_.resize(header_);
    const MutableBytes header(bytes_);
    if (v4) {
      header[0] = 0x45;
      store16(header, 2, static_cast<std::uint16_t>(header_ + body.size()));
      header[8] = 60;
      header[9] = protocol;
    } else {
      header[0] = 0x60;
      store16(header, 4, static_cast<std::uint16_t>(body.size()));
      header[6] = protocol;
      header[7] = 60;
    }
    std::ranges::copy(from.bytes(), bytes_.begin() + (v4 ? 12 : 8));
    std::ranges::copy(to.bytes(), bytes_.begin() + (v4 ? 16 : 24));
    if (v4) store16(header, 10, static_cast<std::uint16_t>(~packet::ones_complement_sum(header)));
    const bool pseudo = !v4 || protocol == 6;
    const auto size = static_cast<std::uint32_t>(body.size());
    const auto begin = pseudo ? packet::pseudo_header_sum(from, to, protocol, size) : std::uint16_t{0};
    store16(body, checksum, static_cast<std::uint16_t>(~packet::ones_complement_sum(body, begin)));
    checksum_ = header_ + checksum;
    bytes_.insert(bytes_.end(), body.begin(), body.end());
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t header_ = 0;
  std::size_t checksum_ = 0;
  std::size_t quote_ = 0;
  std::size_t transport_ = 0;
};

std::uint32_t word_of(const packet::Quote& quote) {
  return quote.tuple.protocol == Protocol::udp ? quote.checksum : quote.sequence;
}

/// The least count that so many guesses exceed less than once in a million times (Poisson).
std::uint64_t most_expected(double mean) {
  double term = std::exp(-mean);
  double below = term;
  std::uint64_t count = 0;
  while (1 - below > 1e-6) {
    term *= mean / static_cast<double>(++count);
    below += term;
  }
  return count;
}

/// Four ways to guess, in turn: all bits at random; the same datagram twice while IP-ID or flow label are tried one
/// after the other; long quotes; and what the destination itself would say.
void attack(Victim& victim, Protocol protocol, std::uint64_t guesses, Random& random) {
  const bool v4 = victim.tuple.destination.is_v4();
  Forgery short_quote = Forgery::time_exceeded(victim.tuple, false);
  Forgery sweeping = Forgery::time_exceeded(victim.tuple, false);
  Forgery long_quote = Forgery::time_exceeded(victim.tuple, true);
  Forgery echo = Forgery::echo_reply(victim.tuple);
  std::array<Forgery, 2> segments = {Forgery::segment(victim.tuple, false), Forgery::segment(victim.tuple, true)};
  const auto place = [v4](Forgery& forgery, std::uint64_t bits) {
    v4 ? forgery.ip_id(static_cast<std::uint16_t>(bits)) : forgery.flow_label(static_cast<std::uint32_t>(bits));
  };
  for (std::uint64_t i = 0; i < guesses / 4; ++i) {
    const std::uint64_t bits = random.next();
    place(short_quote, bits);
    short_quote.word(protocol, static_cast<std::uint32_t>(bits >> 32));
    victim.feed(short_quote.bytes());

    if (i % 0x20000 == 0) sweeping.word(protocol, static_cast<std::uint32_t>(bits >> 24));
    place(sweeping, i / 2);
    victim.feed(sweeping.bytes());

    place(long_quote, bits >> 8);
    long_quote.word(protocol, static_cast<std::uint32_t>(bits >> 30));
    if (protocol != Protocol::tcp) long_quote.tag(random.next());
    victim.feed(long_quote.bytes());

    if (protocol == Protocol::icmp) {
      echo.put16(6, static_cast<std::uint16_t>(bits >> 16));
      echo.put32(10, static_cast<std::uint32_t>(bits >> 32));
      echo.put32(14, static_cast<std::uint32_t>(bits));
      victim.feed(echo.bytes());
    } else if (protocol == Protocol::tcp) {
      segments[i % 2].put32(8, static_cast<std::uint32_t>(bits >> 16));
      victim.feed(segments[i % 2].bytes());
    } else {
      // A UDP datagram from the destination would need no guess (docs/adr/0006): the odds of the rest are tested.
      place(short_quote, bits >> 4);
      victim.feed(short_quote.bytes());
    }
  }
}

void attack_all(std::uint64_t guesses, std::uint64_t seed) {
  Random random(seed);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      CAPTURE(static_cast<int>(protocol), family == Family::ipv4 ? 4 : 6);
      Victim victim(protocol, family, {random.next(), random.next()});
      REQUIRE(victim.sent.size() == kMaxTtl);
      attack(victim, protocol, guesses, random);
      // All of them came as far as to be asked for the secret.
      REQUIRE(victim.ignored(Ignored::malformed) + victim.ignored(Ignored::unknown_flow) == 0);
      constexpr double kOdds = kMaxTtl / (65534.0 * 65534.0);  // the best of all: two words of 16 bits
      CHECK(victim.believed() <= most_expected(static_cast<double>(victim.fed) * kOdds));
    }
  }
}

}  // namespace

TEST_CASE("guesses off the path are believed no more often than the odds say", "[engine][forgery]") {
  const Seed seed(160);
  attack_all(400'000, seed);
}

TEST_CASE("ten million guesses for each protocol and family are believed as rarely", "[.long][forgery]") {
  const Seed seed(161);
  attack_all(10'000'000, seed);
}

TEST_CASE("every IP-ID with the same datagram twice shows no offset of a NAT", "[engine][forgery]") {
  const Seed seed(162);
  Random random(seed);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    CAPTURE(static_cast<int>(protocol));
    Victim victim(protocol, Family::ipv4, {random.next(), random.next()});
    Forgery forgery = Forgery::time_exceeded(victim.tuple, false);
    forgery.word(protocol, 0x12345678);
    for (std::uint32_t ip_id = 0; ip_id < 0x10000; ++ip_id) {
      forgery.ip_id(static_cast<std::uint16_t>(ip_id));
      for (int times = 0; times < 3; ++times)
        victim.feed(forgery.bytes());
    }
    CHECK(victim.believed() == 0);
  }
}

TEST_CASE("whoever knows one of two places has to guess sixteen bits of the other", "[engine][forgery]") {
  const Seed seed(163);
  Random random(seed);
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const bool v4 = family == Family::ipv4;
      CAPTURE(static_cast<int>(protocol), v4 ? 4 : 6);
      Victim victim(protocol, family, {random.next(), random.next()});
      const packet::Quote& known = victim.sent[7];
      Forgery forgery = Forgery::time_exceeded(victim.tuple, false);
      if (protocol == Protocol::tcp) {
        // Both halves stand in the sequence number; IP-ID is of no use to somebody who has to guess 32 bits.
        for (std::uint32_t low = 0; low < 0x10000; ++low) {
          forgery.word(protocol, (word_of(known) & 0xffff0000) | low);
          victim.feed(forgery.bytes());
        }
        CHECK(victim.believed() == 1);
        continue;
      }
      v4 ? forgery.ip_id(known.ip_id) : forgery.flow_label(known.flow_label);
      for (std::uint32_t word = 0; word < 0x10000; ++word) {
        forgery.word(protocol, word);
        victim.feed(forgery.bytes());
      }
      // The flow label is the same for all probes: with it any of their words is right.
      CHECK(victim.believed() == (v4 ? 1 : kMaxTtl));
    }
  }
}

TEST_CASE("the victim of forgeries believes what was not forged", "[engine][forgery]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      CAPTURE(static_cast<int>(protocol), family == Family::ipv4 ? 4 : 6);
      Victim victim(protocol, family, {1, 2});
      Forgery answer = Forgery::time_exceeded(victim.tuple, false);
      for (const packet::Quote& quote : victim.sent) {
        family == Family::ipv4 ? answer.ip_id(quote.ip_id) : answer.flow_label(quote.flow_label);
        answer.word(protocol, word_of(quote));
        victim.feed(answer.bytes());
      }
      CHECK(victim.believed() == kMaxTtl);
    }
  }
}

TEST_CASE("an offset is believed from the second probe on that shows it", "[engine][forgery]") {
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    CAPTURE(static_cast<int>(protocol));
    Victim victim(protocol, Family::ipv4, {1, 2});
    const auto answer_all = [&] {
      Forgery answer = Forgery::time_exceeded(victim.tuple, false);
      for (const packet::Quote& quote : victim.sent) {
        const std::uint32_t word = word_of(quote);
        answer.ip_id(quote.ip_id);
        // One's complement for the two of 16 bits, where 0xffff counts as 0.
        answer.word(protocol, protocol == Protocol::tcp ? word + 77 : (word + 77) % 0xffff);
        victim.feed(answer.bytes());
        victim.feed(answer.bytes());
      }
    };
    answer_all();
    CHECK(victim.believed() == 0);
    victim.next_round();
    answer_all();
    CHECK(victim.believed() == kMaxTtl);
  }
}

TEST_CASE("a RST or a SYN-ACK that carries data is an answer", "[engine][tcp]") {
  for (const Family family : {Family::ipv4, Family::ipv6})
    for (const bool rst : {false, true}) {
      CAPTURE(family == Family::ipv4 ? 4 : 6, rst);
      Victim victim(Protocol::tcp, family, {1, 2});
      Forgery answer = Forgery::segment(victim.tuple, rst, 24);
      answer.put32(8, victim.sent.back().sequence + 1);
      victim.now -= 2500ms;  // half a second after it left: at three seconds a SYN-ACK would be one that is sent again
      victim.feed(answer.bytes());
      CHECK(victim.believed() == 1);
    }
}
