// Feeds the readers of the history's files with what libFuzzer makes of the samples in corpus/history. The first byte
// says which reader. Checksums are given, where one would keep the fuzzer out: what is behind them must bear anything
// too. Two of the readers are those of whole files, as the agent opens them: of one that was written and then came to
// harm, and of one whose blocks say anything.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "agent/history/history_files.hpp"
#include "agent/log.hpp"
#include "path/history/history_block.hpp"
#include "path/history/history_codec.hpp"
#include "path/model/path_names.hpp"
#include "render/json/event_json.hpp"
#include "render/json/ndjson.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/path/stored_rounds.hpp"

namespace {

using namespace ecmp;

void rounds(ByteView bytes) {
  const auto all = decode_rounds(bytes, {}, {});
  if (!all) return;
  HistoryEncoder encoder;
  for (const StoredRound& round : *all) {
    std::string text;
    render::append_round(text, *round.record, render::NoNames{});
    if (text.empty() || round.record->round.hops.size() > 255) std::abort();
    encoder.add(round.number, *round.record);
  }
  // What was understood says the same once it is written again.
  const std::string again = encoder.take();
  if (again.size() > kMostBatchBytes) return;
  const auto same = decode_rounds(ByteView(reinterpret_cast<const std::uint8_t*>(again.data()), again.size()), {}, {});
  if (!same || same->size() != all->size()) std::abort();
  for (std::size_t i = 0; i < all->size(); ++i) {
    std::string before;
    std::string after;
    render::append_round(before, *(*all)[i].record, render::NoNames{});
    render::append_round(after, *(*same)[i].record, render::NoNames{});
    if (before != after || (*all)[i].number != (*same)[i].number) std::abort();
  }
  const RoundFilter filter{.destination = "fra-edge", .flow = 50000};
  const auto some = decode_rounds(bytes, filter, {});
  if (!some) return;
  for (const StoredRound& round : *some)
    if (!filter.matches(*round.record)) std::abort();
}

void events(ByteView bytes) {
  const auto all = decode_events(bytes, {}, {});
  if (!all) return;
  std::string text;
  for (const StoredEvent& event : *all)
    render::append_event(text, *event.event, event.number, render::NoNames{});
}

void heads(ByteView bytes) {
  if (const auto head = HistoryBlockHead::parse(bytes)) {
    const auto written = head->bytes();
    if (head->first >= head->end || head->shard >= head->shards || written.size() > bytes.size()) std::abort();
  }
  static_cast<void>(HistoryFileHead::parse(bytes));
}

/// The bytes as the body of a file whose head is right.
void names(ByteView bytes) {
  std::string file = encode(PathNames{});
  file.resize(file.size() - 1);  // "none"
  const std::uint32_t checksum = crc32c(bytes);
  for (std::size_t i = 0; i < 4; ++i)
    file[file.size() - 4 + i] = static_cast<char>(checksum >> (24 - 8 * i));
  file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto known = decode_path_names(ByteView(reinterpret_cast<const std::uint8_t*>(file.data()), file.size()));
  if (!known) return;
  const std::string again = encode(*known);
  const auto same = decode_path_names(ByteView(reinterpret_cast<const std::uint8_t*>(again.data()), again.size()));
  if (!same || *same != *known) std::abort();
}

/// A directory of the history with one file in it, whose bytes are given. In memory where the system has such a place.
class FileOfHistory {
 public:
  FileOfHistory() : path_(directory() + "/rounds-0000000000000000.history") {}

  /// Nobody has opened one of them yet.
  void put(const std::string& bytes) {
    for (const auto& entry : std::filesystem::directory_iterator(directory()))
      std::filesystem::remove(entry.path());
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  [[nodiscard]] std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  static const std::string& directory() {
    static const TemporaryDirectory made = [] {
      log::configure(log::Level::error, log::Format::logfmt);  // damages would be told each time
      if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
      return TemporaryDirectory();
    }();
    return made.path();
  }

 private:
  std::string path_;
};

constexpr HistoryFiles::Limits kRoomy{std::chrono::hours(24), std::uint64_t{1} << 30};

std::vector<HistoryBatch> group_of(std::string batch, std::uint64_t first, std::uint64_t count) {
  std::vector<HistoryBatch> group(1);
  group[0].head.first = first;
  group[0].head.end = first + count;
  group[0].head.items = static_cast<std::uint32_t>(count);
  group[0].head.oldest = group[0].head.newest = WallTime{stored_rounds::kBegin};
  group[0].bytes = std::move(batch);
  return group;
}

/// All that its readers get out of it. Reading comes to an end, and its place only ever goes forward.
std::vector<std::string> read_all(HistoryFiles& files, const RoundFilter& filter) {
  std::vector<std::string> batches;
  HistoryPlace place;
  for (std::uint64_t next = 0;; next = place.next) {
    HistoryFiles::Step step = files.read(place, filter, ~std::uint64_t{0});
    if (step.done) return batches;
    if (place.next < next) std::abort();
    std::ranges::move(step.batches, std::back_inserter(batches));
  }
}

/// Six blocks of two rounds each, written as the agent writes them.
struct Written {
  std::string file;
  std::set<std::string> batches;

  Written() {
    FileOfHistory place;
    place.put({});
    HistoryFiles files(FileOfHistory::directory(), HistoryKind::rounds);
    stored_rounds::Maker maker(1, 2);
    if (files.open()) std::abort();
    for (std::uint64_t first = 0; first < 12; first += 2) {
      HistoryEncoder encoder;
      for (std::uint64_t number = first; number < first + 2; ++number)
        encoder.add(number, *maker.round(number));
      std::string batch = encoder.take();
      batches.insert(batch);
      auto group = group_of(std::move(batch), first, 2);
      if (files.append(group, kRoomy, WallTime{stored_rounds::kBegin})) std::abort();
    }
    file = place.bytes();
  }
};

/// A file that comes to harm, told by the bytes five at a time: what (cut, changed, zeros, a stretch that is gone, one
/// that is there again), where, and how much. Nothing comes out of it that was not put in.
void garbled_file(ByteView bytes) {
  static const Written written;
  std::string file = written.file;
  for (std::size_t harms = 0; bytes.size() >= 5 && harms < 16; ++harms, bytes = bytes.subspan(5)) {
    if (file.empty()) break;
    const std::size_t at = (std::size_t{bytes[1]} << 8 | bytes[2]) % file.size();
    const std::size_t value = std::size_t{bytes[3]} << 8 | bytes[4];
    const std::size_t much = std::min(value, file.size() - at);
    if (bytes[0] % 5 == 0) file.resize(at);
    if (bytes[0] % 5 == 1) file[at] = static_cast<char>(value);
    if (bytes[0] % 5 == 2) std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at), much, '\0');
    if (bytes[0] % 5 == 3) file.erase(at, much);
    if (bytes[0] % 5 == 4 && file.size() < 4 * written.file.size())
      file.insert(value % file.size(), file.substr(at, 999));
  }
  FileOfHistory place;
  place.put(file);
  HistoryFiles files(FileOfHistory::directory(), HistoryKind::rounds);
  if (files.open()) std::abort();
  std::set<std::string> seen;
  for (std::string& batch : read_all(files, {}))
    if (!written.batches.contains(batch) || !seen.insert(std::move(batch)).second) std::abort();
  if (file == written.file && seen.size() != written.batches.size()) std::abort();
  // And it is gone on with.
  auto group = group_of("more", 12, 1);
  if (files.append(group, kRoomy, WallTime{stored_rounds::kBegin})) std::abort();
  const auto more = read_all(files, {});
  if (more.size() != seen.size() + 1 || more.back() != "more") std::abort();
}

void store32(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// Blocks of 72 bytes of head and as much content as the head says (its first four bytes do not matter), with the
/// checksums put right: what a program may find that is not the one that wrote them.
void lying_file(ByteView bytes) {
  const auto head = HistoryFileHead{.version = kHistoryVersion, .kind = HistoryKind::rounds, .first = 0}.bytes();
  std::string file(head.begin(), head.end());
  const auto magic = HistoryBlockHead{}.bytes();
  while (bytes.size() >= HistoryBlockHead::kBytes) {
    std::string block(bytes.begin(), bytes.begin() + HistoryBlockHead::kBytes);
    bytes = bytes.subspan(HistoryBlockHead::kBytes);
    std::copy_n(magic.begin(), 4, block.begin());
    const auto byte = [&](std::size_t at) { return std::size_t{static_cast<std::uint8_t>(block[at])}; };
    const std::size_t stored = byte(6) << 8 | byte(7);
    const ByteView content = bytes.first(std::min(bytes.size(), stored));
    bytes = bytes.subspan(content.size());
    store32(block, 4, static_cast<std::uint32_t>(content.size()));
    store32(block, 16, crc32c(content));
    store32(block, HistoryBlockHead::kBytes - 4, crc32c(view(block).first(HistoryBlockHead::kBytes - 4)));
    file += block;
    file.append(content.begin(), content.end());
  }
  FileOfHistory place;
  place.put(file);
  HistoryFiles files(FileOfHistory::directory(), HistoryKind::rounds);
  if (files.open()) std::abort();
  const WallTime middle{stored_rounds::kBegin};
  for (const RoundFilter& filter :
       {RoundFilter{}, RoundFilter{.destination = "destination-1"}, RoundFilter{.since = middle}})
    for (const std::string& batch : read_all(files, filter))
      static_cast<void>(decode_rounds(view(batch), filter, {}));
  files.trim({std::chrono::hours(1), 1}, middle);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      rounds(bytes);
      break;
    case 1:
      events(bytes);
      break;
    case 2:
      heads(bytes);
      break;
    case 3:
      names(bytes);
      break;
    case 4:
      garbled_file(bytes);
      break;
    default:
      lying_file(bytes);
      break;
  }
  return 0;
}
