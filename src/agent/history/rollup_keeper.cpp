#include "agent/history/rollup_keeper.hpp"

#include <chrono>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "agent/http/graph_answers.hpp"

namespace ecmp {
namespace {

/// The log holds rounds of some seconds at least, however many destinations there are.
constexpr std::chrono::milliseconds kReadEvery{500};
constexpr std::size_t kPageRounds = 64;
/// Once in so many turns minutes are closed, and those under way shown.
constexpr int kTurnsToClose = 4;
/// How long after its end a minute is closed: its last rounds have timed out by then.
constexpr Duration kLateRounds = std::chrono::minutes(1);
constexpr Duration kLoaded = std::chrono::hours(24);
constexpr int kNiceness = 10;

}  // namespace

void RollupKeeper::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void RollupKeeper::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void RollupKeeper::run(const std::stop_token& stop) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  load(stop);
  for (int turn = 0; !stop.stop_requested(); ++turn) {
    read_rounds(stop);
    if (turn % kTurnsToClose == 0) {
      close(wall_now() - kLateRounds);
      sources_.log->set_open(builder_.open());
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kReadEvery, [] { return false; });
  }
  read_rounds({});
  close(WallTime::max());
}

void RollupKeeper::load(const std::stop_token& stop) {
  if (sources_.store == nullptr) return;
  HistoryPlace place;
  for (bool done = false; !done && !stop.stop_requested();) {
    const auto step = sources_.store->read_rollups(place, {.since = wall_now() - kLoaded}, ~std::uint64_t{0});
    done = step.done;
    std::vector<Rollup> rollups;
    rollups.reserve(step.items.size());
    for (const StoredRollup& item : step.items)
      rollups.push_back(item.rollup);
    sources_.log->add(rollups);
  }
}

void RollupKeeper::read_rounds(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const History::Page page = sources_.rounds->read({}, next_, kPageRounds);
    for (const auto& record : page.records)
      builder_.add(record);
    if (page.next == next_) return;
    next_ = page.next;
  }
}

void RollupKeeper::close(WallTime before) {
  std::vector<Rollup> closed = builder_.close(before);
  if (closed.empty()) return;
  sources_.log->add(closed);
  if (sources_.store != nullptr) sources_.store->add(std::move(closed));
}

}  // namespace ecmp
