#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/statistics/flow_tally.hpp"

namespace ecmp::tui {

/// What several flows' probes to one place came to.
class SharedTally {
 public:
  void add(const ProbeTally& probes);

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t replies() const { return replies_; }
  [[nodiscard]] std::uint64_t jitters() const { return jitters_; }
  [[nodiscard]] double loss_ratio() const { return ratio(losses_); }
  [[nodiscard]] double silence_ratio() const { return ratio(silences_); }
  // 0 when there are no replies, or no jitters.
  [[nodiscard]] Duration average() const { return mean(rtts_, replies_); }
  [[nodiscard]] Duration best() const { return best_; }
  [[nodiscard]] Duration worst() const { return worst_; }
  [[nodiscard]] Duration mean_jitter() const { return mean(differences_, jitters_); }

 private:
  [[nodiscard]] double ratio(std::uint64_t part) const {
    return sent_ == 0 ? 0 : static_cast<double>(part) / static_cast<double>(sent_);
  }
  static Duration mean(double sum, std::uint64_t number) {
    return number == 0 ? Duration{} : Duration(static_cast<Duration::rep>(sum / static_cast<double>(number)));
  }

  std::uint64_t sent_ = 0;
  std::uint64_t replies_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t silences_ = 0;
  std::uint64_t jitters_ = 0;
  double rtts_ = 0;  ///< nanoseconds, summed: an integer could be full after a month of many flows
  double differences_ = 0;
  Duration best_{};
  Duration worst_{};
};

/// A row of the fan drawn as a tree.
struct FanRow {
  /// What is drawn before the row, three columns each, from the left.
  enum class Rail : std::uint8_t {
    none,
    line,    ///< a level that goes on below
    branch,  ///< here a branch begins, and more is to come on its level: another one, or where they meet again
    last,    ///< here the last branch begins
  };
  enum class Kind : std::uint8_t {
    hop,
    straight,  ///< a branch without a hop of its own: these flows go straight to where the branches meet
  };

  Kind kind = Kind::hop;
  std::vector<Rail> rails;
  IpAddress address;           ///< unspecified: nobody has answered there
  bool limited = false;        ///< limits the ICMP errors it sends
  std::size_t others = 0;      ///< further responders seen there
  std::uint8_t first_ttl = 0;  ///< the flows may come here at different ones
  std::uint8_t last_ttl = 0;
  std::vector<std::uint32_t> flows;     ///< indices, rising
  std::vector<std::uint32_t> ordinals;  ///< of their paths, rising
  SharedTally here;
  SharedTally end;  ///< of the same flows at the destination
};

/// The flows as a tree: hops that all of them share once, where they part a branch for each next hop, and where all of
/// the branches come to the same hop again, they are one again. Branches part and meet in the same way.
std::vector<FanRow> fan_tree(std::span<const DestinationTally::Flow* const> flows);

}  // namespace ecmp::tui
