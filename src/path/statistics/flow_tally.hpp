#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/message.hpp"
#include "path/model/destination_model.hpp"
#include "path/model/quote_findings.hpp"
#include "path/model/round_record.hpp"
#include "path/statistics/flow_jitter.hpp"
#include "path/statistics/histogram.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// The fates of the newest probes in the order they were sent, for sparklines. A ring that allocates as it fills up.
class RecentFates {
 public:
  enum class Fate : std::uint8_t { replied, silent, lost, unsent };
  struct Entry {
    Fate fate = Fate::lost;
    Duration rtt{};  ///< of `replied`; what is longer than 4.2 s is told as 4.2 s
  };

  explicit RecentFates(std::uint16_t capacity) : capacity_(capacity) {}

  void push(Fate fate, Duration rtt = {});
  [[nodiscard]] std::size_t size() const { return words_.size(); }
  /// 0 is the newest one; below size().
  [[nodiscard]] Entry operator[](std::size_t age) const;
  void clear();

 private:
  static constexpr std::uint32_t kLost = 0xffffffffu;
  static constexpr std::uint32_t kSilent = 0xfffffffeu;
  static constexpr std::uint32_t kUnsent = 0xfffffffdu;
  static constexpr std::uint32_t kLongest = 0xfffffffcu;

  std::uint16_t capacity_;
  std::uint16_t next_ = 0;            ///< where the oldest one stands, once it is full
  std::vector<std::uint32_t> words_;  ///< nanoseconds, or one of the above
};

/// How the probes to one place ended, the end of a flow or one hop of it, since the start or the last reset.
class ProbeTally {
 public:
  explicit ProbeTally(std::uint16_t recent) : recent_(recent) {}

  void reply(Duration rtt);
  /// |RTT(i) - RTT(i-1)|, as FlowJitter tells it.
  void jitter(Duration difference);
  void loss();
  void silence();
  void send_failure();
  /// Not judged, since the destination limits its answers or may do so.
  void unjudge() { ++unjudged_; }

  /// Probes that left this host and have their fate.
  [[nodiscard]] std::uint64_t sent() const { return replies_ + losses_ + silences_; }
  [[nodiscard]] std::uint64_t replies() const { return replies_; }
  [[nodiscard]] std::uint64_t losses() const { return losses_; }
  [[nodiscard]] std::uint64_t silences() const { return silences_; }
  [[nodiscard]] std::uint64_t send_failures() const { return send_failures_; }
  [[nodiscard]] std::uint64_t unjudged() const { return unjudged_; }
  /// Ratios of sent(); 0 when nothing was sent.
  [[nodiscard]] double loss_ratio() const { return ratio(losses_); }
  [[nodiscard]] double silence_ratio() const { return ratio(silences_); }

  // Of the replies; 0 when there are none: look at replies().
  [[nodiscard]] Duration last() const { return last_; }
  [[nodiscard]] Duration best() const { return best_; }
  [[nodiscard]] Duration worst() const { return worst_; }
  [[nodiscard]] Duration average() const;
  /// Of the sample (n - 1), as mtr and ETR tell it.
  [[nodiscard]] Duration standard_deviation() const;
  /// Within one bucket (9 %) of the exact one.
  [[nodiscard]] Duration p95() const;

  /// Differences observed; 0: the two figures below say nothing.
  [[nodiscard]] std::uint64_t jitters() const { return jitters_; }
  [[nodiscard]] Duration mean_jitter() const;
  [[nodiscard]] Duration smoothed_jitter() const { return smoothed_.value(); }  ///< RFC 3550 section 6.4.1

  [[nodiscard]] const RecentFates& recent() const { return recent_; }

  void reset();
  /// The path is another one: nothing to smooth over. What was counted stays.
  void restart_jitter() { smoothed_ = {}; }

 private:
  [[nodiscard]] double ratio(std::uint64_t part) const {
    return sent() == 0 ? 0 : static_cast<double>(part) / static_cast<double>(sent());
  }

  std::uint64_t replies_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t silences_ = 0;
  std::uint64_t send_failures_ = 0;
  std::uint64_t unjudged_ = 0;
  std::uint64_t jitters_ = 0;
  Duration last_{};
  Duration best_{};
  Duration worst_{};
  Duration jitter_sum_{};
  double mean_ = 0;     ///< nanoseconds
  double squares_ = 0;  ///< sum of the squared distances from the mean: Welford, so that long runs keep their digits
  SmoothedJitter smoothed_;
  Histogram rtts_;
  RecentFates recent_;
};

/// One hop of a flow: what became of its probes, and who answered them.
class HopTally {
 public:
  static constexpr std::size_t kResponders = 8;
  static constexpr std::uint16_t kRecent = 64;

  struct Responder {
    IpAddress address;
    std::uint64_t replies = 0;
    std::uint32_t serial = 0;  ///< a number that no other responder of this hop ever had
    std::uint32_t round = 0;   ///< when it was heard last
  };

  HopTally() : probes_(kRecent) {}

  [[nodiscard]] const ProbeTally& probes() const { return probes_; }
  /// The hop's address as the path has it; before that is known, the newest one that answered. Unspecified: nobody.
  [[nodiscard]] const IpAddress& address() const { return address_; }
  /// Everybody who answered since the last reset, in the order of appearance; of more than kResponders those heard
  /// last.
  [[nodiscard]] std::span<const Responder> responders() const { return responders_; }
  /// Responders that had to make room.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  /// Labels and other notes of the newest reply.
  [[nodiscard]] const packet::KeptMpls& mpls() const { return mpls_; }
  /// How the newest answer came, of whatever kind.
  [[nodiscard]] const NewestReply& newest() const { return newest_; }
  /// Of the newest reply when it was a refusal to forward, else none.
  [[nodiscard]] packet::ReplyKind refusal() const { return refusal_; }
  /// Whoever is known here limits the ICMP errors it sends, as far as pacing knew in the newest round.
  [[nodiscard]] bool limited() const { return limited_; }

 private:
  friend class FlowTally;

  Responder& heard(const IpAddress& from, std::uint32_t round);
  void reset();

  ProbeTally probes_;
  IpAddress address_;
  std::vector<Responder> responders_;
  std::uint32_t next_serial_ = 0;
  std::uint64_t dropped_ = 0;
  packet::KeptMpls mpls_;
  NewestReply newest_;
  packet::ReplyKind refusal_ = packet::ReplyKind::none;
  bool limited_ = false;
};

/// What the rounds of one flow came to, end to end and hop by hop: what a person watches. The model counts by path,
/// since that is what outlives flows; here it is the flow that is watched, whatever path it takes.
class FlowTally {
 public:
  static constexpr std::uint16_t kRecent = 128;

  FlowTally() : end_to_end_(kRecent) {}

  /// A finished round, in the order of their numbers, and what the model says of it.
  void take(const Round& round, const PathVerdict& verdict);
  /// What the flow's stream of STAMP packets has seen since the round before.
  void take(const OnewayRound& round);

  [[nodiscard]] const ProbeTally& end_to_end() const { return end_to_end_; }
  /// Since the last reset; null: the flow has no stream of STAMP packets.
  [[nodiscard]] const OnewayFlowSnapshot* oneway() const { return oneway_ ? &*oneway_ : nullptr; }
  /// What the newest round says of the flow's paths and its reflector; null: the flow has no stream.
  [[nodiscard]] const OnewayRound* newest_oneway() const { return newest_oneway_ ? &*newest_oneway_ : nullptr; }
  /// TTL 1 first, as far as the path goes: not what was seen beyond the destination when it was further away.
  [[nodiscard]] std::span<const HopTally> hops() const { return {hops_.data(), length_}; }

  /// What the newest replies of the hops give away; Finding::hop counts hops().
  [[nodiscard]] std::vector<Finding> findings() const;

  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }  ///< finished since the last reset
  [[nodiscard]] std::uint32_t path() const { return path_; }      ///< id; 0: none
  /// Of the path, from 1, in the order of appearance; 0: none. Also the number of the path's colour.
  [[nodiscard]] std::uint32_t ordinal() const { return ordinal_; }
  [[nodiscard]] bool reached() const { return reached_; }                ///< in the newest round
  [[nodiscard]] std::uint8_t distance() const { return distance_; }      ///< of the newest round; 0: never reached
  [[nodiscard]] std::uint32_t path_changes() const { return changes_; }  ///< since the last reset
  [[nodiscard]] ChangeKind newest_change() const { return newest_change_; }
  [[nodiscard]] Instant changed_at() const { return changed_at_; }  ///< only when path_changes() > 0

  /// Counts anew. Where the flow goes stays known.
  void reset();

 private:
  bool take_hop(const HopResult& result, const Round& round, const IpAddress& expected);
  void take_end(const Round& round, bool expected_way);

  ProbeTally end_to_end_;
  std::optional<OnewayFlowSnapshot> oneway_;
  std::optional<OnewayRound> newest_oneway_;
  std::vector<HopTally> hops_;
  FlowJitter jitter_;
  std::size_t length_ = 0;
  std::uint64_t rounds_ = 0;
  std::uint32_t path_ = 0;
  std::uint32_t ordinal_ = 0;
  std::uint32_t changes_ = 0;
  ChangeKind newest_change_ = ChangeKind::none;
  Instant changed_at_{};
  std::uint8_t distance_ = 0;
  bool reached_ = false;
};

/// The flows of one destination. Flows may come and go (discovery lets those go that show no path of their own).
class DestinationTally {
 public:
  static constexpr std::uint32_t kMaximumFlows = 512;

  struct Flow {
    std::uint32_t index = 0;  ///< 0 for the first source port
    std::uint16_t source_port = 0;
    IpAddress source;
    FlowTally tally;
  };

  /// What comes of flows beyond kMaximumFlows is left out and counted.
  void take(const RoundRecord& record);
  void forget(std::uint32_t flow_index);
  void reset();

  /// Rising by index.
  [[nodiscard]] std::span<const Flow> flows() const { return flows_; }
  /// Null if it is not known.
  [[nodiscard]] const Flow* flow(std::uint32_t flow_index) const;
  /// The most rounds that any flow has finished since the last reset.
  [[nodiscard]] std::uint64_t rounds() const;
  /// Different paths that the flows take now.
  [[nodiscard]] std::size_t paths() const;
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  /// Of the newest round; null: the number of flows is fixed.
  [[nodiscard]] const std::shared_ptr<const SearchProgress>& search() const { return search_; }

 private:
  void note_search(const RoundRecord& record);

  std::shared_ptr<const SearchProgress> search_;
  std::shared_ptr<const std::vector<std::uint16_t>> steady_;  ///< those that were not forgotten
  std::vector<Flow> flows_;
  std::uint64_t left_out_ = 0;
};

}  // namespace ecmp
