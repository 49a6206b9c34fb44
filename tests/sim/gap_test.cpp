// What we could not see or send is our own failure, and never told as loss: the loop stopped, the capture's ring full,
// a datagram that the kernel took and never let out.
#include <algorithm>
#include <deque>
#include <functional>
#include <numeric>
#include <set>
#include <string>

#include "catch.hpp"
#include "packet/checksum.hpp"
#include "probe/engine.hpp"
#include "scenario_files.hpp"
#include "seed.hpp"
#include "sim/network.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// What a host's kernel sends itself about a datagram of its own.
std::vector<std::uint8_t> host_unreachable(ByteView probe) {
  std::vector<std::uint8_t> message(28 + probe.size());
  MutableBytes bytes(message);
  message[0] = 0x45;
  store16(bytes, 2, static_cast<std::uint16_t>(message.size()));
  message[8] = 64;
  message[9] = 1;
  std::ranges::copy(probe.subspan(12, 4), message.begin() + 12);
  std::ranges::copy(probe.subspan(12, 4), message.begin() + 16);
  store16(bytes, 10, static_cast<std::uint16_t>(~packet::ones_complement_sum(ByteView(message).first(20))));
  message[20] = 3;
  message[21] = 1;
  std::ranges::copy(probe, message.begin() + 28);
  store16(bytes, 22, static_cast<std::uint16_t>(~packet::ones_complement_sum(ByteView(message).subspan(20))));
  return message;
}

/// Between the network and the loop: a ring that keeps what arrives while the loop stands still, and tells as the real
/// one does when it was full. Probes are seen as they leave, but for those that `swallows` says.
class Ring final : public Transport {
 public:
  explicit Ring(SimulatedNetwork& network) : network_(network) {}

  std::size_t capacity = 1u << 20;
  std::function<bool(const Outgoing&)> swallows = [](const Outgoing&) { return false; };

  Instant now() override { return network_.now(); }

  void send(std::span<Outgoing> batch) override {
    for (Outgoing& outgoing : batch) {
      outgoing.at = now();
      if (swallows(outgoing)) continue;  // and no error is told
      keep({outgoing.bytes, now(), Direction::outgoing});
      network_.send({&outgoing, 1});
    }
  }

  void receive(Instant deadline, CaptureSink& sink) override {
    if (kept_.empty()) {
      Keeper keeper(*this);
      network_.receive(deadline, keeper);
    }
    for (; !kept_.empty(); kept_.pop_front())
      sink.on_captured({kept_.front().bytes, kept_.front().at, kept_.front().direction});
    if (dropped_ != std::exchange(told_, dropped_)) sink.on_gap({looked_, now(), Unobserved::capture_dropped});
    looked_ = now();
  }

  /// The loop is not run for this long; the network goes on.
  void stand_still(Duration time) {
    const Instant end = now() + time;
    Keeper keeper(*this);
    while (now() < end)
      network_.receive(end, keeper);
  }

  /// Something that the capture sees.
  void inject(const std::vector<std::uint8_t>& datagram) { keep({datagram, now(), Direction::incoming}); }

  [[nodiscard]] std::size_t dropped() const { return dropped_; }

 private:
  struct Kept {
    std::vector<std::uint8_t> bytes;
    Instant at;
    Direction direction;
  };
  class Keeper final : public CaptureSink {
   public:
    explicit Keeper(Ring& ring) : ring_(ring) {}
    void on_captured(const Captured& datagram) override { ring_.keep(datagram); }

   private:
    Ring& ring_;
  };

  void keep(const Captured& datagram) {
    if (kept_.size() >= capacity) {
      ++dropped_;
      return;
    }
    kept_.push_back({{datagram.bytes.begin(), datagram.bytes.end()}, datagram.at, datagram.direction});
  }

  SimulatedNetwork& network_;
  std::deque<Kept> kept_;
  std::size_t dropped_ = 0, told_ = 0;
  Instant looked_ = network_.now();
};

/// 32 flows to the destination of a fan, every second; answers of the destination take some 10 ms.
class Trace final : public RoundSink {
 public:
  explicit Trace(std::uint64_t seed, const char* scenario = "fan_4")
      : network_(load_scenario(scenario), seed),
        ring(network_),
        engine({.secret = {1, 2}, .adapt_to_responders = false}) {
    DestinationPlan plan{.address = network_.address("dst"), .flows = 32, .interval = 1s, .timeout = 500ms};
    const auto first = engine.add(plan, network_.now());
    for (std::uint32_t i = 0; i < plan.flows; ++i)
      engine.set_source(*first + i, network_.address("agent"));
  }

  void on_round(const Round& round) override {
    ++rounds;
    lost += round.end_to_end == EndToEnd::lost ? 1u : 0u;
    reached += round.reached() ? 1u : 0u;
    send_failed += round.end_to_end == EndToEnd::send_failed ? 1u : 0u;
    unobserved += round.end_to_end == EndToEnd::unobserved ? 1u : 0u;
    for (const HopResult& hop : round.hops) {
      hops_lost += hop.outcome == HopOutcome::lost ? 1u : 0u;
      unreachable += hop.outcome == HopOutcome::unreachable ? 1u : 0u;
    }
    if (round.unobserved != Unobserved::none) reasons.insert(std::string(to_string(round.unobserved)));
  }

  void run(Duration time) { drive(engine, ring, *this, ring.now() + time); }

  /// Runs until at least one probe is on its way, then a little further: its answer comes while nobody looks.
  void run_into_a_round() {
    const auto sent = [this] {  // counted when due; probes_sent when their fate is known
      const auto& lags = engine.counters().schedule_lag;
      return std::accumulate(lags.begin(), lags.end(), std::uint64_t{0});
    };
    const std::uint64_t before = sent();
    while (sent() == before)
      drive_once(engine, ring, *this, ring.now() + 100ms, 0ns);
  }

  void forget() { rounds = lost = reached = send_failed = unobserved = hops_lost = unreachable = 0; }

 private:
  SimulatedNetwork network_;

 public:
  Ring ring;
  Engine engine;
  std::uint64_t rounds = 0, lost = 0, reached = 0, send_failed = 0, unobserved = 0, hops_lost = 0, unreachable = 0;
  std::set<std::string> reasons;
};

std::uint64_t counted(const Trace& trace, Unobserved why) {
  return trace.engine.counters().unobserved[static_cast<std::size_t>(why)];
}

}  // namespace

TEST_CASE("answers that waited while the loop stood still are taken before anything is called lost", "[gap]") {
  const Seed seed(901);
  for (const Duration pause : {Duration(600ms), Duration(30s)}) {
    Trace trace(seed);
    trace.run(10s);
    trace.forget();
    for (int i = 0; i < 20; ++i) {
      trace.run_into_a_round();
      trace.ring.stand_still(pause);
      trace.run(1300ms);
    }
    CHECK(trace.lost == 0);
    CHECK(trace.hops_lost == 0);
    CHECK(trace.unobserved == 0);  // they were all in the ring
    CHECK(trace.reached == trace.rounds);
    CHECK(trace.engine.counters().ignored[static_cast<std::size_t>(Ignored::late)] == 0);
  }
}

TEST_CASE("answers that did not fit into the ring are not lost, and the round after is whole again", "[gap]") {
  const Seed seed(902);
  Trace trace(seed);
  trace.run(10s);
  trace.forget();
  for (int i = 0; i < 20; ++i) {
    trace.ring.capacity = 0;
    trace.run_into_a_round();
    trace.ring.stand_still(700ms);
    trace.ring.capacity = 1u << 20;
    trace.run(2s);
    const std::uint64_t unobserved = trace.unobserved, rounds = trace.rounds, reached = trace.reached;
    trace.run(2s);
    CHECK(trace.unobserved == unobserved);
    CHECK(trace.rounds - rounds == trace.reached - reached);
  }
  CHECK(trace.ring.dropped() > 0);
  CHECK(trace.unobserved > 0);
  CHECK(trace.lost == 0);
  CHECK(trace.hops_lost == 0);
  CHECK(trace.reasons == std::set<std::string>{"capture_dropped"});
  CHECK(counted(trace, Unobserved::capture_dropped) >= trace.unobserved);
}

TEST_CASE("what was lost before the ring was full, and after, stays lost", "[gap]") {
  const Seed seed(903);
  Trace trace(seed, "branch_loss_10");
  trace.run(300s);
  const double before = static_cast<double>(trace.lost) / static_cast<double>(trace.rounds);
  trace.forget();
  for (int i = 0; i < 30; ++i) {
    trace.engine.on_gap({trace.ring.now(), trace.ring.now(), Unobserved::capture_dropped});
    trace.run(10s);
  }
  const double with_gaps = static_cast<double>(trace.lost) / static_cast<double>(trace.rounds);
  CHECK(before > 0.01);
  // A gap of no length touches what waits at that moment only.
  CHECK(with_gaps > before / 2);
  CHECK(trace.unobserved < trace.rounds / 20);
}

TEST_CASE("a probe that our own kernel gives back is no refusal of the network", "[gap]") {
  const Seed seed(905);
  Trace trace(seed);
  trace.run(10s);
  trace.forget();
  // No neighbour: destination host unreachable, from ourselves (RFC 1812 section 5.3.3 is the same at a router).
  trace.ring.swallows = [&](const Outgoing& outgoing) {
    trace.ring.inject(host_unreachable(outgoing.bytes));
    return true;
  };
  trace.run(5s);
  trace.ring.swallows = [](const Outgoing&) { return false; };
  trace.run(2s);
  CHECK(trace.send_failed >= 32 * 4);
  CHECK(trace.lost == 0);
  CHECK(trace.unreachable == 0);
  trace.forget();
  trace.run(5s);
  CHECK(trace.reached == trace.rounds);
}

TEST_CASE("a probe that was never seen to leave is not the network's loss", "[gap]") {
  const Seed seed(904);
  Trace trace(seed);
  trace.run(10s);
  const auto never_left = [&] {
    return trace.engine.counters().send_errors[static_cast<std::size_t>(SendError::never_left)];
  };
  CHECK(never_left() == 0);
  trace.forget();
  trace.ring.swallows = [](const Outgoing&) { return true; };
  trace.run(5s);
  trace.ring.swallows = [](const Outgoing&) { return false; };
  trace.run(2s);
  CHECK(trace.send_failed >= 32 * 4);
  CHECK(trace.lost == 0);
  CHECK(trace.hops_lost == 0);
  CHECK(never_left() >= trace.send_failed);
  CHECK(trace.reasons == std::set<std::string>{"send_failed"});
  trace.forget();
  trace.run(5s);
  CHECK(trace.reached == trace.rounds);
}

TEST_CASE("no counter falls, whatever becomes of probes that were handed over", "[gap]") {
  const Seed seed(906);
  Trace trace(seed);
  std::vector<std::uint64_t> before;
  const auto counters = [&] {
    const EngineCounters& all = trace.engine.counters();
    std::vector<std::uint64_t> now(all.probes_sent.begin(), all.probes_sent.end());
    now.insert(now.end(), all.send_errors.begin(), all.send_errors.end());
    now.insert(now.end(), all.ignored.begin(), all.ignored.end());
    now.insert(now.end(), all.unobserved.begin(), all.unobserved.end());
    now.insert(now.end(), all.schedule_lag.begin(), all.schedule_lag.end());
    now.insert(now.end(), {all.rounds_skipped, all.rate_limited, all.responder_delayed, all.left_out});
    return now;
  };
  const auto run = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 20ms) {
      trace.run(20ms);
      const auto now = counters();
      for (std::size_t i = 0; i < before.size(); ++i) {
        CAPTURE(i);
        CHECK(now[i] >= before[i]);
      }
      before = now;
    }
  };
  run(3s);
  const std::uint64_t sent = trace.engine.counters().probes_sent[0];
  CHECK(sent > 0);
  trace.ring.swallows = [](const Outgoing&) { return true; };
  run(3s);
  // Those that had left before, and not one of these: 32 flows have at most a round each on its way.
  CHECK(trace.engine.counters().probes_sent[0] - sent < std::uint64_t{32} * 8);
  trace.ring.swallows = [&](const Outgoing& outgoing) {
    trace.ring.inject(host_unreachable(outgoing.bytes));
    return true;
  };
  run(3s);
  trace.ring.swallows = [](const Outgoing&) { return false; };
  trace.ring.capacity = 0;
  run(2s);
  trace.ring.capacity = 1u << 20;
  trace.run_into_a_round();
  trace.ring.stand_still(3s);
  run(3s);
  CHECK(trace.engine.counters().send_errors[static_cast<std::size_t>(SendError::never_left)] > 0);
}
