#include "agent/history/history_store.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <iterator>
#include <span>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "agent/history/history_batches.hpp"
#include "agent/log.hpp"

namespace ecmp {
namespace {

using namespace history_batches;

/// A process that is killed loses what it has not handed to the kernel: half of the second it may lose.
constexpr std::chrono::milliseconds kWriteEvery(500);
/// For power losses, which the kernel's own writing back is for otherwise.
constexpr Duration kSyncEvery = std::chrono::seconds(10);
constexpr Duration kUpkeepEvery = std::chrono::seconds(5);
constexpr Duration kRetryEvery = std::chrono::seconds(1);
/// A clock that jumped is believed once it has gone on for so long: after a boot it takes minutes to be set right.
constexpr Duration kBelieveClockAfter = std::chrono::hours(1);
constexpr Duration kClockJump = std::chrono::minutes(1);
/// More than ten seconds of the busiest agent.
constexpr std::size_t kMostQueued = 65536;
/// Ten minutes of 26,000 paths.
constexpr std::size_t kMostRollupsQueued = std::size_t{1} << 18;
constexpr std::size_t kWriteAt = 4096;
/// Events are few: this part of the room is theirs.
constexpr std::uint64_t kEventShare = 16;

Instant monotonic_now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime civil_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

/// A number above all that an earlier run can have given: it counts from its own, by less than 2^20 a second.
std::uint64_t above_earlier_runs() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(civil_now().time_since_epoch()).count();
  return static_cast<std::uint64_t>(seconds) << 20;
}

}  // namespace

HistoryStore::HistoryStore(Options options)
    : directory_(std::move(options.directory)),
      retention_(options.retention.count()),
      max_size_(options.max_size),
      rollup_retention_(options.rollup_retention.count()),
      rollup_max_size_(options.rollup_max_size),
      rounds_(directory_, HistoryKind::rounds),
      events_(directory_, HistoryKind::events),
      rollups_(directory_, HistoryKind::rollups),
      names_(directory_) {}

Result<std::unique_ptr<HistoryStore>> HistoryStore::open(Options options) {
  std::unique_ptr<HistoryStore> store(new HistoryStore(std::move(options)));
  const auto unusable = store->take_directory();
  if (unusable && unusable->for_good) return Error{"history.directory: " + unusable->error.message};
  if (unusable) {
    store->fail(unusable->error);
    store->close();
    // Whatever stands there once it can be read: these numbers are above.
    store->first_round_ = store->first_event_ = store->next_rollup_ = above_earlier_runs();
  } else {
    // Above what a newest file may hold that cannot be read.
    const auto first_of = [](const HistoryFiles& files) {
      return files.end_known() ? files.end() : std::max(files.end(), above_earlier_runs());
    };
    store->first_round_ = first_of(store->rounds_);
    store->first_event_ = first_of(store->events_);
    store->next_rollup_ = first_of(store->rollups_);
    store->names_.load();
    const Report report = store->report();
    log::info("history on disk", {{"directory", store->directory_}, {"files", report.files}, {"bytes", report.bytes}});
  }
  store->settled_rounds_ = store->first_round_;
  store->settled_events_ = store->first_event_;
  return store;
}

/// Makes the directory and takes it: what another process has is not to be written by two.
std::optional<HistoryStore::Unusable> HistoryStore::take_directory() {
  const auto failure = [&](const std::string& what) {
    return Unusable{{what + ": " + std::generic_category().message(errno)}};
  };
  if (::mkdir(directory_.c_str(), 0750) != 0 && errno != EEXIST) return failure(directory_);
  const std::string path = directory_ + "/lock";
  lock_ = net::FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!lock_.valid()) return failure(path);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Unusable{{directory_ + " is in use by another process"}, true};
    return failure(path);
  }
  for (HistoryFiles* files : {&rounds_, &events_, &rollups_})
    if (auto problem = files->open()) return Unusable{problem->error, problem->newer};
  open_ = true;
  // Ages are measured against the data: a clock that is days ahead after a boot makes nothing old.
  seen_since_ = monotonic_now();
  seen_offset_ = (civil_now().time_since_epoch() - seen_since_.time_since_epoch()).count();
  std::optional<WallTime> newest;
  for (const HistoryFiles* files : {&rounds_, &events_, &rollups_})
    newest = std::max(newest, files->newest());
  believed_offset_ = newest ? (newest->time_since_epoch() - seen_since_.time_since_epoch()).count() : seen_offset_;
  return std::nullopt;
}

void HistoryStore::watch_clock() {
  const Instant now = monotonic_now();
  const std::int64_t offset = (civil_now().time_since_epoch() - now.time_since_epoch()).count();
  if (std::abs(offset - seen_offset_) > kClockJump.count()) seen_since_ = now;
  seen_offset_ = offset;
  if (now - seen_since_ >= kBelieveClockAfter) believed_offset_ = offset;
}

/// The civil time, as far as the clock is believed: never later than the data and the time since suggest.
WallTime HistoryStore::believed_now() const {
  const Duration since_boot = monotonic_now().time_since_epoch();
  return std::min(civil_now(), WallTime(since_boot + Duration(believed_offset_.load())));
}

void HistoryStore::close() {
  open_ = false;
  lock_ = net::FileDescriptor();
}

void HistoryStore::start(SnapshotSource snapshots) {
  snapshots_ = std::move(snapshots);
  // The directory was taken with privileges that are gone by now. What is open could be written on, until the next file
  // is to be made, hours later: better said at once.
  if (open_ && ::access(directory_.c_str(), W_OK | X_OK) != 0) {
    fail({directory_ + ": " + std::generic_category().message(errno)});
    close();
  }
  thread_ = std::thread([this] { run(); });
}

void HistoryStore::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  {
    const std::lock_guard lock(report_mutex_);
  }
  settled_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HistoryStore::add(std::uint64_t number, History::Record record) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.rounds_end = number + 1;
    if (queue_.rounds.size() >= kMostQueued) {
      ++dropped_queue_full_;
      return;
    }
    queue_.rounds.push_back({number, std::move(record)});
    wake = queue_.rounds.size() == kWriteAt;
  }
  if (wake) changed_.notify_all();
}

void HistoryStore::add(std::uint64_t number, std::shared_ptr<const PathEvent> event) {
  const std::lock_guard lock(events_mutex_);
  queue_.events_end = number + 1;
  if (queue_.events.size() >= kMostQueued) {
    ++dropped_queue_full_;
    return;
  }
  queue_.events.push_back({number, std::move(event)});
}

void HistoryStore::add(std::vector<Rollup> rollups) {
  const std::lock_guard lock(rollups_mutex_);
  if (queue_.rollups.size() + rollups.size() > kMostRollupsQueued) {
    dropped_queue_full_ += rollups.size();
    return;
  }
  std::ranges::move(rollups, std::back_inserter(queue_.rollups));
}

void HistoryStore::set_rollup_limits(Duration retention, std::uint64_t max_size) {
  rollup_retention_ = retention.count();
  rollup_max_size_ = max_size;
}

void HistoryStore::set_limits(Duration retention, std::uint64_t max_size) {
  retention_ = retention.count();
  max_size_ = max_size;
}

HistoryFiles::Limits HistoryStore::limits(HistoryKind kind) const {
  if (kind == HistoryKind::rollups)
    return {.retention = Duration(rollup_retention_.load()), .bytes = rollup_max_size_.load()};
  const std::uint64_t all = max_size_.load();
  const std::uint64_t events = all / kEventShare;
  return {.retention = Duration(retention_.load()), .bytes = kind == HistoryKind::events ? events : all - events};
}

void HistoryStore::run() {
  for (bool stopping = false; !stopping;) {
    Queue taken;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kWriteEvery, [&] { return stop_ || queue_.rounds.size() >= kWriteAt; });
      stopping = stop_;
      taken.rounds.swap(queue_.rounds);
      taken.rounds_end = queue_.rounds_end;
    }
    {
      const std::lock_guard lock(events_mutex_);
      taken.events.swap(queue_.events);
      taken.events_end = queue_.events_end;
    }
    {
      const std::lock_guard lock(rollups_mutex_);
      taken.rollups.swap(queue_.rollups);
    }
    const Instant now = monotonic_now();
    write(taken);
    if (open_) upkeep(now);
    {
      const std::lock_guard lock(report_mutex_);
      settled_rounds_ = std::max(settled_rounds_, taken.rounds_end);
      settled_events_ = std::max(settled_events_, taken.events_end);
    }
    settled_.notify_all();
  }
  if (!open_) return;
  for (HistoryFiles* files : {&rounds_, &events_, &rollups_})
    if (auto error = files->sync()) fail(*error);
  if (snapshots_) names_.update(*snapshots_(), believed_now(), Duration(retention_.load()), true);
  close();
}

/// Whether there is somewhere to write to; tries to take the directory again.
bool HistoryStore::ready(Instant now) {
  if (open_) return true;
  if (now < retry_at_) return false;
  retry_at_ = now + kRetryEvery;
  const auto unusable = take_directory();
  if (!unusable) return true;
  fail(unusable->error);
  close();
  return false;
}

void HistoryStore::write(Queue& taken) {
  const WallTime now = civil_now();
  std::uint64_t lost = 0;
  std::size_t written = 0;
  const auto put = [&](auto& items, HistoryFiles& files, HistoryKind kind) {
    using Item = typename std::remove_reference_t<decltype(items)>::value_type;
    for (std::span<const Item> left(items); !left.empty();) {
      const auto group = left.first(std::min(left.size(), kGroupOf<Item>));
      left = left.subspan(group.size());
      auto batches = batches_of(group);
      const auto error = ready(monotonic_now()) ? files.append(batches, limits(kind), now) : Error{""};
      if (!error) {
        written += group.size();
        continue;
      }
      lost += group.size();
      if (open_) fail(*error);
    }
  };
  if (!taken.rounds.empty() && ready(monotonic_now())) {
    if (auto error = names_.update(taken.rounds, now)) fail(*error);
  }
  put(taken.rounds, rounds_, HistoryKind::rounds);
  put(taken.events, events_, HistoryKind::events);
  auto rollups = numbered(std::move(taken.rollups));
  put(rollups, rollups_, HistoryKind::rollups);
  if (lost > 0) {
    const std::lock_guard lock(report_mutex_);
    report_.dropped_not_written += lost;
  } else if (written > 0 && names_.written()) {
    recovered();
  }
}

/// Behind those on disk, whatever these are: the directory may have come back with others in it.
std::vector<StoredRollup> HistoryStore::numbered(std::vector<Rollup> rollups) {
  std::vector<StoredRollup> out;
  if (rollups.empty()) return out;
  if (ready(monotonic_now())) next_rollup_ = std::max(next_rollup_, rollups_.end());
  out.reserve(rollups.size());
  for (Rollup& rollup : rollups)
    out.push_back({next_rollup_++, std::move(rollup)});
  return out;
}

void HistoryStore::upkeep(Instant now) {
  if (now < upkeep_at_) return;
  upkeep_at_ = now + kUpkeepEvery;
  watch_clock();
  if (!rounds_.in_place() || !events_.in_place() || !rollups_.in_place()) {
    fail({directory_ + ": the files are gone"});
    close();
    return;
  }
  for (HistoryFiles* files : {&rounds_, &events_, &rollups_})
    files->trim(limits(files->kind()), believed_now());
  if (snapshots_) {
    if (auto error = names_.update(*snapshots_(), believed_now(), Duration(retention_.load()), false)) fail(*error);
  }
  if (now < sync_at_) return;
  sync_at_ = now + kSyncEvery;
  for (HistoryFiles* files : {&rounds_, &events_, &rollups_})
    if (auto error = files->sync()) fail(*error);
}

/// Said once, until it is over.
void HistoryStore::fail(const Error& error) {
  {
    const std::lock_guard lock(report_mutex_);
    ++report_.errors;
    if (std::exchange(report_.failing, true)) return;
  }
  log::error("the history is not written to disk; it is tried again", {{"error", error.message}});
}

void HistoryStore::recovered() {
  {
    const std::lock_guard lock(report_mutex_);
    if (!std::exchange(report_.failing, false)) return;
  }
  log::info("the history is written to disk again", {{"directory", directory_}});
}

/// What is beyond the retention is not reported, though its file may still be there.
RoundFilter HistoryStore::kept(RoundFilter filter, Duration retention) const {
  const WallTime oldest = believed_now() - retention;
  filter.since = std::max(filter.since.value_or(oldest), oldest);
  return filter;
}

template <typename Item, typename Decode>
HistoryStore::Step<Item> HistoryStore::read(HistoryFiles& files, Duration retention, HistoryPlace& place,
                                            RoundFilter filter, std::uint64_t below, const Decode& decode) {
  filter = kept(std::move(filter), retention);
  const auto step = files.read(place, filter, below);
  Step<Item> out{.done = step.done};
  files.count_damaged(
      take_items(out.items, step, [&](ByteView batch, BatchRange range) { return decode(batch, filter, range); }));
  return out;
}

HistoryStore::Step<StoredRound> HistoryStore::read_rounds(HistoryPlace& place, RoundFilter filter,
                                                          std::uint64_t below) {
  return read<StoredRound>(rounds_, Duration(retention_.load()), place, std::move(filter), below, decode_rounds);
}

HistoryStore::Step<StoredEvent> HistoryStore::read_events(HistoryPlace& place, RoundFilter filter,
                                                          std::uint64_t below) {
  return read<StoredEvent>(events_, Duration(retention_.load()), place, std::move(filter), below, decode_events);
}

HistoryStore::Step<StoredRollup> HistoryStore::read_rollups(HistoryPlace& place, RoundFilter filter,
                                                            std::uint64_t below) {
  return read<StoredRollup>(rollups_, Duration(rollup_retention_.load()), place, std::move(filter), below,
                            decode_rollups);
}

std::vector<std::shared_ptr<const PathEvent>> HistoryStore::newest_events(std::size_t at_most) {
  std::deque<StoredEvent> newest;
  HistoryPlace place;
  for (bool done = !open_; !done;) {
    auto step = read_events(place, {}, ~std::uint64_t{0});
    done = step.done;
    for (StoredEvent& event : step.items) {
      // They are numbered without gaps in memory: what stands before a gap is read from disk.
      if (!newest.empty() && newest.back().number + 1 != event.number) newest.clear();
      newest.push_back(std::move(event));
      if (newest.size() > at_most) newest.pop_front();
    }
  }
  std::vector<std::shared_ptr<const PathEvent>> events;
  if (newest.empty() || newest.back().number + 1 != first_event_) return events;
  for (StoredEvent& event : newest)
    events.push_back(std::move(event.event));
  return events;
}

bool HistoryStore::settled(HistoryKind kind, std::uint64_t below, Instant deadline) const {
  // steady_clock is CLOCK_MONOTONIC here, as Instant is.
  const std::chrono::steady_clock::time_point until(deadline.time_since_epoch());
  std::unique_lock lock(report_mutex_);
  return settled_.wait_until(
      lock, until, [&] { return stop_ || (kind == HistoryKind::rounds ? settled_rounds_ : settled_events_) >= below; });
}

HistoryStore::Report HistoryStore::report() const {
  Report report;
  {
    const std::lock_guard lock(report_mutex_);
    report = report_;
  }
  report.dropped_queue_full = dropped_queue_full_.load();
  for (const HistoryFiles* files : {&rounds_, &events_, &rollups_}) {
    const HistoryFiles::Size size = files->size();
    report.bytes += size.bytes;
    report.files += size.files;
    report.damaged += size.damaged;
    if (files != &rollups_ && size.oldest && (!report.oldest || *size.oldest < *report.oldest))
      report.oldest = size.oldest;
  }
  return report;
}

}  // namespace ecmp
