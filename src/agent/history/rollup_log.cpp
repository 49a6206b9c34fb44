#include "agent/history/rollup_log.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "base/compact.hpp"

namespace ecmp {
namespace {

constexpr Duration kChunk = std::chrono::hours(4);
/// What containers and malloc take beside what is in them.
constexpr std::size_t kPathBytes = 144;
constexpr std::size_t kChunkBytes = 192;

WallTime chunk_begin(WallTime time) {
  return WallTime(time.time_since_epoch() - time.time_since_epoch() % kChunk);
}

void append_rtt(std::string& out, std::uint16_t minute, const RollupCounts& counts) {
  if (counts.empty()) return;
  CompactWriter to(out);
  to.number(minute);
  to.number(counts.size());
  std::uint16_t before = 0;
  for (const auto& [bucket, count] : counts) {
    to.number(static_cast<std::uint64_t>(bucket - std::exchange(before, bucket)));
    to.number(count);
  }
}

RollupCounts read_rtt(CompactReader& from) {
  RollupCounts counts(from.count(2));
  std::uint16_t bucket = 0;
  for (auto& [to, count] : counts) {
    bucket = static_cast<std::uint16_t>(bucket + from.number());
    to = bucket;
    count = static_cast<std::uint32_t>(from.number());
  }
  return counts;
}

/// Probes and losses of each step, of one path.
using Sums = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

}  // namespace

std::size_t RollupLog::bytes_of(const Path& path) {
  return kPathBytes + path.runs.capacity() + path.rtt.capacity();
}

void RollupLog::set_budget(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  budget_ = bytes;
  trim();
}

void RollupLog::add(const std::vector<Rollup>& closed) {
  // Whoever reads meanwhile waits for some thousand at most.
  constexpr std::size_t kAtOnce = 4096;
  for (std::size_t done = 0; done < closed.size();) {
    const std::lock_guard lock(mutex_);
    for (const std::size_t end = std::min(closed.size(), done + kAtOnce); done < end; ++done)
      take(closed[done]);
    trim();
  }
}

void RollupLog::take(const Rollup& rollup) {
  const WallTime begin = chunk_begin(rollup.minute);
  newest_ = std::max(newest_, rollup.minute);
  Chunk& chunk = chunk_of(*rollup.destination, begin);
  const auto known = std::ranges::find(chunk.paths, rollup.path, &Path::id);
  const bool is_new = known == chunk.paths.end();
  Path& path = is_new ? chunk.paths.emplace_back(Path{.id = rollup.path, .runs = {}, .last = {}, .rtt = {}}) : *known;
  if (!is_new) bytes_ -= bytes_of(path);
  rtt_bytes_ -= path.rtt.capacity();
  const auto minute = static_cast<std::uint16_t>((rollup.minute - begin) / kRollupStep);
  Run& last = path.last;
  if (last.minutes > 0 && last.minute + last.minutes == minute && last.flows == rollup.flows &&
      last.probes == rollup.probes && last.losses == rollup.losses && last.silences == rollup.silences) {
    ++last.minutes;
  } else {
    if (last.minutes > 0) append_run(path.runs, last);
    last = {.minute = minute,
            .minutes = 1,
            .flows = rollup.flows,
            .probes = rollup.probes,
            .losses = rollup.losses,
            .silences = rollup.silences};
  }
  if (minute >= chunk.rtt_from) append_rtt(path.rtt, minute, rollup.rtt);
  chunk.end = std::max<std::uint16_t>(chunk.end, static_cast<std::uint16_t>(minute + 1));
  bytes_ += bytes_of(path);
  rtt_bytes_ += path.rtt.capacity();
}

RollupLog::Chunk& RollupLog::chunk_of(const std::string& destination, WallTime begin) {
  Chunks& chunks = destinations_[destination];
  // Nearly always the newest.
  auto at = chunks.end();
  while (at != chunks.begin() && std::prev(at)->begin >= begin)
    --at;
  if (at != chunks.end() && at->begin == begin) return *at;
  with_counts_.emplace_back(destination, begin);
  with_rtt_.emplace_back(destination, begin);
  bytes_ += kChunkBytes;
  return *chunks.insert(at, Chunk{.begin = begin, .paths = {}});
}

RollupLog::Chunk* RollupLog::find(const Place& place) {
  const auto found = destinations_.find(place.first);
  if (found == destinations_.end()) return nullptr;
  const auto chunk = std::ranges::find(found->second, place.second, &Chunk::begin);
  return chunk == found->second.end() ? nullptr : &*chunk;
}

void RollupLog::trim() {
  while (bytes_ > budget_ && !with_counts_.empty()) {
    if (rtt_bytes_ > bytes_ / 4 && !with_rtt_.empty()) {
      Place place = std::move(with_rtt_.front());
      with_rtt_.pop_front();
      Chunk* const oldest = find(place);
      if (oldest == nullptr) continue;
      forget_rtt(*oldest);
      // What is being filled may have some again.
      if (oldest->begin + kChunk > newest_) with_rtt_.push_back(std::move(place));
      continue;
    }
    const Place place = with_counts_.front();
    with_counts_.pop_front();
    const auto found = destinations_.find(place.first);
    const auto chunk = std::ranges::find(found->second, place.second, &Chunk::begin);
    for (const Path& path : chunk->paths) {
      rtt_bytes_ -= path.rtt.capacity();
      bytes_ -= bytes_of(path);
    }
    bytes_ -= kChunkBytes;
    found->second.erase(chunk);
    if (found->second.empty()) destinations_.erase(found);
  }
}

void RollupLog::forget_rtt(Chunk& chunk) {
  chunk.rtt_from = chunk.end;
  for (Path& path : chunk.paths) {
    rtt_bytes_ -= path.rtt.capacity();
    bytes_ -= bytes_of(path);
    std::string().swap(path.rtt);
    rtt_bytes_ += path.rtt.capacity();
    bytes_ += bytes_of(path);
  }
}

void RollupLog::append_run(std::string& out, const Run& run) {
  CompactWriter to(out);
  for (const std::uint32_t value :
       {std::uint32_t{run.minute}, std::uint32_t{run.minutes}, run.flows, run.probes, run.losses, run.silences})
    to.number(value);
}

template <typename Each>
void RollupLog::each_run(const Path& path, Each each) {
  CompactReader from(ByteView(reinterpret_cast<const std::uint8_t*>(path.runs.data()), path.runs.size()));
  while (from.ok() && from.left() > 0) {
    Run run;
    run.minute = static_cast<std::uint16_t>(from.number());
    run.minutes = static_cast<std::uint16_t>(from.number());
    for (std::uint32_t* const to : {&run.flows, &run.probes, &run.losses, &run.silences})
      *to = static_cast<std::uint32_t>(from.number());
    each(run);
  }
  if (path.last.minutes > 0) each(path.last);
}

void RollupLog::set_open(std::vector<Rollup> open) {
  std::unordered_map<std::string, std::vector<Rollup>> sorted;
  for (Rollup& rollup : open)
    sorted[*rollup.destination].push_back(std::move(rollup));
  const std::lock_guard lock(mutex_);
  open_.swap(sorted);
}

void RollupLog::read_path(std::vector<Rollup>& out, const Chunk& chunk, const Path& path, WallTime from, WallTime to) {
  const std::size_t first = out.size();
  each_run(path, [&](const Run& run) {
    for (std::uint16_t i = 0; i < run.minutes; ++i) {
      const WallTime minute = chunk.begin + kRollupStep * (run.minute + i);
      if (minute < from || minute >= to) continue;
      out.push_back({.destination = nullptr,
                     .minute = minute,
                     .path = path.id,
                     .flows = run.flows,
                     .probes = run.probes,
                     .losses = run.losses,
                     .silences = run.silences,
                     .rtt = {}});
    }
  });
  CompactReader rtt(ByteView(reinterpret_cast<const std::uint8_t*>(path.rtt.data()), path.rtt.size()));
  while (rtt.ok() && rtt.left() > 0) {
    const WallTime minute = chunk.begin + kRollupStep * static_cast<std::int64_t>(rtt.number());
    RollupCounts counts = read_rtt(rtt);
    const auto at = std::find_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                                 [&](const Rollup& one) { return one.minute == minute && one.rtt.empty(); });
    if (at != out.end()) at->rtt = std::move(counts);
  }
}

std::vector<Rollup> RollupLog::read(const std::string& destination, WallTime from, WallTime to) const {
  std::vector<Rollup> out;
  const auto name = std::make_shared<const std::string>(destination);
  const std::lock_guard lock(mutex_);
  const auto found = destinations_.find(destination);
  if (found == destinations_.end()) return out;
  for (const Chunk& chunk : found->second) {
    if (chunk.begin >= to || chunk.begin + kChunk <= from) continue;
    for (const Path& path : chunk.paths)
      read_path(out, chunk, path, from, to);
  }
  for (Rollup& rollup : out)
    rollup.destination = name;
  return out;
}

std::optional<WallTime> RollupLog::first(const std::string& destination) const {
  const std::lock_guard lock(mutex_);
  const auto found = destinations_.find(destination);
  if (found == destinations_.end()) return std::nullopt;
  for (const Chunk& chunk : found->second) {
    if (chunk.rtt_from == chunk.end) continue;
    std::optional<std::uint16_t> first;
    for (const Path& path : chunk.paths)
      each_run(path, [&](const Run& run) { first = std::min(first.value_or(run.minute), run.minute); });
    if (first) return chunk.begin + kRollupStep * std::max(*first, chunk.rtt_from);
  }
  return std::nullopt;
}

RollupLog::Row RollupLog::overview_of(const std::string& destination, const TimelineSteps& steps) const {
  std::unordered_map<std::uint32_t, Sums> paths;
  const auto sums_of = [&](std::uint32_t id) -> Sums& {
    Sums& sums = paths[id];
    if (sums.empty()) sums.resize(steps.count);
    return sums;
  };
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = destinations_.find(destination); found != destinations_.end()) {
      for (const Chunk& chunk : found->second) {
        if (chunk.begin >= steps.end() || chunk.begin + kChunk <= steps.begin) continue;
        for (const Path& path : chunk.paths) {
          Sums& sums = sums_of(path.id);
          each_run(path, [&](const Run& run) {
            WallTime minute = chunk.begin + kRollupStep * run.minute;
            for (std::uint16_t left = run.minutes; left > 0; --left, minute += kRollupStep) {
              const auto step = steps.index_of(minute);
              if (!step) continue;
              sums[*step].first += run.probes;
              sums[*step].second += run.losses;
            }
          });
        }
      }
    }
    if (const auto found = open_.find(destination); found != open_.end()) {
      for (const Rollup& rollup : found->second) {
        const auto step = steps.index_of(rollup.minute);
        if (!step) continue;
        auto& [probes, losses] = sums_of(rollup.path)[*step];
        probes += rollup.probes;
        losses += rollup.losses;
      }
    }
  }
  Row row(steps.count);
  for (const auto& [id, sums] : paths) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto& [probes, losses] = sums[i];
      if (probes == 0) continue;
      row[i] = std::max(row[i].value_or(0.0), static_cast<double>(losses) / static_cast<double>(probes));
    }
  }
  return row;
}

RollupLog::Size RollupLog::size() const {
  const std::lock_guard lock(mutex_);
  return {bytes_, with_counts_.size()};
}

}  // namespace ecmp
