// What keeping rounds on disk costs: history_bench DIRECTORY [ROUNDS]. Compact batches in files of blocks (as the
// program has them) for several sizes of batches, the same as JSON, and SQLite with a compressed row for each round.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>
#include <zstd.h>
#ifdef ECMP_SQLITE
#include <sqlite3.h>
#endif

#include "agent/history/history_segment.hpp"
#include "path/history/history_codec.hpp"
#include "render/json/ndjson.hpp"

namespace {

using namespace ecmp;

constexpr std::size_t kDestinations = 100;
constexpr std::size_t kFlows = 32;
constexpr std::uint8_t kHops = 12;

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Rounds as a network makes them: paths that hardly change, RTTs that always do.
class Rounds {
 public:
  Rounds() {
    for (std::size_t d = 0; d < kDestinations; ++d) {
      auto facts = std::make_shared<DestinationFacts>();
      facts->name = "destination-" + std::to_string(d);
      facts->host = facts->name + ".example.net";
      facts->address = IpAddress::v4(0x0a000000u + static_cast<std::uint32_t>(d));
      facts->port = 33434;
      facts->source_ports = 50000;
      facts->flows = kFlows;
      facts->interval = std::chrono::seconds(10);
      facts_.push_back(facts);
      for (std::uint32_t path = 0; path < 8; ++path) {
        auto list = std::make_shared<std::vector<IpAddress>>();
        for (std::uint32_t hop = 0; hop + 1 < kHops; ++hop)
          list->push_back(IpAddress::v4(0x0b000000u + (hop << 16) + (path << 8) + static_cast<std::uint32_t>(d)));
        list->push_back(facts->address);
        paths_.push_back(std::move(list));
        windows_.push_back(nullptr);
      }
    }
  }

  std::shared_ptr<const RoundRecord> make(std::uint64_t number) {
    const std::size_t destination = number % kDestinations;
    const auto flow = static_cast<std::uint32_t>(number / kDestinations % kFlows);
    const std::size_t path = destination * 8 + flow % 8;
    auto record = std::make_shared<RoundRecord>();
    record->destination = facts_[destination];
    record->flow_index = flow;
    record->source_port = static_cast<std::uint16_t>(50000 + flow);
    record->source = IpAddress::v4(0xc0000201);
    record->wall_offset = std::chrono::seconds(1767225600);
    Round& round = record->round;
    round.number = static_cast<std::uint32_t>(number / kDestinations / kFlows);
    round.started = Instant(number * Duration(10'000'000'000 / static_cast<std::int64_t>(kDestinations * kFlows)));
    round.finished = round.started + std::chrono::milliseconds(120);
    round.end_to_end = EndToEnd::reached;
    round.distance = kHops;
    for (std::uint8_t ttl = 1; ttl <= kHops; ++ttl) {
      HopResult& hop = round.hops.emplace_back();
      hop.ttl = ttl;
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const auto noise = static_cast<std::int64_t>(state_ >> 44);
      if (noise % 50 == 0) {
        hop.outcome = HopOutcome::silent;
        continue;
      }
      hop.outcome = HopOutcome::replied;
      hop.reply = ttl == kHops ? packet::ReplyKind::port_unreachable : packet::ReplyKind::time_exceeded;
      hop.icmp_type = ttl == kHops ? 3 : 11;
      hop.icmp_code = ttl == kHops ? 3 : 0;
      hop.reply_ttl = static_cast<std::uint8_t>(65 - ttl);
      hop.quoted_ttl = 1;
      hop.responder = (*paths_[path])[ttl - 1u];
      hop.rtt = Duration(ttl * 1'000'000 + noise);
      hop.received = round.started + Duration(noise / 3) + hop.rtt;
    }
    record->verdict.path = 0x1000u + static_cast<std::uint32_t>(path);
    record->verdict.ordinal = flow % 8 + 1;
    record->verdict.responders = paths_[path];
    if (windows_[path] == nullptr || state_ % 4 == 0) {
      PathWindow window;
      window.figures.probes = 960;
      window.figures.rtts = 950;
      window.figures.rtt = {Duration(12'000'000), Duration(13'000'000),
                            Duration(static_cast<std::int64_t>(state_ >> 40))};
      windows_[path] = std::make_shared<const PathWindow>(window);
    }
    record->verdict.window = windows_[path];
    record->verdict.smoothed_jitter = Duration(static_cast<std::int64_t>(state_ >> 48));
    return record;
  }

 private:
  std::vector<std::shared_ptr<const DestinationFacts>> facts_;
  std::vector<std::shared_ptr<const std::vector<IpAddress>>> paths_;
  std::vector<std::shared_ptr<const PathWindow>> windows_;
  std::uint64_t state_ = 1;
};

void tell(const char* what, std::uint64_t rounds, double seconds, std::uint64_t bytes) {
  std::printf("%-34s %9.0f rounds/s of CPU  %6.1f bytes/round\n", what, static_cast<double>(rounds) / seconds,
              static_cast<double>(bytes) / static_cast<double>(rounds));
}

void blocks(const std::string& directory, const std::vector<std::shared_ptr<const RoundRecord>>& rounds,
            std::size_t at_once, bool read) {
  const std::string path = directory + "/bench.history";
  std::filesystem::remove(path);
  auto made = HistorySegment::create(path, HistoryKind::rounds, 0);
  if (!made.ok()) {
    std::printf("%s\n", made.error().c_str());
    std::exit(1);
  }
  HistorySegment& segment = **made;
  double begin = now(CLOCK_PROCESS_CPUTIME_ID);
  for (std::size_t first = 0; first < rounds.size(); first += at_once) {
    const std::size_t end = std::min(rounds.size(), first + at_once);
    const auto count = static_cast<std::uint16_t>(std::clamp<std::size_t>(at_once / 128, 1, 16));
    std::vector<HistoryEncoder> encoders(count);
    std::vector<HistoryBatch> batches(count);
    for (std::size_t i = first; i < end; ++i) {
      const auto shard = HistoryBlockHead::shard_of(rounds[i]->destination->name, count);
      encoders[shard].add(i, *rounds[i]);
      batches[shard].head.destinations.add(rounds[i]->destination->name);
      batches[shard].head.newest = rounds[i]->wall(rounds[i]->round.started);
    }
    for (std::uint16_t shard = 0; shard < count; ++shard) {
      HistoryBlockHead& head = batches[shard].head;
      head.first = first;
      head.end = end;
      head.shard = shard;
      head.shards = count;
      batches[shard].bytes = encoders[shard].take();
    }
    if (const auto error = segment.append(batches)) std::printf("%s\n", error->message.c_str());
  }
  char what[64];
  std::snprintf(what, sizeof what, "blocks of %zu rounds", at_once);
  tell(what, rounds.size(), now(CLOCK_PROCESS_CPUTIME_ID) - begin, segment.bytes());
  if (!read) return;
  for (const RoundFilter& filter : {RoundFilter{.destination = "destination-7"}, RoundFilter{}}) {
    begin = now(CLOCK_PROCESS_CPUTIME_ID);
    std::size_t found = 0;
    std::uint64_t damaged = 0;
    std::uint64_t offset = HistoryFileHead::kBytes;
    while (const auto block = segment.block(offset, damaged)) {
      offset = block->next();
      if (filter.destination && !block->head.may_have(*filter.destination)) continue;
      const auto batch = segment.batch(*block);
      const auto some =
          decode_rounds(ByteView(reinterpret_cast<const std::uint8_t*>(batch->data()), batch->size()), filter, {});
      found += some->size();
    }
    std::printf("  read %-27s %9.1f ms of CPU for %zu rounds\n", filter.destination ? "one destination" : "everything",
                (now(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e3, found);
  }
}

void json(const std::vector<std::shared_ptr<const RoundRecord>>& rounds, std::size_t at_once) {
  const double begin = now(CLOCK_PROCESS_CPUTIME_ID);
  std::uint64_t bytes = 0;
  for (std::size_t first = 0; first < rounds.size(); first += at_once) {
    std::string text;
    for (std::size_t i = first; i < std::min(rounds.size(), first + at_once); ++i)
      render::append_round(text, *rounds[i], render::NoNames{});
    std::string stored(ZSTD_compressBound(text.size()), '\0');
    bytes += ZSTD_compress(stored.data(), stored.size(), text.data(), text.size(), 1);
  }
  tell("JSON, zstd, not written", rounds.size(), now(CLOCK_PROCESS_CPUTIME_ID) - begin, bytes);
}

#ifdef ECMP_SQLITE
void sqlite(const std::string& directory, const std::vector<std::shared_ptr<const RoundRecord>>& rounds) {
  const std::string path = directory + "/bench.sqlite";
  for (const char* ending : {"", "-wal", "-shm"})
    std::filesystem::remove(path + ending);
  sqlite3* base = nullptr;
  sqlite3_open(path.c_str(), &base);
  const auto run = [&](const char* text) { sqlite3_exec(base, text, nullptr, nullptr, nullptr); };
  run("pragma journal_mode=wal; pragma synchronous=normal;"
      "create table rounds(number integer primary key, destination integer, time integer, body blob);"
      "create index of_destination on rounds(destination, time)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(base, "insert into rounds values(?,?,?,?)", -1, &insert, nullptr);
  double begin = now(CLOCK_PROCESS_CPUTIME_ID);
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    if (i % 320 == 0) run("begin");
    HistoryEncoder encoder;
    encoder.add(i, *rounds[i]);
    const std::string bytes = encoder.take();
    std::string stored(ZSTD_compressBound(bytes.size()), '\0');
    const std::size_t size = ZSTD_compress(stored.data(), stored.size(), bytes.data(), bytes.size(), 3);
    sqlite3_bind_int64(insert, 1, static_cast<sqlite3_int64>(i));
    sqlite3_bind_int64(insert, 2, static_cast<sqlite3_int64>(i % kDestinations));
    sqlite3_bind_int64(insert, 3, rounds[i]->round.started.time_since_epoch().count());
    sqlite3_bind_blob(insert, 4, stored.data(), static_cast<int>(size), SQLITE_STATIC);
    sqlite3_step(insert);
    sqlite3_reset(insert);
    if (i % 320 == 319 || i + 1 == rounds.size()) run("commit");
  }
  sqlite3_finalize(insert);
  run("pragma wal_checkpoint(truncate)");
  tell("SQLite, WAL, a zstd row a round", rounds.size(), now(CLOCK_PROCESS_CPUTIME_ID) - begin,
       std::filesystem::file_size(path));
  sqlite3_stmt* select = nullptr;
  sqlite3_prepare_v2(base, "select body from rounds where destination=7 order by time", -1, &select, nullptr);
  begin = now(CLOCK_PROCESS_CPUTIME_ID);
  std::size_t found = 0;
  while (sqlite3_step(select) == SQLITE_ROW) {
    std::string raw(8192, '\0');
    raw.resize(ZSTD_decompress(raw.data(), raw.size(), sqlite3_column_blob(select, 0),
                               static_cast<std::size_t>(sqlite3_column_bytes(select, 0))));
    found += decode_rounds(ByteView(reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size()), {}, {})->size();
  }
  std::printf("  read %-27s %9.1f ms of CPU for %zu rounds\n", "one destination",
              (now(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e3, found);
  sqlite3_finalize(select);
  sqlite3_close(base);
}
#endif

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: history_bench DIRECTORY [ROUNDS]\n");
    return 2;
  }
  const std::string directory = arguments[1];
  const std::size_t rounds = count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 200000;
  Rounds maker;
  std::vector<std::shared_ptr<const RoundRecord>> records;
  for (std::size_t i = 0; i < rounds; ++i)
    records.push_back(maker.make(i));
  blocks(directory, records, 1, false);
  blocks(directory, records, 2, false);
  blocks(directory, records, 16, false);
  blocks(directory, records, 160, false);
  blocks(directory, records, 1600, true);
  json(records, 160);
#ifdef ECMP_SQLITE
  sqlite(directory, records);
#endif
  return 0;
}
