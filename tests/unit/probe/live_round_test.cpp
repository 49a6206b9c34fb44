#include "probe/live_round.hpp"

#include <functional>
#include <string>

#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;
using packet::ReplyKind;

namespace {

/// What the network does with one probe.
struct Fate {
  ReplyKind reply = ReplyKind::none;
  bool destination = false;
  std::uint8_t quoted_ttl = 0;
  bool send_failed = false;
};

constexpr Fate kSilence{};
constexpr Fate kRouter{.reply = ReplyKind::time_exceeded, .quoted_ttl = 1};
constexpr Fate kRefusal{.reply = ReplyKind::admin_prohibited, .quoted_ttl = 1};
constexpr Fate kUnsent{.send_failed = true};

/// An answer of the destination whose quote says how much TTL was left there (UDP), or not (TCP, ICMP).
Fate destination(int left) {
  return {.reply = ReplyKind::port_unreachable, .destination = true, .quoted_ttl = static_cast<std::uint8_t>(left)};
}
constexpr Fate kSynAck{.reply = ReplyKind::syn_ack, .destination = true};

using Network = std::function<Fate(int ttl, int attempt)>;

/// A network whose destination stands at `distance` and never loses anything.
Network straight(int distance, bool udp = true) {
  return [=](int ttl, int) {
    if (ttl < distance) return kRouter;
    return udp ? destination(ttl - distance + 1) : kSynAck;
  };
}

struct Outcome {
  Round round;
  int probes = 0;
  int attempts = 0;
  int suspected = 0;
  [[nodiscard]] std::string hops() const {  // one letter per hop: (r)eplied (s)ilent (l)ost (u)nreachable (f)ailed
    std::string letters;
    for (const HopResult& hop : round.hops)
      letters += "rsluf"[static_cast<int>(hop.outcome)];
    return letters;
  }
};

Outcome run(const RoundTerms& terms, const Network& network) {
  LiveRound round;
  Instant now{1s};
  round.begin(7, now, terms);
  Outcome outcome;
  for (int turn = 0; turn < 1000; ++turn) {
    if (const auto due = round.due()) {
      now = std::max(now, due->at);
      LiveProbe& probe = round.begin_probe(now);
      ++outcome.probes;
      outcome.attempts = std::max<int>(outcome.attempts, due->attempt + 1);
      const Fate fate = network(due->ttl, due->attempt);
      if (fate.send_failed) {
        round.on_send_failed(probe);
      } else if (fate.reply != ReplyKind::none) {
        probe.state = LiveProbe::State::answered;
        probe.destination = fate.destination;
        probe.hop.reply = fate.reply;
        probe.hop.quoted_ttl = fate.quoted_ttl;
        probe.hop.responder = IpAddress::v4(0x0a000000u + due->ttl);
        probe.hop.rtt = 1ms;
        probe.hop.received = now + 1ms;
        round.on_answer(probe);
      }
      continue;
    }
    now = round.quiet() ? now : std::max(now, round.deadline());
    if (round.settle(now)) {
      round.report(now, outcome.round);
      outcome.suspected = round.suspected();
      return outcome;
    }
  }
  FAIL("the round never ends");
  return outcome;
}

RoundTerms known(std::uint8_t distance) {
  return {.distance = distance, .max_ttl = 30, .timeout = 1s, .gap = 10ms};
}
RoundTerms unknown() {
  return {.max_ttl = 30, .first = true, .timeout = 1s, .gap = 10ms};
}

}  // namespace

TEST_CASE("a first round stops at the destination and learns its distance", "[probe][round]") {
  const Outcome outcome = run(unknown(), straight(5));
  CHECK(outcome.round.reached());
  CHECK(outcome.round.distance == 5);
  CHECK(outcome.hops() == "rrrrr");
  CHECK(outcome.probes == 5);
}

TEST_CASE("a first round asks unanswered hops twice again, then calls them silent", "[probe][round]") {
  const Outcome outcome = run(unknown(), [](int ttl, int) { return ttl == 3 ? kSilence : straight(5)(ttl, 0); });
  CHECK(outcome.hops() == "rrsrr");
  CHECK(outcome.attempts == 3);
  CHECK(outcome.probes == 7);

  const Outcome once =
      run(unknown(), [](int ttl, int attempt) { return ttl == 3 && attempt == 0 ? kSilence : straight(5)(ttl, 0); });
  CHECK(once.hops() == "rrrrr");
  CHECK(once.round.end_to_end == EndToEnd::reached);
  CHECK(once.round.hops[2].again);
  CHECK(once.round.hops[2].missed == HopOutcome::silent);
}

TEST_CASE("a quote that is wrong about the TTL is found out, and is no loss", "[probe][round]") {
  // A box on the way leaves the TTL as it is and never answers: what arrives has one more left than was needed.
  const Network network = [](int ttl, int) {
    return ttl == 4 ? kSilence : ttl < 4 ? kRouter : destination(ttl - 5 + 2);
  };
  const Outcome first = run(unknown(), network);
  CHECK(first.round.end_to_end == EndToEnd::undecided);
  CHECK(first.round.distance == 4);
  RoundTerms terms = known(4);
  terms.suspected = 5;
  for (terms.suspicions = 1; terms.suspicions < 3; ++terms.suspicions) {
    const Outcome doubted = run(terms, network);
    CHECK(doubted.round.end_to_end == EndToEnd::undecided);
    CHECK(doubted.round.distance == 4);
  }
  const Outcome found = run(terms, network);
  CHECK(found.round.distance == 5);
  const Outcome after = run(known(5), network);
  CHECK(after.round.end_to_end == EndToEnd::reached);
}

TEST_CASE("the first probe to the destination is the one that counts, in every state of knowledge", "[probe][round]") {
  // One lost packet at each TTL in turn, at the first attempt only: only that of the destination is a lost round.
  for (const bool udp : {true, false}) {
    for (int lost = 1; lost <= 5; ++lost) {
      for (const RoundTerms& terms : {unknown(), known(5), known(4), known(7)}) {
        CAPTURE(udp, lost, terms.distance);
        const Outcome outcome = run(terms, [=](int ttl, int attempt) {
          return ttl == lost && attempt == 0 ? kSilence : straight(5, udp)(ttl, attempt);
        });
        if (terms.distance == 0 || terms.distance == 5)
          CHECK(outcome.round.end_to_end == (lost == 5 ? EndToEnd::lost : EndToEnd::reached));
        // A path that is longer than it was, and the probe that would have shown it lost: nobody knows.
        if (terms.distance == 4 && lost == 4) CHECK(outcome.round.end_to_end == EndToEnd::undecided);
        if (terms.distance == 4 && lost == 5) CHECK(outcome.round.end_to_end == EndToEnd::lost);
        if (terms.distance == 7) CHECK(outcome.round.end_to_end == EndToEnd::reached);
      }
    }
  }
}

TEST_CASE("a destination that is nearer than it was does not get a second chance", "[probe][round]") {
  // The probe at the known distance is lost; that a nearer one was answered is another packet's luck.
  const Outcome outcome = run(known(5), [](int ttl, int) { return ttl == 5 ? kSilence : straight(4)(ttl, 0); });
  CHECK(outcome.round.end_to_end == EndToEnd::lost);
}

TEST_CASE("a destination that missed its first probe is not learned a hop too far", "[probe][round]") {
  for (const bool udp : {true, false}) {
    const Outcome outcome = run(unknown(), [=](int ttl, int attempt) {
      return ttl == 5 && attempt == 0 ? kSilence : straight(5, udp)(ttl, attempt);
    });
    CAPTURE(udp);
    CHECK(outcome.round.distance == 5);
    CHECK(outcome.hops() == "rrrrr");
    // Asking again has found it; that its one probe was lost stays.
    CHECK(outcome.round.end_to_end == EndToEnd::lost);
    CHECK(outcome.round.hops[4].again);
    CHECK(outcome.round.hops[4].missed == HopOutcome::lost);
  }
}

TEST_CASE("a steady round sends one probe per hop", "[probe][round]") {
  const Outcome outcome = run(known(5), straight(5));
  CHECK(outcome.probes == 5);
  CHECK(outcome.round.reached());
}

TEST_CASE("a lost probe is a loss, however often asking again succeeds", "[probe][round]") {
  for (const bool udp : {true, false}) {
    CAPTURE(udp);
    const Outcome outcome = run(known(5), [=](int ttl, int attempt) {
      return ttl == 5 && attempt == 0 ? kSilence : straight(5, udp)(ttl, attempt);
    });
    CHECK(outcome.round.end_to_end == EndToEnd::lost);
    CHECK(outcome.round.distance == 5);
    CHECK(outcome.hops() == "rrrrl");
    // Only the answers from beyond came: the quote, or for TCP a further attempt, tells the loss from growth.
    const Outcome twice = run(known(5), [=](int ttl, int attempt) {
      return ttl == 5 && attempt <= 1 ? kSilence : straight(5, udp)(ttl, attempt);
    });
    CHECK(twice.round.end_to_end == EndToEnd::lost);
    CHECK(twice.attempts == (udp ? 2 : 3));
  }
}

TEST_CASE("a path that grows is followed at once, without loss", "[probe][round]") {
  for (const int distance : {6, 7, 12}) {
    for (const bool udp : {true, false}) {
      CAPTURE(distance, udp);
      const Outcome outcome = run(known(5), straight(distance, udp));
      CHECK(outcome.round.reached());
      CHECK(outcome.round.distance == distance);
      CHECK(outcome.hops() == std::string(static_cast<std::size_t>(distance), 'r'));
    }
  }
}

TEST_CASE("a path that grows behind a silent router is no loss", "[probe][round]") {
  const auto grown = [](bool udp) {
    return [=](int ttl, int) { return ttl == 5 ? kSilence : straight(6, udp)(ttl, 0); };
  };
  const Outcome udp = run(known(5), grown(true));
  CHECK(udp.round.reached());
  CHECK(udp.round.distance == 6);
  CHECK(udp.hops() == "rrrrsr");
  CHECK(udp.attempts == 4);  // some hosts quote 1 always: one more loss at the known distance says nothing

  // Without a quote of the destination it might be loss four times over: believed when the next round says the same.
  const Outcome first = run(known(5), grown(false));
  CHECK(first.round.reached());
  CHECK(first.round.distance == 5);
  CHECK(first.hops() == "rrrrr");
  CHECK(first.attempts == 4);
  CHECK(first.suspected == 6);
  RoundTerms terms = known(5);
  terms.suspected = 6;
  const Outcome second = run(terms, grown(false));
  CHECK(second.round.reached());
  CHECK(second.round.distance == 6);
  CHECK(second.hops() == "rrrrsr");
}

TEST_CASE("a path that shrinks is shortened at once, without loss", "[probe][round]") {
  const Outcome outcome = run(known(5), straight(3));
  CHECK(outcome.round.reached());
  CHECK(outcome.round.distance == 3);
  CHECK(outcome.hops() == "rrr");
}

TEST_CASE("a dead path is lost and keeps its distance", "[probe][round]") {
  const Outcome outcome = run(known(5), [](int ttl, int) { return ttl <= 2 ? kRouter : kSilence; });
  CHECK(outcome.round.end_to_end == EndToEnd::lost);
  CHECK(outcome.round.distance == 5);
  CHECK(outcome.hops() == "rrlll");
}

TEST_CASE("a path that stays dark is searched to its full depth now and then", "[probe][round]") {
  RoundTerms terms = known(5);
  const auto grown_silently = [](int ttl, int) {
    return ttl <= 4 ? kRouter : ttl < 20 ? kSilence : destination(ttl - 19);
  };
  terms.lost_streak = 0;
  CHECK(run(terms, grown_silently).round.end_to_end == EndToEnd::lost);
  terms.lost_streak = 2;
  CHECK(run(terms, grown_silently).round.distance == 20);
  terms.lost_streak = 3;
  CHECK(run(terms, grown_silently).probes == 9);
}

TEST_CASE("a refusal on the way ends an unknown path and is no answer of the destination", "[probe][round]") {
  const Outcome fresh = run(unknown(), [](int ttl, int) { return ttl <= 3 ? kRouter : kRefusal; });
  CHECK(fresh.round.end_to_end == EndToEnd::lost);
  CHECK(fresh.round.distance == 0);
  CHECK(fresh.hops() == "rrru");
  const Outcome steady = run(known(6), [](int ttl, int) { return ttl <= 3 ? kRouter : kRefusal; });
  CHECK(steady.round.end_to_end == EndToEnd::lost);
  CHECK(steady.hops() == "rrruuu");
  CHECK(steady.attempts == 1);
}

TEST_CASE("probes that never left say nothing about the network", "[probe][round]") {
  CHECK(run(known(5), [](int, int) { return kUnsent; }).round.end_to_end == EndToEnd::send_failed);
  CHECK(run(unknown(), [](int, int) { return kUnsent; }).round.end_to_end == EndToEnd::send_failed);
  const Outcome last = run(known(5), [](int ttl, int) { return ttl == 5 ? kUnsent : kRouter; });
  CHECK(last.round.end_to_end == EndToEnd::send_failed);
  CHECK(last.hops() == "rrrrf");
}

TEST_CASE("nobody answers at all: every TTL is probed once", "[probe][round]") {
  RoundTerms terms = unknown();
  terms.gap = 0ns;
  const Outcome outcome = run(terms, [](int, int) { return kSilence; });
  CHECK(outcome.probes == 30);
  CHECK(outcome.round.hops.empty());
  CHECK(outcome.round.end_to_end == EndToEnd::lost);
}

TEST_CASE("TTL 255 is the last", "[probe][round]") {
  RoundTerms terms = unknown();
  terms.max_ttl = 255;
  CHECK(run(terms, [](int, int) { return kSilence; }).probes == 255);
  CHECK(run(terms, straight(255)).round.distance == 255);
}
