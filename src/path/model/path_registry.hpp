#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/message.hpp"
#include "path/model/ledger.hpp"
#include "path/model/path_content.hpp"
#include "path/model/path_names.hpp"
#include "path/model/snapshot.hpp"
#include "path/statistics/window.hpp"

namespace ecmp {

/// A path that is told, and what is counted on it.
struct KnownPath {
  struct Member {
    std::uint8_t ttl = 0;
    IpAddress responder;
    NewestReply newest;  ///< here it costs nothing: there would be a gap
    HopCounters counters;
    packet::KeptMpls mpls;  ///< labels and other notes of its newest reply
    Ledger ledger;
    Limiting limiting = Limiting::none;  ///< as pacing told it with the newest reply
    WallTime began{};                    ///< when all that is counted was 0
  };

  std::uint32_t id = 0;
  std::uint32_t ordinal = 0;
  std::uint32_t flows = 0;   ///< on it now
  bool presumed = false;     ///< nobody has reached the destination over it yet
  std::uint32_t joined = 0;  ///< times a flow came; 0: known by name only, not to be told
  std::uint64_t probes = 0;
  std::uint64_t replies = 0;
  UnjudgedCounters unjudged;
  Ledger ledger;  ///< end to end
  VariationWindow variation;
  std::shared_ptr<const PathWindow> window;  ///< as it was told last
  Instant window_at;
  WallTime began{};   ///< when all that is counted end to end was 0; that of the sketch it was, if it is none other's
  Instant last_used;  ///< when the last flow left; means nothing while there are flows
  PathContent content;
  std::vector<Member> members;  ///< by TTL, those of content.slots; of one TTL in the order in which they were found
  std::shared_ptr<const std::vector<IpAddress>> responders;

  /// Null if the responder does not belong to the path at this TTL.
  Member* member(std::size_t ttl, const IpAddress& responder);
  /// Where those of a TTL begin in `members`, or would.
  [[nodiscard]] std::size_t first(std::size_t ttl) const;
  /// Nothing has been counted yet of what has not begun. What has stays as it is: a begin that has been told is kept.
  void begin(WallTime now);
  /// As it stands; the second place is for what its hops tell.
  PathSnapshot tell(const RoundPlace& now, const RoundPlace& now_at_hops);
};

/// One address a hop; of a balanced set the lowest.
std::shared_ptr<const std::vector<IpAddress>> responder_list(const PathContent& content);

/// The paths of one destination: which of them a flow's view belongs to, and how they are called.
class PathRegistry {
 public:
  PathRegistry(std::uint32_t max_paths, Duration retention) : max_paths_(max_paths), retention_(retention) {}

  /// How the paths were called before a restart. Each is told from when a flow is found on it, and waits for that as
  /// long as a path that no flow uses any more.
  void restore(const DestinationPathNames& names, Instant now);

  /// Another bound. Paths beyond a lower one stay until they run out.
  void set_max_paths(std::uint32_t max_paths) {
    if (max_paths > max_paths_) ++vacancies_;
    max_paths_ = max_paths;
  }

  /// Of classic buckets: they must outlive it.
  void set_bounds(const Statistics::Bounds* bounds) { bounds_ = bounds; }

  /// Moves a flow from `current` (null: from none) to the path that its view belongs to, which is made if there is none
  /// yet. Null if the view knows nobody, or if max_paths is reached: that is counted in refused().
  /// `presumed`: that the view ends at the destination has not been seen. A path that no flow has reached it over is
  /// not kept once its last flow has turned out to take another one.
  /// `exact`: what the view does not know is known to be unknown, such as a router that never answers. If not it may
  /// be on the one path that knows more.
  KnownPath* place(const PathContent& view, bool presumed, bool exact, KnownPath* current, Instant now);

  /// A flow leaves its path for none.
  void leave(KnownPath& path, Instant now);
  /// Likewise, since it does not know any more that it was there. A path that no other flow was ever on goes with it.
  void abandon(KnownPath& path, Instant now);

  /// Drops the paths that no flow has used for the retention.
  void expire(Instant now);

  [[nodiscard]] const std::vector<std::unique_ptr<KnownPath>>& paths() const { return paths_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }
  /// Another number whenever there is room that was not there before.
  [[nodiscard]] std::uint32_t vacancies() const { return vacancies_; }
  /// Another number whenever flows have come or gone, or more is known of a path.
  [[nodiscard]] std::uint32_t version() const { return version_; }

 private:
  /// What a dropped path was called: it gets its name back when it comes back.
  struct Name {
    std::uint64_t content = 0;
    std::uint32_t id = 0;
    std::uint32_t ordinal = 0;
  };
  static constexpr std::size_t kNames = 4096;

  [[nodiscard]] KnownPath* match(const PathContent& view, const KnownPath* current, bool filling) const;
  [[nodiscard]] KnownPath* match_exactly(const PathContent& view, const KnownPath* current) const;
  KnownPath* create(const PathContent& view, bool presumed, std::uint32_t ordinal, Instant now);
  void assign_name(KnownPath& path, std::uint32_t ordinal);
  [[nodiscard]] bool id_taken(std::uint32_t id) const;
  void take_in(KnownPath& path, const PathContent& view);
  void absorb(KnownPath& rough, KnownPath& fine) const;
  void make_room(Instant now);
  std::unique_ptr<KnownPath> extract(const KnownPath* path);
  void put_to_sleep(std::unique_ptr<KnownPath> path);
  void wake(KnownPath& path);
  void bound_sleepers();
  void remember(const KnownPath& path);

  std::uint32_t max_paths_;
  Duration retention_;
  const Statistics::Bounds* bounds_ = nullptr;
  std::vector<std::unique_ptr<KnownPath>> paths_;
  /// Dropped paths with what was counted on them, oldest first: should one come back, its counters go on. Together with
  /// paths_ they are at most max_paths_.
  std::vector<std::unique_ptr<KnownPath>> asleep_;
  std::vector<Name> names_;  ///< a ring once it is full
  std::size_t oldest_name_ = 0;
  std::uint32_t last_ordinal_ = 0;
  std::uint32_t vacancies_ = 0;
  std::uint32_t version_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace ecmp
