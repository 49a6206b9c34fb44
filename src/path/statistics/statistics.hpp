#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/packed_array.hpp"
#include "base/time.hpp"
#include "path/statistics/exact_bounds.hpp"
#include "path/statistics/histogram.hpp"

namespace ecmp {

struct Quantiles {
  Duration p50{};
  Duration p95{};
  Duration p99{};

  friend bool operator==(const Quantiles&, const Quantiles&) = default;
};

/// What the rolling window says at one moment. Quantiles lie within one bucket (9 %) of the exact ones; they are 0 when
/// there is nothing they could be of.
struct WindowFigures {
  std::uint64_t probes = 0;  ///< answered, silent or lost; those that never left this host are not in
  std::uint64_t losses = 0;
  std::uint64_t rtts = 0;     ///< RTTs that `rtt` is of
  std::uint64_t jitters = 0;  ///< differences that `jitter` is of
  Quantiles rtt;
  Quantiles jitter;
  Duration least_rtt{};

  /// 0 without probes: look at `probes` to tell it from a window without loss.
  [[nodiscard]] double loss_ratio() const {
    return probes == 0 ? 0 : static_cast<double>(losses) / static_cast<double>(probes);
  }
  [[nodiscard]] double silence_ratio() const {
    return probes == 0 ? 0 : static_cast<double>(silences()) / static_cast<double>(probes);
  }
  [[nodiscard]] bool has_rtt() const { return rtts > 0 && rtt.p99 > Duration(0); }
  [[nodiscard]] std::uint64_t silences() const { return probes - std::min(probes, losses + rtts); }
  friend bool operator==(const WindowFigures&, const WindowFigures&) = default;
};

/// Counts by bucket.
class KeyCounts {
 public:
  void add(std::uint32_t key, std::uint32_t count) {
    counts_[key] += count;
    total_ += count;
    low_ = std::min(low_, key);
    high_ = std::max(high_, key);
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  /// None of them below `least`, which is known exactly.
  [[nodiscard]] Quantiles quantiles(Duration least) const;
  /// Calls visit(key, count) for every bucket that is not empty, lowest first.
  template <typename Visit>
  void each(Visit visit) const {
    for (std::uint32_t key = low_; key <= high_ && key < counts_.size(); ++key)
      if (counts_[key] > 0) visit(key, counts_[key]);
  }

 private:
  std::array<std::uint32_t, log_buckets::kKeys> counts_{};
  std::uint32_t low_ = log_buckets::kKeys;
  std::uint32_t high_ = 0;
  std::uint64_t total_ = 0;
};

/// What lies within the window, of one path or hop or of several together.
struct WindowCounts {
  KeyCounts rtts;
  KeyCounts jitters;
  std::uint64_t losses = 0;
  std::uint64_t silences = 0;
  Duration least = Duration::max();  ///< of the RTTs

  [[nodiscard]] WindowFigures figures() const;
};

/// The same of a path, with what is too dear to be kept for every hop.
struct PathWindow {
  WindowFigures figures;
  Quantiles delay_variation;  ///< RFC 5481 section 4.2: RTT minus the least RTT of the window
};

/// What is reported of a path or of a hop of it: cumulative histograms, which only ever grow, and the window. One
/// sequence of bytes holds all three histograms, what is counted beside their buckets for the sake of classic bounds,
/// and the RTTs and jitters of the window, since there may be half a million of these.
class Statistics {
 public:
  enum class Kind : std::uint8_t { rtt, jitter, loss };
  static constexpr std::size_t kKinds = 3;
  /// By kind.
  using Bounds = std::array<ExactBounds, kKinds>;

  /// One observation that waits to be counted, in eight bytes. Sorted they stand by kind, and then by bucket.
  class Observation {
   public:
    Observation() = default;
    static Observation of(Kind kind, std::uint32_t key, Duration value) {
      const auto nanoseconds = std::clamp<std::int64_t>(value.count(), 0, kValueMask);
      return Observation(kind, key, static_cast<std::uint64_t>(nanoseconds));
    }
    /// `losses` out of `probes`, which are not 0.
    static Observation of_loss(std::uint16_t losses, std::uint16_t probes) {
      const std::uint32_t key = log_buckets::key_of(static_cast<double>(losses) / probes);
      return Observation(Kind::loss, key, std::uint64_t{losses} << 16 | probes);
    }

    [[nodiscard]] Kind kind() const { return static_cast<Kind>(bits_ >> kKindShift); }
    [[nodiscard]] std::uint32_t key() const { return static_cast<std::uint32_t>(bits_ >> kKeyShift) & kKeyMask; }
    [[nodiscard]] double value() const {
      const std::uint64_t value = bits_ & kValueMask;
      if (kind() == Kind::loss) return static_cast<double>(value >> 16) / static_cast<double>(value & 0xffff);
      return in_seconds(Duration(static_cast<std::int64_t>(value)));
    }
    friend auto operator<=>(const Observation&, const Observation&) = default;

   private:
    static constexpr unsigned kKindShift = 62;
    static constexpr unsigned kKeyShift = 52;
    static constexpr std::uint32_t kKeyMask = 0x3ff;
    static constexpr std::int64_t kValueMask = (std::int64_t{1} << kKeyShift) - 1;  ///< 52 days in nanoseconds

    Observation(Kind kind, std::uint32_t key, std::uint64_t value)
        : bits_(static_cast<std::uint64_t>(kind) << kKindShift | std::uint64_t{key} << kKeyShift | value) {}

    std::uint64_t bits_ = 0;
  };

  Statistics() = default;
  /// The histograms of `base`, and these. `more` is sorted on the way. Without `bounds` nothing is counted beside them.
  /// The window is `now`, or that of `base`.
  Statistics(const Statistics& base, std::span<Observation> more, const Bounds* bounds = nullptr,
             const WindowCounts* now = nullptr);
  /// The same in place.
  void take(std::span<Observation> more, const Bounds* bounds, const WindowCounts* now = nullptr) {
    count(*this, more, bounds, now);
  }

  [[nodiscard]] HistogramView rtt() const { return view(Kind::rtt); }        ///< seconds
  [[nodiscard]] HistogramView jitter() const { return view(Kind::jitter); }  ///< seconds
  [[nodiscard]] HistogramView loss() const { return view(Kind::loss); }      ///< ratios
  [[nodiscard]] HistogramView view(Kind kind) const;
  /// What is counted beside the buckets of a kind, by the numbers of ExactBounds.
  [[nodiscard]] HistogramView beside(Kind kind) const;

  void observe(Kind kind, double value, const Bounds* bounds = nullptr);
  void observe(Kind kind, Duration value, const Bounds* bounds = nullptr) { observe(kind, in_seconds(value), bounds); }
  void merge(const Statistics& other);  ///< the cumulative histograms

  /// The windows of several paths, or of one responder on several paths, as one: counts are added bucket by bucket and
  /// quantiles taken of the sums. Null ones count as empty. As exact as the window of a single path.
  static WindowFigures merged_window(std::span<const Statistics* const> parts);

  WindowFigures window;

 private:
  static constexpr std::size_t kSections = 2 * kKinds;  ///< cumulative
  static constexpr std::size_t kWindowRtts = kSections;
  static constexpr std::size_t kWindowJitters = kSections + 1;
  static constexpr std::size_t kAllSections = kSections + 2;

  void count(const Statistics& base, std::span<Observation> more, const Bounds* bounds, const WindowCounts* now);
  [[nodiscard]] std::span<const std::uint8_t> section(std::size_t at) const;
  void add(std::size_t section, std::uint32_t key, std::uint64_t count);

  std::array<double, kKinds> sums_{};
  PackedArray<std::uint8_t> bytes_;
  /// In bytes_: of each cumulative histogram, of what is beside each, and of the two of the window.
  std::array<std::uint16_t, kAllSections> ends_{};
};

}  // namespace ecmp
