#include "path/localisation/loss_onset.hpp"

#include <random>

#include "catch.hpp"

using namespace ecmp;

namespace {

/// Sixteen probes a second for five minutes, of which those from `begin` to `end` are lost at `ratio`.
LossCourse course(std::uint32_t seed, double ratio, double begin, double end, double before = 0) {
  std::mt19937 random(seed);
  const auto unit = [&] { return static_cast<double>(random()) / 4294967296.0; };
  LossCourse made;
  for (int part = 0; part < 10; ++part)
    made.add_probes(30.0 * part, 30.0 * (part + 1), 480);
  std::vector<double> losses;
  for (int probe = 0; probe < 4800; ++probe) {
    const double at = (probe + 0.5) / 16;
    if (unit() < (at >= begin && at < end ? ratio : before)) losses.push_back(at);
  }
  made.set_losses(losses);
  return made;
}

}  // namespace

TEST_CASE("the exact interval of a ratio is that of the tables", "[localisation]") {
  // Clopper and Pearson 1934; Blyth and Still 1983, table 1.
  const Interval five = exact_binomial(5, 100);
  CHECK(five.low == Approx(0.01643).margin(1e-5));
  CHECK(five.high == Approx(0.11283).margin(1e-5));
  CHECK(exact_binomial(0, 10).high == Approx(0.30850).margin(1e-5));
  CHECK(exact_binomial(10, 10).low == Approx(1 - 0.30850).margin(1e-5));
  CHECK(exact_binomial(0, 0).high == 1);
}

TEST_CASE("probes between two moments are in proportion", "[localisation]") {
  const LossCourse made = course(1, 0, 0, 0);
  CHECK(made.probes_until(0) == 0);
  CHECK(made.probes_until(45) == Approx(720));
  CHECK(made.probes_until(300) == Approx(4800));
  CHECK(made.probes_until(1000) == Approx(4800));
  CHECK(newest_phase(made, 0.001).probes == 0);
}

TEST_CASE("a fault is dated where it began, and what was before it does not dilute its loss", "[localisation]") {
  int covered = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const LossPhase phase = newest_phase(course(seed, 0.1, 270, 300), 0.001);
    CHECK(phase.began);
    CHECK_FALSE(phase.ended);
    CHECK(phase.begin >= 270);
    CHECK(phase.begin < 275);
    CHECK(phase.lossy_since == phase.begin);
    covered += phase.interval.low <= 0.1 && phase.interval.high >= 0.1 ? 1 : 0;
  }
  CHECK(covered >= 16);  // less is chance once in 400 times
}

TEST_CASE("that all is lost is known, although rounds of all flows are sent at once", "[localisation]") {
  // Sixteen probes each two seconds: fifteen rounds, which say at least as much as fifteen probes do.
  LossCourse made;
  made.add_probes(0, 30, 240);
  std::vector<double> losses;
  for (int round = 0; round < 15; ++round)
    losses.insert(losses.end(), 16, 2.0 * round + 1.5);
  made.set_losses(losses);
  const LossPhase phase = newest_phase(made, 0.001);
  CHECK(phase.loss == Approx(1));
  CHECK(phase.interval.low > exact_binomial(15, 15).low);
}

TEST_CASE("a fault that is over ends where it ended", "[localisation]") {
  int covered = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const LossPhase phase = newest_phase(course(seed, 0.1, 200, 260), 0.001);
    CHECK(phase.ended);
    CHECK(phase.end < 260);
    CHECK(phase.end > 255);
    covered += phase.interval.low <= 0.1 && phase.interval.high >= 0.1 ? 1 : 0;
  }
  CHECK(covered >= 16);
}

TEST_CASE("losses that happen to follow each other at the end of a fault are no fault of their own", "[localisation]") {
  // Each twentieth of 4,800 probes is lost, and the two before the last one: at a loss of 5 % a fault ends with three
  // in a row once in 400 times, and with two of three once in 140.
  for (const bool over : {false, true}) {
    LossCourse made;
    for (int part = 0; part < 10; ++part)
      made.add_probes(30.0 * part, 30.0 * (part + 1), 480);
    std::vector<double> losses;
    for (int probe = 0; probe < (over ? 3200 : 4800); probe += 20)
      losses.push_back((probe + 0.5) / 16);
    for (const int before : {1, 2})
      losses.push_back(losses[losses.size() - static_cast<std::size_t>(before)] - before / 16.0);
    made.set_losses(losses);
    const LossPhase phase = newest_phase(made, 0.001);
    CAPTURE(over, phase.probes, phase.losses);
    CHECK(phase.ended == over);
    CHECK(phase.losses > 150);
    CHECK(phase.interval.low < 0.05);
    CHECK(phase.interval.high > 0.05);
    CHECK(phase.interval.high - phase.interval.low < 0.017);
  }
}

TEST_CASE("a loss that was there before is not said to begin, and one that grows began when it was small",
          "[localisation]") {
  int dated = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed)
    dated += newest_phase(course(seed, 0.05, 0, 300), 0.001).began ? 1 : 0;
  CHECK(dated <= 1);
  const LossPhase grown = newest_phase(course(3, 0.3, 200, 300, 0.02), 0.001);
  CHECK(grown.began);
  CHECK(grown.begin >= 200);
  CHECK_FALSE(grown.lossy_began);
  CHECK(grown.interval.low < 0.3);
  CHECK(grown.interval.high > 0.3);
}

TEST_CASE("losses that come in bursts have a wider interval, and a pause between two of them is no end",
          "[localisation]") {
  // Each tenth second all is lost for half a second: 5 %, in bursts of eight probes.
  LossCourse made;
  made.add_probes(0, 300, 4800);
  std::vector<double> losses;
  for (int burst = 0; burst < 30; ++burst)
    for (int probe = 0; probe < 8; ++probe)
      losses.push_back(10.0 * burst + 2 + 1.2 * (burst % 5) + probe / 16.0);
  made.set_losses(losses);
  const LossPhase phase = newest_phase(made, 0.001);
  CHECK_FALSE(phase.ended);
  CHECK(phase.loss == Approx(0.05).epsilon(0.1));
  const Interval alone = exact_binomial(240, 4800);
  CHECK(phase.interval.high - phase.interval.low > 1.5 * (alone.high - alone.low));
}
