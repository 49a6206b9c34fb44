#include "path/localisation/loss_begin.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "path/localisation/loss_evidence.hpp"

namespace ecmp {
namespace {

/// Then what is left is judged path by path.
constexpr int kMostLinks = 8;

using Node = std::pair<std::uint8_t, IpAddress>;

/// The hops of a TTL as one: balanced per packet there are several.
struct Step {
  std::size_t hop = 0;  ///< index of the first of them
  Node node;
  Unanswered share;
};

struct LossyPath {
  std::size_t index = 0;  ///< in the snapshot
  Unanswered loss;        ///< end to end
  std::vector<Step> steps;
  std::size_t hops = 0;
  bool complete = false;
};

Unanswered unanswered_at(const HopSnapshot& hop) {
  if (hop.statistics == nullptr) return {};
  const WindowFigures& window = hop.statistics->window;
  return {static_cast<double>(window.probes - std::min(window.probes, window.rtts)),
          static_cast<double>(window.probes)};
}

class Search {
 public:
  explicit Search(const DestinationSnapshot& snapshot) : found_(snapshot.paths.size()) {
    for (std::size_t i = 0; i < snapshot.paths.size(); ++i) {
      const PathSnapshot& path = snapshot.paths[i];
      if (path.flows == 0 || path.statistics == nullptr) continue;
      const WindowFigures& window = path.statistics->window;
      if (window.losses == 0) {
        for (const HopSnapshot& hop : path.hops)
          usual_[{hop.ttl, hop.responder}].add(unanswered_at(hop));
        continue;
      }
      LossyPath lossy{i,
                      {static_cast<double>(window.losses), static_cast<double>(window.probes)},
                      {},
                      path.hops.size(),
                      path.complete};
      for (std::size_t h = 0; h < path.hops.size(); ++h) {
        const HopSnapshot& hop = path.hops[h];
        if (lossy.steps.empty() || lossy.steps.back().node.first != hop.ttl)
          lossy.steps.push_back({h, {hop.ttl, hop.responder}, {}});
        lossy.steps.back().share.add(unanswered_at(hop));
      }
      if (!lossy.steps.empty()) left_.push_back(std::move(lossy));
    }
  }

  std::vector<std::optional<std::size_t>> run() {
    for (int turn = 0; turn < kMostLinks && !left_.empty(); ++turn)
      if (!explain_most()) break;
    for (const LossyPath& path : left_) {
      const std::vector<const LossyPath*> alone{&path};
      std::size_t at = path.steps.size() - 1;
      while (at > 0 && shows(alone, at - 1))
        --at;
      const bool beyond = !path.complete && at + 1 == path.steps.size() && !shows(alone, at);
      found_[path.index] = beyond ? path.hops : path.steps[at].hop;
    }
    return std::move(found_);
  }

 private:
  /// Whether at least half of the loss of these paths, which share their steps up to `at`, is to be seen there.
  [[nodiscard]] bool shows(const std::vector<const LossyPath*>& paths, std::size_t at) const {
    Unanswered loss;
    Unanswered here;
    for (const LossyPath* path : paths) {
      loss.add(path->loss);
      here.add(path->steps[at].share);
    }
    const auto usual = usual_.find(paths.front()->steps[at].node);
    const double quiet = usual != usual_.end() ? usual->second.ratio() : 0;
    return here.shows(loss.ratio(), quiet);
  }

  /// Whether loss can be seen at each step behind `from` as well. There the paths part: judged each by itself but for
  /// noise, so by their sum.
  [[nodiscard]] static bool goes_on(const std::vector<const LossyPath*>& paths, std::size_t from) {
    Unanswered loss;
    Unanswered behind;
    for (const LossyPath* path : paths) {
      loss.add(path->loss);
      for (std::size_t at = from; at < path->steps.size(); ++at)
        behind.add(path->steps[at].share);
    }
    return behind.shows(loss.ratio());
  }

  /// Finds the link that explains most of what is lost on the paths left, and takes them out.
  bool explain_most() {
    // By the node at the far end and the one before it: those who share both share the link.
    std::map<std::pair<Node, Node>, std::vector<const LossyPath*>> links;
    for (const LossyPath& path : left_) {
      for (std::size_t at = 0; at < path.steps.size(); ++at)
        links[{path.steps[at].node, at > 0 ? path.steps[at - 1].node : Node()}].push_back(&path);
    }
    const std::vector<const LossyPath*>* best = nullptr;
    Node best_node;
    double most = 0;
    for (const auto& [ends, paths] : links) {
      const auto at_of = [&](const LossyPath& path) {
        return static_cast<std::size_t>(std::ranges::find(path.steps, ends.first, &Step::node) - path.steps.begin());
      };
      const std::size_t at = at_of(*paths.front());
      // With hops that never answered on some of them only, the same link is not the same step.
      if (std::ranges::any_of(paths, [&](const LossyPath* path) { return at_of(*path) != at; })) continue;
      if ((at > 0 && shows(paths, at - 1)) || !shows(paths, at) || !goes_on(paths, at)) continue;
      double losses = 0;
      for (const LossyPath* path : paths)
        losses += path->loss.unanswered;
      if (losses <= most) continue;
      most = losses;
      best = &paths;
      best_node = ends.first;
    }
    if (best == nullptr) return false;
    std::set<std::size_t> explained;
    for (const LossyPath* path : *best) {
      explained.insert(path->index);
      found_[path->index] = std::ranges::find(path->steps, best_node, &Step::node)->hop;
    }
    std::erase_if(left_, [&](const LossyPath& path) { return explained.contains(path.index); });
    return true;
  }

  std::map<Node, Unanswered> usual_;  ///< of paths without loss
  std::vector<LossyPath> left_;
  std::vector<std::optional<std::size_t>> found_;
};

}  // namespace

std::vector<std::optional<std::size_t>> loss_begins(const DestinationSnapshot& snapshot) {
  return Search(snapshot).run();
}

}  // namespace ecmp
