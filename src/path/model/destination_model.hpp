#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.hpp"
#include "path/model/path_names.hpp"
#include "path/model/snapshot.hpp"
#include "probe/round.hpp"

namespace ecmp {

struct ModelOptions {
  std::uint32_t confirm_rounds = 2;                    ///< a change must be seen in so many rounds in a row
  std::uint32_t max_paths = 128;                       ///< per destination
  Duration path_retention = std::chrono::minutes(10);  ///< a path that no flow uses is told for so long
  Duration window = std::chrono::minutes(5);           ///< the rolling one of loss, RTT and jitter
  bool hop_histograms = true;                          ///< keep cumulative ones for hops, not only for paths
  /// A flow that has not heard who is at a hop, where others have, is on no path until it is clear which one it is on.
  /// If not it is on one of its own, or on the one path that fits: for traces of few rounds, which cannot wait.
  bool wait_for_hops = true;
  /// Of classic buckets, which are exact then. May be null. Numbers of bounds never change.
  std::shared_ptr<const Statistics::Bounds> bounds = nullptr;
};

/// Where a path came to differ: the first such hop. Responders are unspecified where there is none to tell.
struct ChangePlace {
  std::uint8_t ttl = 0;  ///< 0: only the distance alternates
  IpAddress before;
  IpAddress after;
};

/// What a round says about the path of its flow.
struct PathVerdict {
  /// Id; 0 if nobody has answered yet, if several paths fit what has been heard (then `unconfirmed`), or if max_paths
  /// was reached.
  std::uint32_t path = 0;
  std::uint32_t ordinal = 0;
  ChangeKind changed = ChangeKind::none;  ///< confirmed with this round
  std::uint32_t previous = 0;             ///< id of the path before, when changed
  /// Somebody else answered than on the path, and whether the flow has moved is not confirmed yet: the round belongs to
  /// `path`, or to the one that the flow is moving to. Or the flow has not heard yet which of several paths it is on.
  /// It counts for the path of the flow's next round without this.
  bool unconfirmed = false;
  std::shared_ptr<const ChangePlace> change;  ///< null when not changed
  /// Of the path (or, when the path is not told, of the flow), TTL 1 first; unspecified where nobody ever answered, the
  /// lowest address where a balancer alternates. Shared by all rounds of the path. Made by on_round() it is never null.
  std::shared_ptr<const std::vector<IpAddress>> responders;
  /// The path's rolling window, at most 1/200 of its duration old. Shared by rounds of the path. Null without a path.
  std::shared_ptr<const PathWindow> window;
  Duration smoothed_jitter{};  ///< of the flow since it is on the path, end to end: RFC 3550 section 6.4.1
};

/// The paths of one destination: what its flows' rounds say about them, and what is counted. Pure.
class DestinationModel {
 public:
  DestinationModel(std::shared_ptr<const DestinationFacts> facts, const ModelOptions& options);
  ~DestinationModel();
  DestinationModel(const DestinationModel&) = delete;
  DestinationModel& operator=(const DestinationModel&) = delete;

  /// Its counters are 0 now, which is told with them. Before the first round.
  void begin(WallTime now);

  /// How its paths were called before a restart: they are so again. Before the first round.
  void restore(const DestinationPathNames& names, Instant now);

  /// New facts of the same destination: other labels, another address after its name changed. When address, protocol or
  /// port differ, the flows forget their paths (no change is counted); counters live on. Another first source port
  /// makes other flows: counters go on with the port. A flow that is steady no longer leaves its path, and nothing is
  /// told of it until it is again. Flows that are steady for the first time begin `now`.
  void set_facts(std::shared_ptr<const DestinationFacts> facts, WallTime now = {});

  /// Other options from now on. Another window begins empty; counters and histograms go on. The
  /// retention of paths stays what it was.
  void set_options(const ModelOptions& options);

  /// The flows' headers are others now in a way that the facts do not tell, and routers may send them elsewhere: they
  /// forget their paths, no change is counted, counters live on.
  void forget_paths();

  /// The numbers of rounds begin anew: those that come are not compared with those that were.
  void forget_rounds();

  /// Told with the snapshots, and its coverage instead of that of the steady flows alone.
  void set_search(std::shared_ptr<const SearchProgress> progress);

  /// What its streams say, published with the snapshots; null: it has none.
  void set_oneway(std::shared_ptr<const OnewaySnapshot> oneway);

  void set_source(std::uint32_t flow_index, const IpAddress& source);

  /// Takes in a finished round of flow `flow_index` (0 for the first source port). Rounds of a flow come in order.
  /// Those of a flow that the facts do not know are ignored. Paths and hops that the round shows for the first time
  /// begin with it: `started` is when it did, as civil time. That is asked for and kept, and not worked out when it is
  /// told: whoever sets the clock moves no begin.
  PathVerdict on_round(std::uint32_t flow_index, const Round& round, WallTime started = {});

  /// Drops what has outlived its retention and tells the rest.
  std::shared_ptr<const DestinationSnapshot> snapshot(Instant now);
  /// Whether a flow may go another way than the newest snapshot says.
  [[nodiscard]] bool moved() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace ecmp
