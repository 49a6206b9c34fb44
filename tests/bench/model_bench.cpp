// How long the path model takes for a round. Not a test: figures are for people, run it on a quiet machine.
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
      sum += model.on_round(flow, round).path;
    }
  const double took = 1e9 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (sum == 0) std::puts("no path");
  return took / repeats / flows;
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
  measure(model, rounds, kFlows, 10);
  const std::clock_t begin = std::clock();
  for (int i = 0; i < 1000; ++i)
    if (model.snapshot(ecmp::Instant()) == nullptr) return 1;
  const double took = 1e6 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%-28s %7.1f us\n", "snapshot of 32 flows", took / 1000);
}
