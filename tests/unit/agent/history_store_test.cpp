#include "agent/history/history_store.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>

#include "agent/log.hpp"
#include "catch.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/path/stored_rounds.hpp"

using namespace ecmp;
using stored_rounds::Maker;
using stored_rounds::text;

namespace {

std::unique_ptr<HistoryStore> open_store(const std::string& directory) {
  log::configure(log::Level::error, log::Format::logfmt);
  auto store =
      HistoryStore::open({.directory = directory, .retention = std::chrono::hours(24 * 3650), .max_size = 16u << 20});
  REQUIRE(store.ok());
  return std::move(*store);
}

/// Far beyond what any machine takes: nothing is measured by it.
Instant deadline() {
  return Instant(std::chrono::steady_clock::now().time_since_epoch()) + std::chrono::minutes(1);
}

std::vector<StoredRound> read_all(HistoryStore& store) {
  std::vector<StoredRound> all;
  HistoryPlace place;
  for (bool done = false; !done;) {
    auto step = store.read_rounds(place, {}, ~std::uint64_t{0});
    done = step.done;
    std::ranges::move(step.items, std::back_inserter(all));
  }
  return all;
}

/// What a process that is killed now leaves: the directory as it is, without the lock's holder.
struct Killed {
  explicit Killed(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      std::filesystem::copy(entry.path(), copy.path());
  }
  TemporaryDirectory copy;
};

}  // namespace

TEST_CASE("Rounds that were written are there after kill -9, and so are the names of their paths", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(21);
  std::vector<std::string> texts;
  PathNames expected;
  const auto store = open_store(directory.path());
  CHECK(store->first_round() == 0);
  store->start({});  // no snapshot has told of a path yet
  for (std::uint64_t number = 0; number < 300; ++number) {
    auto round = std::make_shared<RoundRecord>(*maker.round(number));
    ++round->verdict.ordinal;  // they begin at 1
    texts.push_back(text(*round));
    take_in(expected, *round, WallTime{stored_rounds::kBegin});
    store->add(number, round);
  }
  REQUIRE(store->settled(HistoryKind::rounds, 300, deadline()));
  const Killed killed(directory.path());
  const auto again = open_store(killed.copy.path());
  CHECK(again->first_round() == 300);
  const auto rounds = read_all(*again);
  REQUIRE(rounds.size() == 300);
  for (std::size_t i = 0; i < rounds.size(); ++i)
    REQUIRE(text(*rounds[i].record) == texts[i]);
  const PathNames& names = again->path_names();
  REQUIRE(names.size() == expected.size());
  for (const auto& [destination, known] : expected) {
    const DestinationPathNames& found = names.at(destination);
    CHECK(found.last_ordinal == known.last_ordinal);
    REQUIRE(found.paths.size() == known.paths.size());
    for (std::size_t i = 0; i < known.paths.size(); ++i) {
      CHECK(found.paths[i].id == known.paths[i].id);
      CHECK(found.paths[i].ordinal == known.paths[i].ordinal);
      CHECK(found.paths[i].content == known.paths[i].content);
    }
  }
  log::configure(log::Level::info, log::Format::logfmt);
}

TEST_CASE("What is written when the store stops is everything, and a directory in use is refused", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(22);
  {
    const auto store = open_store(directory.path());
    const auto second =
        HistoryStore::open({.directory = directory.path(), .retention = std::chrono::hours(1), .max_size = 16u << 20});
    REQUIRE_FALSE(second.ok());
    CHECK(second.error() == "history.directory: " + directory.path() + " is in use by another process");
    store->start({});
    for (std::uint64_t number = 0; number < 50; ++number) {
      store->add(number, maker.round(number));
      store->add(number, maker.event(number));
    }
    store->stop();
    CHECK(store->report().dropped_not_written == 0);
  }
  const auto store = open_store(directory.path());
  CHECK(read_all(*store).size() == 50);
  CHECK(store->newest_events(20).size() == 20);
  CHECK(store->first_event() == 50);
  log::configure(log::Level::info, log::Format::logfmt);
}

TEST_CASE("A clock that is months ahead of the data deletes and hides nothing by age", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(22);
  {
    const auto store = open_store(directory.path());
    store->start({});
    for (std::uint64_t number = 0; number < 200; ++number)
      store->add(number, maker.round(number));  // they began on kBegin's day, long ago for this machine's clock
    REQUIRE(store->settled(HistoryKind::rounds, 200, deadline()));
    store->stop();
  }
  auto opened =
      HistoryStore::open({.directory = directory.path(), .retention = std::chrono::hours(24), .max_size = 16u << 20});
  REQUIRE(opened.ok());
  HistoryStore& store = **opened;
  CHECK(read_all(store).size() == 200);
  store.start({});  // which looks after the files at once
  auto now = maker.round(200);
  store.add(200, now);
  REQUIRE(store.settled(HistoryKind::rounds, 201, deadline()));
  CHECK(read_all(store).size() == 201);
}
