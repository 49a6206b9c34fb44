// How long the path model takes for a round. Not a test: figures are for people, run it on a quiet machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "unit/path/round_builder.hpp"

namespace {

using ecmp::Round;

/// Nanoseconds per round, over `rounds` of them, taken in turn.
double measure(ecmp::DestinationModel& model, std::vector<Round>& rounds, std::uint32_t flows, int repeats) {
  const std::clock_t begin = std::clock();
  std::uint64_t sum = 0;
  for (int i = 0; i < repeats; ++i)
    for (std::uint32_t flow = 0; flow < flows; ++flow) {
      Round& round = rounds[(static_cast<std::size_t>(i) % (rounds.size() / flows)) * flows + flow];
      round.started += std::chrono::seconds(10);
      round.finished += std::chrono::seconds(10);
      round.number = static_cast<std::uint32_t>(i);
      for (ecmp::HopResult& hop : round.hops)
        hop.rtt = std::chrono::microseconds(1000 * hop.ttl + (i * 7919 + static_cast<int>(flow) * 104729) % 300);
      sum += model.on_round(flow, round).path;
    }
  const double took = 1e9 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (sum == 0) std::puts("no path");
  return took / repeats / flows;
}

/// Microseconds of a snapshot after a round of `fresh` flows; the rounds themselves are not in.
void snapshots(const char* what, ecmp::DestinationModel& model, std::vector<Round>& rounds, std::uint32_t flows,
               std::uint32_t fresh) {
  constexpr int kRepeats = 1000;
  std::clock_t took = 0;
  for (int i = 0; i < kRepeats; ++i) {
    std::vector<Round> some(rounds.begin(), rounds.begin() + fresh);
    if (fresh > 0) measure(model, some, fresh, 1);
    std::copy(some.begin(), some.end(), rounds.begin());
    const ecmp::Instant now = rounds.front().finished;
    const std::clock_t begin = std::clock();
    if (model.snapshot(now) == nullptr) std::puts("no snapshot");
    took += std::clock() - begin;
  }
  std::printf("%-28s %7.1f us, of %u flows\n", what, 1e6 * static_cast<double>(took) / CLOCKS_PER_SEC / kRepeats,
              flows);
}

std::vector<Round> rounds_of(std::uint32_t flows, const std::vector<std::string>& branches, const std::string& rest) {
  std::vector<Round> rounds;
  for (const std::string& branch : branches)
    for (std::uint32_t flow = 0; flow < flows; ++flow)
      rounds.push_back(ecmp::round_builder::round("a1 a2 " + branch + rest, 1000));
  return rounds;
}

}  // namespace

int main() {
  constexpr std::uint32_t kFlows = 32;
  const std::string rest = " c1 c2 c3 c4 c5 c6 c7 c8 c9 e1 e2 D";
  const auto run = [&](const char* what, const std::vector<std::string>& branches) {
    ecmp::DestinationModel model(ecmp::round_builder::facts(kFlows), {});
    std::vector<Round> rounds = rounds_of(kFlows, branches, rest);
    measure(model, rounds, kFlows, 1000);
    std::printf("%-28s %7.1f ns/round of 15 hops\n", what, measure(model, rounds, kFlows, 30000));
  };
  run("nothing changes", {"b"});
  run("balanced per packet", {"b", "x"});
  run("ever another responder", {"b", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"});

  ecmp::DestinationModel model(ecmp::round_builder::facts(kFlows), {});
  std::vector<Round> rounds = rounds_of(kFlows, {"b"}, rest);
  measure(model, rounds, kFlows, 100);
  snapshots("snapshot of 32 flows", model, rounds, kFlows, 0);

  // The most there can be to tell: each flow on a path of its own.
  ecmp::DestinationModel wide(ecmp::round_builder::facts(kFlows), {});
  std::vector<Round> apart;
  for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
    std::string hops;
    for (char place = 'a'; place < 'o'; ++place)
      hops += place + std::to_string(flow) + " ";
    apart.push_back(ecmp::round_builder::round(hops + "D", 1000));
  }
  measure(wide, apart, kFlows, 100);
  std::printf("%-28s %7.1f ns/round of 15 hops\n", "a path for each flow", measure(wide, apart, kFlows, 30000));
  snapshots("32 paths, nothing new", wide, apart, kFlows, 0);
  snapshots("32 paths, 3 of them new", wide, apart, kFlows, 3);
  snapshots("32 paths, all of them new", wide, apart, kFlows, kFlows);
}
