#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "path/search/stopping_rule.hpp"

namespace ecmp {

/// Where a flow was seen to go. Responders are numbers that whoever made the trail gave them.
struct Trail {
  static constexpr std::uint32_t kNobody = 0;            ///< no answer at this TTL, though there was one beyond
  static constexpr std::uint32_t kVarying = 0xffffffff;  ///< a balancer per packet: somebody else each time

  /// How often a hop was asked, and answered.
  struct Tally {
    std::uint32_t asked = 0;
    std::uint32_t answered = 0;
  };

  std::vector<std::uint32_t> hops;  ///< TTL 1 first; the last one answered
  std::vector<Tally> tallies;       ///< by hop; none of a flow that was not asked for its path
  bool reached = false;
};

/// What many flows together say of the routers that they pass: who has how many next hops, and how many flows told.
///
/// A flow counts at a router only if it is known to pass it, and only if its next hop answered. A hop without an
/// answer:
///  - is taken to be the one next hop that the router before it has, where enough flows told of that one;
///  - is a router of its own, one behind each router, where no flow has ever had an answer there: it never answers;
///  - is open otherwise: it counts for nothing, and the flow may be asked again.
/// Where a balancer per packet lets a flow vary, nothing is counted up to the next hop that does not.
class FlowGraph {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  struct Node {
    std::uint32_t ttl = 0;  ///< 0: we ourselves
    std::uint32_t responder = Trail::kNobody;
    std::uint32_t passing = 0;          ///< flows that pass it and go on
    std::uint32_t told = 0;             ///< of these, those whose next hop is known
    std::vector<std::uint32_t> next{};  ///< responders; one that is nobody where the next hop never answers
    bool varying = false;               ///< next hops are chosen per packet
    Trail::Tally tally{};               ///< of the next hop, over the flows that told
    std::vector<std::uint32_t> open{};  ///< how often each of the flows was asked that did not tell
    [[nodiscard]] std::uint32_t width() const { return static_cast<std::uint32_t>(next.size()); }
    /// Whether so many flows got no answer behind it that there is likely a router which never answers, beside those
    /// that lose an answer now and then.
    [[nodiscard]] bool hides_silent() const;
  };

  /// `single`: so many flows make sure that a router has one next hop alone.
  FlowGraph(std::span<const Trail> trails, std::uint32_t single);

  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  /// The nodes that a trail passes, ours at first; kNone where that is open.
  [[nodiscard]] std::span<const std::uint32_t> nodes_of(std::size_t trail) const { return places_[trail]; }
  /// Trails with hops that are open.
  [[nodiscard]] const std::vector<std::uint32_t>& open() const { return open_; }
  /// Routers with more than one next hop.
  [[nodiscard]] std::uint32_t dividing() const;

  /// The chance that nothing is hidden: that neither a dividing router nor the least known of the others has a further
  /// next hop which the flows all happened to avoid.
  [[nodiscard]] double coverage(double p_min) const;

  struct PathOf {
    std::uint32_t path = 0;  ///< from 0
    bool sure = true;        ///< what is known of the trail agrees with no other path
  };
  /// By trail. Trails are of one path if nothing that is known of them differs.
  [[nodiscard]] std::vector<PathOf> paths() const;
  /// How many these are.
  [[nodiscard]] static std::uint32_t count(const std::vector<PathOf>& paths);

 private:
  void step(std::span<const Trail> trails, std::size_t ttl);
  std::uint32_t node(std::size_t ttl, std::uint32_t responder);
  std::uint32_t silent_behind(std::size_t ttl, std::uint32_t parent);

  std::uint32_t single_;
  std::vector<Node> nodes_;
  std::vector<std::vector<std::uint32_t>> places_;
  std::vector<std::uint32_t> open_;
  std::vector<std::uint32_t> of_responder_;  ///< of the TTL under way
  std::vector<std::uint32_t> silent_;        ///< by parent
  std::vector<bool> reached_;
};

}  // namespace ecmp
