#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "path/localisation/link_verdict.hpp"

namespace ecmp {

struct DelayOptions {
  Duration period = std::chrono::minutes(2);             ///< over which medians are taken
  Duration least_step = std::chrono::microseconds(500);  ///< that is told
};

/// Steps of the delay of links, after Fontugne et al. (IMC 2017): medians of differential RTTs, with Wilson's interval
/// of the median's rank, against those of earlier periods.
///
/// The difference of the RTTs to the two ends of a link also steps when a router answers slower (at the far end) or
/// quicker (at the near end) than before, which is its control plane and nobody's delay. So a step up counts only if
/// the difference between the near end and the destination steps as well, and the link before does not step down.
///
/// Memory: 300 bytes for each link, of at most kMostLinks.
class LinkDelays {
 public:
  static constexpr std::size_t kMostLinks = 1u << 15;
  static constexpr std::size_t kSamples = 32;       ///< kept of a period, picked evenly from all
  static constexpr std::size_t kLeastSamples = 12;  ///< without so many there is no verdict

  explicit LinkDelays(const DelayOptions& options) : options_(options) {}

  void set_options(const DelayOptions& options) { options_ = options; }

  /// One probe to each end of a link and one to the destination, of the same flow and round.
  void add(const LinkEnds& link, Duration to_near, Duration to_far, Duration to_destination);

  /// Ends the period if it is over. Returns the links that stand out now.
  const std::vector<DelayVerdict>& pass(Instant now);
  /// Samples of links beyond kMostLinks.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  /// Samples of one period, in microseconds.
  struct Reservoir {
    std::vector<float> samples;
    std::uint32_t seen = 0;

    void add(float value, std::uint64_t& random);
  };
  struct Median {
    float low = 0;
    float middle = 0;
    float high = 0;
    std::uint32_t samples = 0;  ///< 0: none

    static Median of(Reservoir& reservoir);
    [[nodiscard]] float step_from(const Median& reference) const;
  };
  struct Link {
    Reservoir own;
    Reservoir rest;  ///< from the near end to the destination
    Median usual_own;
    Median usual_rest;
    float step = 0;       ///< of the newest period, microseconds; 0: none
    float rest_step = 0;  ///< likewise
    Median newest;
    Median newest_rest;
    std::uint8_t idle = 0;      ///< periods without a sample
    std::uint8_t standing = 0;  ///< periods for which it stands out
  };

  void end_period();
  static void adopt(Median& usual, const Median& newest);

  DelayOptions options_;
  std::unordered_map<LinkEnds, Link, LinkEndsHash> links_;
  Instant period_ends_{};
  bool begun_ = false;
  std::vector<DelayVerdict> standing_;
  std::uint64_t random_ = 0x243f6a8885a308d3u;  ///< any: what is picked must only not depend on the order of flows
  std::uint64_t left_out_ = 0;
};

}  // namespace ecmp
