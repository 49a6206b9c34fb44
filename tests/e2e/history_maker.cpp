// Writes a history as an exporter would have: `history_maker LINES DIRECTORY NAME SECONDS EVENTS` takes the rounds of a
// file of lines (ecmp_trace --json), as those of the destination NAME and so many seconds later, with their roll-ups
// and with so many events in front of the last round, a second apart. For tests of what shows the past.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "agent/history/history_store.hpp"
#include "agent/log.hpp"
#include "path/history/rollup.hpp"
#include "trace/recording.hpp"

namespace {

using namespace ecmp;

std::shared_ptr<const RoundRecord> moved(const RoundRecord& from, std::shared_ptr<const DestinationFacts> facts,
                                         Duration by) {
  auto record = std::make_shared<RoundRecord>(from);
  record->destination = std::move(facts);
  record->wall_offset += by;
  return record;
}

void add_events(HistoryStore& store, const RoundRecord& last, std::uint64_t count) {
  const auto& responders = last.verdict.responders;
  if (responders == nullptr || responders->size() < 2) return;
  std::uint64_t number = store.first_event();
  for (std::uint64_t i = 0; i < count; ++i) {
    auto event = std::make_shared<PathEvent>();
    event->kind = EventKind::reroute;
    event->destination = last.destination;
    event->time = event->settled = last.wall(last.round.started) - std::chrono::seconds(count - i);
    event->ttl = 2;
    event->moves = {{responders->at(0), responders->at(1), 1, 2, {last.source_port}}};
    store.add(number++, std::move(event));
  }
}

int make(const std::string& lines, const std::string& directory, const std::string& name, Duration by,
         std::uint64_t events) {
  const auto recording = read_recording(lines, "");
  if (!recording.ok()) {
    std::cerr << recording.error() << '\n';
    return 1;
  }
  auto facts = std::make_shared<DestinationFacts>(*recording->rounds.back()->destination);
  facts->name = name;
  facts->interval = std::chrono::seconds(10);
  log::configure(log::Level::error, log::Format::logfmt);
  auto store = HistoryStore::open(
      {.directory = directory, .retention = std::chrono::hours(24 * 365), .max_size = std::uint64_t{1} << 30});
  if (!store.ok()) {
    std::cerr << store.error() << '\n';
    return 1;
  }
  (*store)->start([] { return std::make_shared<const Snapshots>(); });
  RollupBuilder builder;
  std::uint64_t number = (*store)->first_round();
  std::shared_ptr<const RoundRecord> last;
  for (const auto& record : recording->rounds) {
    last = moved(*record, facts, by);
    builder.add(last);
    // The queue is bounded, as it is for the probing loop.
    if (number % 16384 == 0) (*store)->settled(HistoryKind::rounds, number, Instant(std::chrono::hours(1'000'000)));
    (*store)->add(number++, last);
  }
  (*store)->add(builder.close(WallTime::max()));
  add_events(**store, *last, events);
  (*store)->stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  return make(argv[1], argv[2], argv[3], std::chrono::seconds(std::atoll(argv[4])),
              static_cast<std::uint64_t>(std::atoll(argv[5])));
}
