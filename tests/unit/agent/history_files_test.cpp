#include "agent/history/history_files.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/fsuid.h>
#include <unistd.h>

#include "agent/log.hpp"
#include "catch.hpp"
#include "path/history/history_codec.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/path/stored_rounds.hpp"

using namespace ecmp;
using stored_rounds::Maker;
using stored_rounds::text;

namespace {

constexpr WallTime kNow{stored_rounds::kBegin};
constexpr HistoryFiles::Limits kRoomy{std::chrono::hours(24), std::uint64_t{1} << 30};

/// A group of one batch.
std::vector<HistoryBatch> group(Maker& maker, std::uint64_t first, std::uint64_t count,
                                std::map<std::uint64_t, std::string>& texts) {
  HistoryEncoder encoder;
  HistoryBatch batch;
  batch.head.first = first;
  batch.head.end = first + count;
  batch.head.oldest = WallTime::max();
  batch.head.newest = WallTime::min();
  batch.head.items = static_cast<std::uint32_t>(count);
  for (std::uint64_t number = first; number < first + count; ++number) {
    const auto round = maker.round(number);
    const WallTime time = round->wall(round->round.started);
    batch.head.oldest = std::min(batch.head.oldest, time);
    batch.head.newest = std::max(batch.head.newest, time);
    batch.head.destinations.add(round->destination->name);
    encoder.add(number, *round);
    texts[number] = text(*round);
  }
  batch.bytes = encoder.take();
  std::vector<HistoryBatch> batches;
  batches.push_back(std::move(batch));
  return batches;
}

std::vector<StoredRound> read_all(HistoryFiles& files, const RoundFilter& filter = {}) {
  std::vector<StoredRound> all;
  HistoryPlace place;
  while (true) {
    const HistoryFiles::Step step = files.read(place, filter, ~std::uint64_t{0});
    if (step.done) return all;
    for (const std::string& batch : step.batches) {
      const auto rounds = decode_rounds(ByteView(reinterpret_cast<const std::uint8_t*>(batch.data()), batch.size()),
                                        filter, step.range);
      REQUIRE(rounds);
      all.insert(all.end(), rounds->begin(), rounds->end());
    }
  }
}

/// Each of them as it was written, none twice, in order.
void check(const std::vector<StoredRound>& rounds, const std::map<std::uint64_t, std::string>& texts) {
  std::uint64_t next = 0;
  for (const StoredRound& round : rounds) {
    REQUIRE(round.number >= next);
    next = round.number + 1;
    REQUIRE(texts.at(round.number) == text(*round.record));
  }
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A file that open(2) refuses with EACCES: root's right to read anything is set aside for as long.
class Unreadable {
 public:
  explicit Unreadable(const std::filesystem::path& path) : path_(path) {
    // setfsuid() drops the capabilities of the file system, too (capabilities(7)): all else stays open to everybody.
    std::filesystem::permissions(path_.parent_path(), std::filesystem::perms::all);
    for (const auto& entry : std::filesystem::directory_iterator(path_.parent_path()))
      std::filesystem::permissions(entry.path(), std::filesystem::perms::all);
    std::filesystem::permissions(path_, std::filesystem::perms::none);
    ::setfsuid(kNobody);
  }
  Unreadable(const Unreadable&) = delete;
  Unreadable& operator=(const Unreadable&) = delete;
  ~Unreadable() {
    ::setfsuid(::geteuid());
    std::filesystem::permissions(path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  std::filesystem::path path_;
};

std::filesystem::path only_file(const std::filesystem::path& directory) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    found = entry.path();
  return found;
}

}  // namespace

TEST_CASE("Rounds on disk are read back by another process as they were written", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(1);
  std::map<std::uint64_t, std::string> texts;
  {
    HistoryFiles files(directory.path(), HistoryKind::rounds);
    REQUIRE(!files.open());
    for (std::uint64_t first = 0; first < 1000; first += 50) {
      auto batches = group(maker, first, 50, texts);
      REQUIRE(!files.append(batches, kRoomy, kNow));
    }
    CHECK(read_all(files).size() == 1000);
  }
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  REQUIRE(!files.open());
  CHECK(files.end() == 1000);
  const auto rounds = read_all(files);
  CHECK(rounds.size() == 1000);
  check(rounds, texts);
  // And gone on with, in the same file.
  auto batches = group(maker, 1000, 10, texts);
  REQUIRE(!files.append(batches, kRoomy, kNow));
  CHECK(read_all(files).size() == 1010);
  CHECK(files.size().files == 1);
  CHECK(read_all(files, {.destination = "destination-3"}).size() == 202);
}

TEST_CASE("However a file is damaged, only rounds that were written come out of it", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(2);
  std::map<std::uint64_t, std::string> texts;
  {
    HistoryFiles files(directory.path(), HistoryKind::rounds);
    REQUIRE(!files.open());
    for (std::uint64_t first = 0; first < 60; first += 5) {
      auto batches = group(maker, first, 5, texts);
      REQUIRE(!files.append(batches, kRoomy, kNow));
    }
  }
  const auto path = only_file(directory.path());
  const std::string whole = contents(path);
  std::size_t most = 0;
  std::size_t sum = 0;
  log::configure(log::Level::error, log::Format::logfmt);  // each turn would be told
  const int turns = std::getenv("ECMP_MUTATIONS") != nullptr ? std::atoi(std::getenv("ECMP_MUTATIONS")) : 60;
  for (int turn = 0; turn < turns; ++turn) {
    INFO("seed 2, turn " << turn);
    std::string bytes = whole;
    const auto anywhere = [&] { return maker.below(static_cast<std::uint32_t>(bytes.size())); };
    const std::uint32_t how = maker.below(5);
    if (how == 0) bytes.resize(anywhere());
    if (how == 1 || how == 4)
      for (std::uint32_t flips = 1 + maker.below(8); flips > 0; --flips)
        bytes[anywhere()] ^= static_cast<char>(1u << maker.below(8));
    if (how == 2) bytes.replace(anywhere(), maker.below(200), std::string(maker.below(200), '\0'));
    if (how == 3) bytes.insert(anywhere(), whole.substr(anywhere(), maker.below(3000)));
    if (how == 4) bytes.resize(anywhere());
    put(path, bytes);
    HistoryFiles files(directory.path(), HistoryKind::rounds);
    REQUIRE(!files.open());
    const auto rounds = read_all(files);
    check(rounds, texts);
    most = std::max(most, rounds.size());
    sum += rounds.size();
    // And what comes after it is written behind it.
    std::map<std::uint64_t, std::string> more = texts;
    auto batches = group(maker, 60, 5, more);
    REQUIRE(!files.append(batches, kRoomy, kNow));
    const auto gone_on = read_all(files);
    check(gone_on, more);
    REQUIRE(gone_on.size() == rounds.size() + 5);
    for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
      if (entry.path() != path) std::filesystem::remove(entry.path());
  }
  log::configure(log::Level::info, log::Format::logfmt);
  // One place that is damaged does not cost the rest.
  CHECK(most >= 55);
  CHECK(sum / static_cast<std::size_t>(turns) > 25);
}

TEST_CASE("Old files are deleted by age and by size, and who reads them reads on", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(3);
  std::map<std::uint64_t, std::string> texts;
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  REQUIRE(!files.open());
  const HistoryFiles::Limits limits{std::chrono::minutes(4), 3u << 20};
  // A round each 100 ms: 600 a minute.
  HistoryPlace place;
  std::uint64_t most = 0;
  for (std::uint64_t first = 0; first < 12000; first += 100) {
    auto batches = group(maker, first, 100, texts);
    const WallTime now = batches.front().head.newest;
    REQUIRE(!files.append(batches, limits, now));
    if (first == 0) static_cast<void>(files.read(place, {}, ~std::uint64_t{0}));
    files.trim(limits, now);
    most = std::max(most, files.size().bytes);
    REQUIRE(files.size().oldest);
    CHECK(*files.size().oldest > now - limits.retention - std::chrono::minutes(1));
  }
  CHECK(most <= (3u << 20) + (1u << 20));
  CHECK(files.size().files > 5);
  const auto rounds = read_all(files);
  check(rounds, texts);
  CHECK(rounds.front().number > 8000);
  CHECK(rounds.back().number == 11999);
  // The file of this place was deleted long ago.
  place.next = 10;
  place.offset = HistoryFileHead::kBytes;
  CHECK(files.read(place, {}, 100).batches.size() == 1);

  const HistoryFiles::Limits small{std::chrono::hours(24), 1};
  for (int i = 0; i < 20; ++i)
    files.trim(small, kNow);
  CHECK(files.size().files == 1);
}

TEST_CASE("A file of a newer program is refused by name, a foreign one is left out", "[history]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/rounds-0000000000000000.history";
  auto head = HistoryFileHead{.version = kHistoryVersion + 1, .kind = HistoryKind::rounds, .first = 0}.bytes();
  put(path, std::string(head.begin(), head.end()));
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  const auto problem = files.open();
  REQUIRE(problem);
  CHECK(problem->newer);
  CHECK(problem->error.message == path + ": of version 4, written by a newer program; this one knows versions up to 3");
  CHECK(std::filesystem::file_size(path) == head.size());

  put(path, "this is a text that somebody has left here for us to find");
  put(directory.path() + "/rounds-x.history", "nothing of ours");
  REQUIRE(!files.open());
  CHECK(files.size().files == 0);
  CHECK(files.size().damaged == 1);
  Maker maker(4);
  std::map<std::uint64_t, std::string> texts;
  auto batches = group(maker, 0, 5, texts);
  REQUIRE(!files.append(batches, kRoomy, kNow));
  CHECK(read_all(files).size() == 5);
  CHECK(contents(directory.path() + "/rounds-x.history") == "nothing of ours");
}

TEST_CASE("A file that cannot be read now is left as it is, and read once it can be", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(6);
  std::map<std::uint64_t, std::string> texts;
  std::uint64_t next = 0;
  {
    HistoryFiles files(directory.path(), HistoryKind::rounds);
    REQUIRE(!files.open());
    while (files.size().files < 3) {
      auto batches = group(maker, next, 500, texts);
      REQUIRE(!files.append(batches, {kRoomy.retention, std::uint64_t{8} << 20}, kNow));
      next += 500;
    }
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  REQUIRE(paths.size() == 3);
  for (const std::size_t which : {0u, 2u}) {
    CAPTURE(which);
    const std::string bytes = contents(paths[which]);
    HistoryFiles files(directory.path(), HistoryKind::rounds);
    {
      const Unreadable unreadable(paths[which]);
      REQUIRE(!files.open());
      CHECK(files.size().files == 2);
      CHECK(files.size().damaged == 0);
      CHECK(files.end_known() == (which == 0));
      for (int i = 0; i < 30; ++i)
        files.trim(kRoomy, kNow);
      CHECK(files.size().files == 2);
    }
    CHECK(contents(paths[which]) == bytes);
    for (int i = 0; i < 30; ++i)
      files.trim(kRoomy, kNow);
    CHECK(files.size().files == 3);
    CHECK(files.end() == next);
    check(read_all(files), texts);
  }
  // Nor does age or size delete what nobody has read.
  const Unreadable unreadable(paths[1]);
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  REQUIRE(!files.open());
  for (int i = 0; i < 30; ++i)
    files.trim({std::chrono::hours(24), 1}, kNow + std::chrono::hours(24 * 365));
  CHECK(files.size().files <= 1);
  CHECK(std::filesystem::exists(paths[1]));
}

TEST_CASE("Of many files the newest and those that are read are open", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(7);
  std::map<std::uint64_t, std::string> texts;
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  REQUIRE(!files.open());
  const auto open_files = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code ignored;
      if (std::filesystem::read_symlink(entry.path(), ignored).string().starts_with(directory.path())) ++count;
    }
    return count;
  };
  for (std::uint64_t first = 0; files.size().files < 5; first += 500) {
    auto batches = group(maker, first, 500, texts);
    REQUIRE(!files.append(batches, kRoomy, kNow + std::chrono::hours(2 * files.size().files)));
  }
  files.trim(kRoomy, kNow);
  CHECK(open_files() == 1);
  HistoryPlace place;
  CHECK(!files.read(place, {}, ~std::uint64_t{0}).batches.empty());
  files.trim(kRoomy, kNow);
  CHECK(open_files() == 2);
  check(read_all(files), texts);
  place = {};
  files.trim(kRoomy, kNow);
  CHECK(open_files() == 1);
  HistoryFiles again(directory.path(), HistoryKind::rounds);
  REQUIRE(!again.open());
  CHECK(open_files() == 2);
}

TEST_CASE("A reader that stops below a number goes on from there without a gap", "[history]") {
  const TemporaryDirectory directory;
  Maker maker(5);
  std::map<std::uint64_t, std::string> texts;
  HistoryFiles files(directory.path(), HistoryKind::rounds);
  REQUIRE(!files.open());
  for (std::uint64_t first = 0; first < 200; first += 20) {
    auto batches = group(maker, first, 20, texts);
    REQUIRE(!files.append(batches, kRoomy, kNow));
  }
  HistoryPlace place;
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t below = 7; below <= 210; below += 7) {
    for (HistoryFiles::Step step = files.read(place, {}, below); !step.done; step = files.read(place, {}, below)) {
      for (const std::string& batch : step.batches) {
        const ByteView bytes(reinterpret_cast<const std::uint8_t*>(batch.data()), batch.size());
        const auto rounds = decode_rounds(bytes, {}, step.range);
        REQUIRE(rounds);
        for (const StoredRound& round : *rounds)
          numbers.push_back(round.number);
      }
    }
  }
  REQUIRE(numbers.size() == 200);
  for (std::uint64_t i = 0; i < 200; ++i)
    CHECK(numbers[i] == i);
}
