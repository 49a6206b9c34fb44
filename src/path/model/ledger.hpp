#pragma once

#include <cstdint>
#include <memory>

#include "base/packed_array.hpp"
#include "base/time.hpp"
#include "path/statistics/statistics.hpp"
#include "path/statistics/window.hpp"

namespace ecmp {

/// Where a finished round belongs.
struct RoundPlace {
  std::uint32_t part = 0;      ///< of the window, by when it finished
  std::uint32_t interval = 0;  ///< of the destination, by when it started: all flows have one round in each
  bool histograms = true;      ///< keep cumulative ones
  const Statistics::Bounds* bounds = nullptr;  ///< of classic buckets
};

/// Loss within one interval over all flows. A round tells of the interval in which it began, and one that waits for a
/// lost probe comes after others that began later: so the interval before the newest is still open.
class IntervalLoss {
 public:
  /// Calls observe(losses, probes) for each interval that is over now.
  template <typename Observe>
  void add(std::uint32_t interval, bool lost, Observe observe) {
    advance(interval, observe);
    Tally& tally = interval < newest_ ? before_ : now_;
    if (tally.probes == UINT16_MAX) return;
    ++tally.probes;
    tally.losses = static_cast<std::uint16_t>(tally.losses + (lost ? 1 : 0));
  }

  /// Without a round: `interval` is the one that runs now.
  template <typename Observe>
  void pass(std::uint32_t interval, Observe observe) {
    if (newest_ + 1 < interval) advance(interval, observe);
  }

  /// Intervals are numbered anew from now on.
  template <typename Observe>
  void close(Observe observe) {
    before_.settle(observe);
    now_.settle(observe);
    newest_ = 0;
  }

  void merge(const IntervalLoss& other);

 private:
  struct Tally {
    std::uint16_t probes = 0;
    std::uint16_t losses = 0;

    template <typename Observe>
    void settle(Observe observe) {
      if (probes > 0) observe(losses, probes);
      *this = {};
    }
    void merge(const Tally& other);
  };

  template <typename Observe>
  void advance(std::uint32_t interval, Observe observe) {
    if (interval <= newest_) return;
    before_.settle(observe);
    if (interval - newest_ > 1) now_.settle(observe);
    before_ = now_;
    now_ = {};
    newest_ = interval;
  }

  std::uint32_t newest_ = 0;
  Tally before_;
  Tally now_;
};

/// Keeps the statistics of a path or of one of its hops. What was reported is shared with its readers and never written
/// while they have it: what is observed since then waits in line until it is reported. So an observation costs next
/// to nothing, and there are never two copies of histograms that differ by one probe.
class Ledger {
 public:
  void reply(const RoundPlace& place, Duration rtt);
  void jitter(const RoundPlace& place, Duration difference);
  void loss(const RoundPlace& place);
  void silence(const RoundPlace& place);

  /// Takes in what was counted elsewhere for the same.
  void absorb(const Ledger& other, const Statistics::Bounds* bounds);
  /// Intervals are numbered anew from now on.
  void close_intervals(const Statistics::Bounds* bounds);
  /// The window is another from now on, and empty; what accumulates stays.
  void clear_window();

  /// As of now. The same as before if nothing happened and nothing left the window.
  std::shared_ptr<const Statistics> told(const RoundPlace& now);
  [[nodiscard]] WindowFigures figures(std::uint32_t part) const { return window_.figures(part); }

 private:
  /// So many wait at most, where nobody asks: their memory is that of all hops of all paths.
  static constexpr std::size_t kMostWaiting = 15;
  static constexpr std::size_t kOfRound = 3;  ///< RTT, jitter and loss

  void observe(const Statistics::Observation& one, const Statistics::Bounds* bounds);
  void fate(const RoundPlace& place, bool lost);
  void settle(const Statistics::Bounds* bounds, const WindowCounts* now = nullptr);

  std::shared_ptr<Statistics> statistics_;  ///< null: none was published yet
  PackedArray<Statistics::Observation> waiting_;
  Window window_;
  IntervalLoss intervals_;
  bool changed_ = false;  ///< since it was told
};

}  // namespace ecmp
