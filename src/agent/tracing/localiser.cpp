#include "agent/tracing/localiser.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>
#include <sys/resource.h>
#include <unistd.h>

namespace ecmp {
namespace {

/// The log holds rounds of some seconds at least, however many destinations there are.
constexpr std::chrono::milliseconds kReadEvery{500};
constexpr std::size_t kPageRounds = 64;
/// A window is looked at sixty times while it passes, within reason.
constexpr Duration kMostBetween = std::chrono::seconds(10);
constexpr Duration kLeastBetween = std::chrono::seconds(1);
/// Whatever else wants to run goes first: the niceness of this thread alone, which Linux has.
constexpr int kNiceness = 10;

Instant now() {
  // steady_clock is CLOCK_MONOTONIC here, as Instant is.
  return Instant(std::chrono::steady_clock::now().time_since_epoch());
}

LocalisationOptions options_of(const config::Localisation& options, Duration window) {
  return {.window = window, .min_loss = options.min_loss, .worst_links = options.worst_links};
}

/// Blamed links first, as in a report without those that have a direction.
void add_directed(LocalisationReport& report, std::vector<LinkVerdict> directed) {
  report.links.insert(report.links.end(), std::make_move_iterator(directed.begin()),
                      std::make_move_iterator(directed.end()));
  std::ranges::stable_partition(report.links, &LinkVerdict::blamed);
}

}  // namespace

Localiser::Localiser(const config::Localisation& options, Duration window, const Sources& sources)
    : options_(options),
      sources_(sources),
      window_(window.count()),
      localisation_(options_of(options, window)),
      directed_(options_of(options, window)) {}

void Localiser::start() {
  if (!options_.enabled) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Localiser::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

std::shared_ptr<const LocalisationReport> Localiser::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

std::array<std::uint64_t, Localiser::kKinds> Localiser::findings() const {
  std::array<std::uint64_t, kKinds> counts{};
  std::ranges::transform(findings_, counts.begin(), [](const auto& count) { return count.load(); });
  return counts;
}

void Localiser::run(const std::stop_token& stop) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  Instant pass_at = now() + kLeastBetween;
  Duration window(window_.load());
  while (!stop.stop_requested()) {
    if (const Duration wanted(window_.load()); wanted != window) {
      window = wanted;
      localisation_.set_options(options_of(options_, window));
      directed_.set_options(options_of(options_, window));
    }
    read_rounds(stop);
    if (now() >= pass_at) {
      pass();
      pass_at = now() + std::clamp<Duration>(window / 60, kLeastBetween, kMostBetween);
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kReadEvery, [] { return false; });
  }
}

void Localiser::read_rounds(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const History::Page page = sources_.log->read({}, next_round_, kPageRounds);
    for (const auto& record : page.records) {
      localisation_.on_round(*record);
      directed_.on_round(*record);
      wall_offset_ = record->wall_offset;
    }
    if (page.next == next_round_) return;
    next_round_ = page.next;
  }
}

void Localiser::pass() {
  const auto snapshots = sources_.board->get();
  std::set<std::string_view> traced;
  const WallTime wall(now().time_since_epoch() + wall_offset_);
  for (const auto& snapshot : *snapshots) {
    traced.insert(snapshot->facts->name);
    balance_.on_snapshot(*snapshot, wall);
  }
  balance_.forget_gone();
  localisation_.keep_only(traced);
  directed_.keep_only(traced);
  const auto report = std::make_shared<LocalisationReport>(*localisation_.pass(now(), wall_offset_));
  add_directed(*report, directed_.pass(now(), wall));
  publish(localisation_.take_events());
  publish(directed_.take_events());
  publish(balance_.take_events());
  const std::lock_guard lock(mutex_);
  report_ = report;
}

void Localiser::publish(const std::vector<std::shared_ptr<const PathEvent>>& events) {
  for (const auto& event : events) {
    if (event->ended) continue;
    ++findings_[static_cast<std::size_t>(event->kind) - static_cast<std::size_t>(EventKind::loss_verdict)];
  }
  sources_.events->add(events);
}

}  // namespace ecmp
