// How long GET /overview takes to make, and what its roll-ups take: overview_bench [DESTINATIONS [PATHS [HOURS [COLUMNS
// [KIBIBYTES]]]]] One minute in a hundred of a path has a loss, the others are alike, as they are in a network that
// works.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/history/rollup_log.hpp"
#include "render/json/timeline_json.hpp"

using namespace ecmp;
using Clock = std::chrono::steady_clock;

int main(int argc, char** argv) {
  const auto argument = [&](int at, std::size_t otherwise) {
    return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10)) : otherwise;
  };
  const std::size_t destinations = argument(1, 1000);
  const auto paths = static_cast<std::uint32_t>(argument(2, 16));
  const std::size_t hours = argument(3, 24);
  const auto columns = static_cast<std::uint32_t>(argument(4, 144));
  RollupLog log(argument(5, 32 << 10) << 10);

  std::vector<std::shared_ptr<const std::string>> names;
  for (std::size_t i = 0; i < destinations; ++i)
    names.push_back(std::make_shared<const std::string>("destination-" + std::to_string(i)));
  const WallTime begin{std::chrono::seconds(1767225600)};
  const auto filling = Clock::now();
  for (std::size_t minute = 0; minute < hours * 60; ++minute) {
    std::vector<Rollup> closed;
    for (std::size_t i = 0; i < destinations; ++i) {
      for (std::uint32_t path = 1; path <= paths; ++path) {
        Rollup& made = closed.emplace_back();
        made.destination = names[i];
        made.minute = begin + std::chrono::minutes(minute);
        made.path = path;
        made.flows = 2;
        made.probes = 12;
        made.losses = (minute + i + path) % 100 == 0 ? 1 : 0;
        made.rtt = {{800, 3}, {801, 5}, {805, 4 - made.losses}};
      }
    }
    log.add(closed);
  }
  const std::chrono::duration<double> filled = Clock::now() - filling;

  const auto span = std::chrono::hours(hours);
  const TimelineSteps steps{.begin = begin, .step = Duration(span) / columns, .count = columns};
  const auto asked = Clock::now();
  std::vector<render::OverviewRow> rows;
  for (const auto& name : names) {
    DestinationFacts facts;
    facts.name = *name;
    rows.push_back({.facts = std::make_shared<const DestinationFacts>(facts), .loss = log.overview_of(*name, steps)});
  }
  render::sort_worst_first(rows);
  std::string out;
  render::append_overview_head(out, steps);
  for (std::size_t i = 0; i < rows.size(); ++i)
    render::append_overview_row(out, rows[i], i == 0);
  const std::chrono::duration<double> took = Clock::now() - asked;
  std::size_t known = 0;
  for (const auto& loss : rows.front().loss)
    known += loss ? std::size_t{1} : std::size_t{0};
  std::printf("%zu destinations x %u paths x %zu h: %zu KiB held, %.1f us a minute of a destination to add\n",
              destinations, paths, hours, log.size().bytes >> 10,
              filled.count() * 1e6 / static_cast<double>(destinations * hours * 60));
  std::printf("overview of %u columns, %zu of them known: %.3f s, %zu KiB of JSON\n", columns, known, took.count(),
              out.size() >> 10);
  return 0;
}
