#include "agent/history/history_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fmt/format.h>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "agent/log.hpp"

namespace ecmp {
namespace {

/// A directory has some dozens of files, whatever the bounds are.
constexpr std::uint64_t kFilesForBytes = 32;
constexpr int kFilesForRetention = 24;
constexpr std::uint64_t kLeastFile = 1u << 20;
constexpr std::uint64_t kMostFile = 1u << 30;
/// Files deleted at once: a file system may take a while over each.
constexpr int kDeletedAtOnce = 4;
/// So many calls of trim() apart, those that could not be read are tried again: once in a minute.
constexpr std::uint32_t kTrimsToRead = 12;
/// Heads looked at in one step of a reader: some milliseconds.
constexpr int kHeadsPerStep = 2048;

std::string_view prefix_of(HistoryKind kind) {
  if (kind == HistoryKind::rollups) return "rollups-";
  return kind == HistoryKind::rounds ? "rounds-" : "events-";
}

constexpr std::string_view kSuffix = ".history";

/// The first number, of a file's name.
std::optional<std::uint64_t> parse_name(std::string_view name, std::string_view prefix) {
  constexpr std::size_t kDigits = 16;
  if (name.size() != prefix.size() + kDigits + kSuffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  std::uint64_t first = 0;
  const char* const begin = name.data() + prefix.size();
  const auto [end, error] = std::from_chars(begin, begin + kDigits, first, 16);
  if (error != std::errc{} || end != begin + kDigits) return std::nullopt;
  return first;
}

Result<std::vector<std::uint64_t>> firsts_in(const std::string& directory, std::string_view prefix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  if (opened == nullptr) return Error{directory + ": " + std::generic_category().message(errno)};
  std::vector<std::uint64_t> firsts;
  // Nobody else reads from this stream.
  while (const dirent* const entry = ::readdir(opened.get()))  // NOLINT(concurrency-mt-unsafe)
    if (const auto first = parse_name(&entry->d_name[0], prefix)) firsts.push_back(*first);
  std::ranges::sort(firsts);
  return firsts;
}

}  // namespace

std::string HistoryFiles::path_of(std::uint64_t first) const {
  return fmt::format("{}/{}{:016x}{}", directory_, prefix_of(kind_), first, kSuffix);
}

std::optional<HistoryFiles::Problem> HistoryFiles::open() {
  const auto firsts = firsts_in(directory_, prefix_of(kind_));
  if (!firsts.ok()) return Problem{{firsts.error()}};
  Segments found;
  std::vector<std::string> useless;
  std::vector<std::uint64_t> unread;
  std::uint64_t damaged = 0;
  std::uint64_t end = 0;
  for (const std::uint64_t first : *firsts) {
    const std::string path = path_of(first);
    auto opened = HistorySegment::open(path, kind_, access_);
    if (const auto* refused = std::get_if<HistorySegment::Refused>(&opened)) {
      if (refused->newer) return Problem{{refused->why}, true};
      if (refused->empty && (access_ == HistoryAccess::read || ::unlink(path.c_str()) == 0)) continue;
      if (refused->unreadable) {
        log::warn("a file of the history cannot be read now, and is left as it is", {{"problem", refused->why}});
        unread.push_back(first);
        continue;
      }
      log::warn("a file of the history is left out", {{"problem", refused->why}});
      useless.push_back(path);
      ++damaged;
      continue;
    }
    auto segment = std::get<std::shared_ptr<HistorySegment>>(std::move(opened));
    if (segment->first() != first || first < end) {
      log::warn("a file of the history is left out", {{"problem", path + ": is not the one its name says"}});
      useless.push_back(path);
      ++damaged;
      continue;
    }
    if (segment->damaged() > 0) {
      log::warn("a file of the history is damaged: the rest of it is read",
                {{"file", path}, {"places", segment->damaged()}});
      damaged += segment->damaged();
    }
    end = segment->end();
    if (!found.empty()) found.back()->close();
    found.push_back(std::move(segment));
  }
  if (!found.empty() && access_ == HistoryAccess::write) {
    if (auto error = found.back()->cut_tail()) return Problem{*error};
    began_ = found.back()->oldest();
  }
  useless_ = std::move(useless);
  unread_ = std::move(unread);
  const std::lock_guard lock(mutex_);
  segments_ = std::move(found);
  damaged_ += damaged;
  return std::nullopt;
}

std::optional<Error> HistoryFiles::begin_file(std::uint64_t first, WallTime now) {
  const std::string path = path_of(first);
  // One that is none of ours makes room, and stays for whoever has put it there.
  if (const auto useless = std::ranges::find(useless_, path); useless != useless_.end()) {
    if (::rename(path.c_str(), (path + ".damaged").c_str()) == 0) useless_.erase(useless);
  }
  auto made = HistorySegment::create(path, kind_, first);
  if (!made.ok()) return Error{made.error()};
  began_ = now;
  const std::lock_guard lock(mutex_);
  segments_.push_back(std::move(*made));
  return std::nullopt;
}

std::optional<Error> HistoryFiles::append(std::vector<HistoryBatch>& group, const Limits& limits, WallTime now) {
  if (group.empty()) return std::nullopt;
  // Nobody but this thread changes the list: to look at it needs no lock.
  const std::uint64_t first = group.front().head.first;
  if (!segments_.empty() && first < segments_.back()->end())
    return Error{segments_.back()->path() + ": has later entries than those of this run"};
  const std::uint64_t most = std::clamp(limits.bytes / kFilesForBytes, kLeastFile, kMostFile);
  // A clock that was set back begins a new file too: the ages within one are to be alike.
  const bool full = segments_.empty() || segments_.back()->bytes() >= most ||
                    now - began_ > limits.retention / kFilesForRetention || now < began_ - std::chrono::minutes(1) ||
                    // Numbers rise from file to file: nothing may come before one that could not be read.
                    (!unread_.empty() && unread_.back() > segments_.back()->first());
  if (full && (segments_.empty() || !segments_.back()->empty())) {
    if (!segments_.empty()) static_cast<void>(segments_.back()->sync());
    if (auto error = begin_file(first, now)) return error;
  }
  return segments_.back()->append(group);
}

/// What could not be read may be readable by now: another owner, a cable, fewer open files.
void HistoryFiles::read_unread() {
  std::erase_if(unread_, [&](std::uint64_t first) {
    const std::string path = path_of(first);
    auto opened = HistorySegment::open(path, kind_);
    if (const auto* refused = std::get_if<HistorySegment::Refused>(&opened)) {
      if (refused->unreadable && ::access(path.c_str(), F_OK) == 0) return false;
      if (::access(path.c_str(), F_OK) == 0) useless_.push_back(path);
      return true;
    }
    auto segment = std::get<std::shared_ptr<HistorySegment>>(std::move(opened));
    const auto behind =
        std::ranges::find_if(segments_, [&](const auto& known) { return known->first() > segment->first(); });
    const bool fits = segment->first() == first &&
                      (behind == segments_.end() || segment->end() <= (*behind)->first()) &&
                      (behind == segments_.begin() || (*std::prev(behind))->end() <= segment->first());
    if (!fits) {
      useless_.push_back(path);
      return true;
    }
    log::info("a file of the history can be read again", {{"file", path}});
    segment->close();
    const std::lock_guard lock(mutex_);
    damaged_ += segment->damaged();
    segments_.insert(behind, std::move(segment));
    return true;
  });
}

void HistoryFiles::trim(const Limits& limits, WallTime now) {
  if (++trims_ % kTrimsToRead == 0) read_unread();
  // A reader holds the file that it reads. One that comes between the look and the closing opens it again.
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i)
    if (segments_[i].use_count() == 1) segments_[i]->close();
  for (int deleted = 0; deleted < kDeletedAtOnce && !segments_.empty(); ++deleted) {
    std::uint64_t bytes = 0;
    for (const auto& segment : segments_)
      bytes += segment->bytes();
    const HistorySegment& oldest = *segments_.front();
    const bool old = !oldest.empty() && oldest.newest() < now - limits.retention;
    if (!old && (bytes <= limits.bytes || segments_.size() == 1)) break;
    if (::unlink(oldest.path().c_str()) != 0 && errno != ENOENT) {
      log::warn("cannot delete an old file of the history",
                {{"file", oldest.path()}, {"error", std::generic_category().message(errno)}});
      break;
    }
    const std::lock_guard lock(mutex_);
    segments_.erase(segments_.begin());
  }
  std::erase_if(useless_, [&](const std::string& path) {
    struct stat facts{};
    if (::lstat(path.c_str(), &facts) != 0) return errno == ENOENT;
    const WallTime touched{std::chrono::seconds(facts.st_mtim.tv_sec)};
    return touched < now - limits.retention && ::unlink(path.c_str()) == 0;
  });
}

std::optional<Error> HistoryFiles::sync() {
  return segments_.empty() ? std::nullopt : segments_.back()->sync();
}

bool HistoryFiles::in_place() const {
  return segments_.empty() || segments_.back()->in_place();
}

std::uint64_t HistoryFiles::end() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? 0 : segments_.back()->end();
}

std::optional<WallTime> HistoryFiles::newest() const {
  const std::lock_guard lock(mutex_);
  std::optional<WallTime> newest;
  for (const auto& segment : segments_)
    if (!segment->empty() && (!newest || segment->newest() > *newest)) newest = segment->newest();
  return newest;
}

HistoryFiles::Size HistoryFiles::size() const {
  const std::lock_guard lock(mutex_);
  Size size{.files = segments_.size(), .damaged = damaged_};
  for (const auto& segment : segments_) {
    size.bytes += segment->bytes();
    if (!segment->empty() && (!size.oldest || segment->oldest() < *size.oldest)) size.oldest = segment->oldest();
  }
  return size;
}

void HistoryFiles::count_damaged(std::uint64_t count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex_);
  damaged_ += count;
}

/// The first file behind the reader's that may have something for it. Files may have been deleted meanwhile.
std::shared_ptr<const HistorySegment> HistoryFiles::following(const HistoryPlace& place,
                                                              const RoundFilter& filter) const {
  const std::lock_guard lock(mutex_);
  for (const auto& segment : segments_) {
    if (segment == place.segment || segment->end() <= place.next) continue;
    if (place.segment != nullptr && segment->first() < place.segment->end()) continue;
    if (filter.since && segment->newest() < *filter.since) continue;
    return segment;
  }
  return nullptr;
}

HistoryFiles::Step HistoryFiles::read(HistoryPlace& place, const RoundFilter& filter, std::uint64_t below) {
  Step step;
  step.done = place.next >= below;
  for (int heads = 0; !step.done && heads < kHeadsPerStep; ++heads) {
    std::uint64_t damaged = 0;
    const auto block = place.segment == nullptr ? std::nullopt : place.segment->block(place.offset, damaged);
    if (!block) {
      // A place that lies at the end of a file stays there until there is another: more may be appended to this one.
      auto next = following(place, filter);
      step.done = next == nullptr;
      if (step.done) return step;
      place.segment = std::move(next);
      place.offset = HistoryFileHead::kBytes;
      continue;
    }
    if (block->head.first >= below) {
      step.done = true;
      return step;
    }
    if (block->head.end <= place.next || (filter.since && block->head.newest < *filter.since)) {
      place.offset = block->next();
      continue;
    }
    take_group(place, *block, filter, step);
    step.range.from = std::exchange(place.next, std::min(below, block->head.end));
    step.range.below = place.next;
    // What is left of the group may be asked for later.
    if (block->head.end > below) place.offset = block->offset;
    return step;
  }
  return step;
}

/// The blocks of a group stand behind each other, having been written at once. One that is there twice, which no writer
/// of ours leaves, is taken once.
void HistoryFiles::take_group(HistoryPlace& place, const HistorySegment::Block& first, const RoundFilter& filter,
                              Step& step) {
  std::uint64_t damaged = 0;
  std::optional<HistorySegment::Block> block = first;
  std::vector<std::uint32_t> taken;  // by their checksums
  while (block && block->head.first == first.head.first) {
    const HistoryBlockHead& head = block->head;
    place.offset = block->next();
    const bool wanted =
        (!filter.destination || head.may_have(*filter.destination)) && (!filter.since || head.newest >= *filter.since);
    if (wanted && std::ranges::find(taken, head.checksum) == taken.end()) {
      taken.push_back(head.checksum);
      if (auto batch = place.segment->batch(*block)) {
        step.batches.push_back(std::move(*batch));
      } else {
        ++damaged;
      }
    }
    block = place.segment->block(place.offset, damaged);
  }
  count_damaged(damaged);
}

}  // namespace ecmp
