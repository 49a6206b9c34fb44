#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "path/histogram.hpp"

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
  friend bool operator==(const WindowFigures&, const WindowFigures&) = default;
};

/// The same of a path, with what is too dear to be kept for every hop.
struct PathWindow {
  WindowFigures figures;
  Quantiles delay_variation;  ///< RFC 5481 section 4.2: RTT minus the least RTT of the window
};

/// What is told of a path or of a hop of it: cumulative histograms, which only ever grow, and the window. One sequence
/// of words holds all three histograms, since there may be half a million of these.
class Statistics {
 public:
  enum class Kind : std::uint8_t { rtt, jitter, loss };
  static constexpr std::size_t kKinds = 3;

  Statistics() = default;
  Statistics(const Statistics& other);
  Statistics& operator=(const Statistics& other) = default;
  ~Statistics() = default;

  [[nodiscard]] HistogramView rtt() const { return view(Kind::rtt); }        ///< seconds
  [[nodiscard]] HistogramView jitter() const { return view(Kind::jitter); }  ///< seconds
  [[nodiscard]] HistogramView loss() const { return view(Kind::loss); }      ///< ratios
  [[nodiscard]] HistogramView view(Kind kind) const;

  void observe(Kind kind, double value);
  void observe(Kind kind, Duration value) { observe(kind, in_seconds(value)); }
  void merge(const Statistics& other);  ///< the histograms

  WindowFigures window;

 private:
  /// Doubling would waste what the packing saves; and with sizes in steps, what is freed fits what is asked for next.
  static constexpr std::size_t kStep = 16;

  void add(Kind kind, std::uint32_t key, std::uint64_t count);

  std::array<double, kKinds> sums_{};
  std::array<std::uint16_t, kKinds> ends_{};  ///< of each histogram in words_
  std::vector<std::uint32_t> words_;
};

}  // namespace ecmp
