// In which direction packets of STAMP streams are lost, as the numbers of a stateful reflector show it, against a
// network that loses, doubles and reorders in both directions. What the intervals hold is the ratio that the network
// was given. ECMP_SIM_SEEDS=200 build/dev/tests/sim/sim_tests "[oneway]" is the full size.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "catch.hpp"
#include "path/statistics/intervals.hpp"
#include "sim/random.hpp"
#include "sim/seed.hpp"
#include "stamp/oneway_loss.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace ecmp::stamp;
using namespace std::chrono_literals;

namespace {

struct Row {
  double forward = 0;
  double reverse = 0;
  double reordered = 0;  ///< of the packets of each direction: delayed by up to five of them
  double doubled = 0;    ///< of the packets of each direction
  bool receipts = false;
};

constexpr Duration kApart = 10ms;
constexpr Duration kTimeout = 300ms;

/// A datagram on its way.
struct Datagram {
  std::uint32_t sequence = 0;
  std::uint32_t number = 0;
  std::uint64_t reflected = 0;
  Receipts receipts{};
};
using Arrivals = std::multimap<Instant, Datagram>;

class Direction {
 public:
  Direction(double loss, const Row& row)
      : loss_(Probability::of(loss)),
        reordered_(Probability::of(row.reordered)),
        doubled_(Probability::of(row.doubled)) {}

  void carry(const Datagram& datagram, Instant left, Random& random) {
    if (random.happens(loss_)) return;
    const int copies = random.happens(doubled_) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const Duration more = random.happens(reordered_) ? Duration(random.below(5 * kApart.count())) : Duration::zero();
      arrivals_.emplace(left + 5ms + Duration(random.below(1000000)) + more, datagram);
    }
  }

  /// Hands over what has arrived by then, in its order.
  template <typename Take>
  void deliver(Instant until, Take take) {
    while (!arrivals_.empty() && arrivals_.begin()->first <= until) {
      const auto first = arrivals_.extract(arrivals_.begin());
      take(first.mapped(), first.key());
    }
  }

 private:
  Probability loss_, reordered_, doubled_;
  Arrivals arrivals_;
};

/// Counts replies as RFC 8762 section 4.3.1 says, and keeps what arrived.
class Reflector {
 public:
  Datagram reflect(Datagram packet, Instant at) {
    if (packet.sequence > highest_) {
      const std::uint32_t ahead = packet.sequence - highest_;
      bitmap_ = (ahead < 64 ? bitmap_ << ahead : 0) | 1;
      highest_ = packet.sequence;
    } else if (highest_ - packet.sequence < 64) {
      bitmap_ |= std::uint64_t{1} << (highest_ - packet.sequence);
    }
    packet.number = number_++;
    packet.reflected = static_cast<std::uint64_t>(at.time_since_epoch().count());
    packet.receipts = {1, highest_, bitmap_};
    return packet;
  }

 private:
  std::uint32_t number_ = 0;
  std::uint32_t highest_ = 0;
  std::uint64_t bitmap_ = 0;
};

OnewayCounts stream(const Row& row, std::uint32_t packets, Random& random) {
  Direction there(row.forward, row);
  Direction back(row.reverse, row);
  Reflector reflector;
  OnewayLoss loss(kTimeout);
  SettledPackets settled;
  OnewayCounts counts;
  std::uint32_t sequence = 0;
  for (std::uint32_t i = 0; i < packets + 100; ++i) {
    const Instant at(1h + i * kApart);
    there.deliver(at, [&](const Datagram& packet, Instant arrived) {
      back.carry(reflector.reflect(packet, arrived), arrived, random);
    });
    back.deliver(at, [&](const Datagram& reply, Instant arrived) {
      loss.reply(
          {reply.sequence, reply.number, reply.reflected, row.receipts ? std::optional(reply.receipts) : std::nullopt},
          arrived);
    });
    loss.settle(at, settled);
    counts += settled.counts;
    if (i >= packets) continue;
    if (loss.wants_skip()) {
      ++sequence;
      loss.skipped();
    }
    loss.sent(sequence, at);
    there.carry({.sequence = sequence++}, at, random);
  }
  return counts;
}

struct Held {
  std::uint64_t held = 0;
  std::uint64_t all = 0;
};

void check_row(const Row& row, Held& over_all) {
  constexpr std::uint32_t kStreams = 8;
  constexpr std::uint32_t kPackets = 750;
  const std::uint64_t count = seeds(10);
  Held forward, reverse;
  OnewayCounts sum;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    Random random(seed * 1000003 + static_cast<std::uint64_t>(row.forward * 1e6 + row.reverse * 1e4));
    OnewayCounts counts;
    for (std::uint32_t i = 0; i < kStreams; ++i)
      counts += stream(row, kPackets, random);
    const Interval there = exact_binomial(static_cast<double>(counts.forward), static_cast<double>(counts.resolved));
    const Interval back = exact_binomial(static_cast<double>(counts.reverse), static_cast<double>(counts.reached()));
    forward.held += there.low <= row.forward && row.forward <= there.high ? 1 : 0;
    reverse.held += back.low <= row.reverse && row.reverse <= back.high ? 1 : 0;
    sum += counts;
  }
  const double unresolved = static_cast<double>(sum.unresolved) /
                            static_cast<double>(std::max<std::uint64_t>(sum.forward + sum.reverse + sum.unresolved, 1));
  CAPTURE(row.forward, row.reverse, row.reordered, row.doubled, row.receipts, forward.held, reverse.held, count,
          unresolved, sum.forward, sum.reverse, sum.unresolved, sum.resolved, sum.round_trips);
  // 182 of 200; with fewer seeds the same chance of a wrong alarm.
  const auto seeds_run = static_cast<double>(count);
  const double least = 0.95 * seeds_run - 2.6 * std::sqrt(0.0475 * seeds_run);
  CHECK(static_cast<double>(forward.held) >= least);
  CHECK(static_cast<double>(reverse.held) >= least);
  // Nearly all is resolved, so that the interval is that of nearly all packets.
  CHECK(unresolved <= (row.forward <= 0.01 && row.reverse <= 0.01 ? 0.1 : 0.2));
  over_all.held += forward.held + reverse.held;
  over_all.all += 2 * count;
}

}  // namespace

TEST_CASE("Loss in each direction lies within its interval", "[oneway]") {
  Held over_all;
  for (const bool receipts : {false, true})
    for (const double disorder : {0.0, 0.01})
      for (const auto& [forward, reverse] : {std::pair{0.001, 0.001},
                                             {0.01, 0.01},
                                             {0.001, 0.2},
                                             {0.2, 0.001},
                                             {0.05, 0.1},
                                             {0.2, 0.2},
                                             {0.0, 0.02},
                                             {0.02, 0.0}})
        check_row({forward, reverse, disorder, disorder / 2, receipts}, over_all);
  CAPTURE(over_all.held, over_all.all);
  CHECK(static_cast<double>(over_all.held) >= 0.94 * static_cast<double>(over_all.all));
}

TEST_CASE("Of a stateless reflector's losses none gets a direction", "[oneway]") {
  Random random(7);
  OnewayLoss loss(kTimeout);
  SettledPackets settled;
  OnewayCounts counts;
  const Probability lost = Probability::of(0.1);
  std::uint32_t sequence = 0;
  std::uint64_t losses = 0;
  for (int i = 0; i < 5000; ++i, ++sequence) {
    const Instant at(1h + i * kApart);
    loss.settle(at, settled);
    counts += settled.counts;
    if (loss.wants_skip()) {
      ++sequence;
      loss.skipped();
    }
    loss.sent(sequence, at);
    if (random.happens(lost)) {
      ++losses;
    } else {
      loss.reply({sequence, sequence, static_cast<std::uint64_t>(i), std::nullopt}, at + 5ms);
    }
  }
  loss.settle(Instant(2h), settled);
  counts += settled.counts;
  CHECK(counts.forward == 0);
  CHECK(counts.reverse == 0);
  CHECK(counts.unresolved + 3 >= losses);  // the last ones wait for an answer
  CHECK(losses > 400);
}
