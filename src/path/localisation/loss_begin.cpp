#include "path/localisation/loss_begin.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "path/localisation/loss_evidence.hpp"

namespace ecmp {
namespace {

/// Then what is left is judged path by path.
constexpr int kMostLinks = 8;

/// In place of a node before the first step.
constexpr std::size_t kAgent = SIZE_MAX;

/// The responders of a TTL as one: balanced per packet there are several.
struct Step {
  std::size_t stop = 0;
  std::size_t node = 0;  ///< the first of them
  Unanswered share;
};

struct LossyPath {
  std::size_t index = 0;  ///< of the strand
  Unanswered loss;        ///< end to end
  std::vector<Step> steps;
  bool complete = false;
};

Unanswered unanswered_at(const PathGraph::Stop& stop) {
  const WindowFigures figures = figures_of({&stop.observed, 1});
  return {static_cast<double>(figures.probes - std::min(figures.probes, figures.rtts)),
          static_cast<double>(figures.probes)};
}

/// Whether a step leaves more unanswered than the path loses, by more than two standard errors.
bool keeps_quiet(const Unanswered& here, const Unanswered& loss) {
  if (here.probes <= 0 || loss.probes <= 0) return false;
  const double pooled = (here.unanswered + loss.unanswered) / (here.probes + loss.probes);
  const double variance = pooled * (1 - pooled) * (1 / here.probes + 1 / loss.probes);
  return here.ratio() - loss.ratio() > 2 * std::sqrt(variance);
}

class Search {
 public:
  explicit Search(const PathGraph& graph) : usual_(graph.nodes.size()), found_(graph.strands.size()) {
    for (std::size_t i = 0; i < graph.strands.size(); ++i) {
      const PathGraph::Strand& strand = graph.strands[i];
      const WindowFigures figures = figures_of({&strand.observed, 1});
      LossyPath path{
          i, {static_cast<double>(figures.losses), static_cast<double>(figures.probes)}, {}, strand.complete};
      for (std::size_t at = 1; at < strand.stops.size(); ++at) {
        if (!graph.nodes[strand.stops[at].front().node].answers()) continue;
        Step& step = path.steps.emplace_back(at, strand.stops[at].front().node, Unanswered{});
        for (const PathGraph::Stop& stop : strand.stops[at]) {
          step.share.add(unanswered_at(stop));
          if (figures.losses == 0) usual_[stop.node].add(unanswered_at(stop));
        }
      }
      if (figures.losses == 0) continue;
      if (path.steps.empty()) {
        found_[i] = LossBegin{0, 1, 1};
      } else {
        left_.push_back(std::move(path));
      }
    }
  }

  std::vector<std::optional<LossBegin>> run() {
    for (int turn = 0; turn < kMostLinks && !left_.empty(); ++turn)
      if (!explain_most()) break;
    for (const LossyPath& path : left_) {
      const std::vector<const LossyPath*> alone{&path};
      std::size_t at = path.steps.size() - 1;
      while (at > 0 && shows(alone, at - 1))
        --at;
      const bool beyond = !path.complete && at + 1 == path.steps.size() && !shows(alone, at);
      take(path, beyond ? path.steps.size() : at);
    }
    return std::move(found_);
  }

 private:
  /// The loss of the path begins at that step, or behind the last.
  void take(const LossyPath& path, std::size_t at) {
    LossBegin begin{at > 0 ? path.steps[at - 1].stop : 0, 0, 0};
    begin.at = at < path.steps.size() ? path.steps[at].stop : path.steps.back().stop + 1;
    while (at + 1 < path.steps.size() && keeps_quiet(path.steps[at].share, path.loss))
      ++at;
    begin.until = at < path.steps.size() ? path.steps[at].stop : begin.at;
    found_[path.index] = begin;
  }

  /// Whether at least half of the loss of these paths, which share their steps up to `at`, is to be seen there.
  [[nodiscard]] bool shows(const std::vector<const LossyPath*>& paths, std::size_t at) const {
    Unanswered loss;
    Unanswered here;
    for (const LossyPath* path : paths) {
      loss.add(path->loss);
      here.add(path->steps[at].share);
    }
    return here.shows(loss.ratio(), usual_[paths.front()->steps[at].node].ratio());
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
    // By the node at the far end and the one before it: those that share both share the link.
    std::map<std::pair<std::size_t, std::size_t>, std::vector<const LossyPath*>> links;
    for (const LossyPath& path : left_) {
      for (std::size_t at = 0; at < path.steps.size(); ++at)
        links[{path.steps[at].node, at > 0 ? path.steps[at - 1].node : kAgent}].push_back(&path);
    }
    const std::vector<const LossyPath*>* best = nullptr;
    std::size_t best_node = 0;
    double most = 0;
    const auto step_of = [](const LossyPath& path, std::size_t node) {
      return static_cast<std::size_t>(std::ranges::find(path.steps, node, &Step::node) - path.steps.begin());
    };
    for (const auto& [ends, paths] : links) {
      const std::size_t at = step_of(*paths.front(), ends.first);
      // With hops that never answered on some of them only, the same link is not the same step.
      if (std::ranges::any_of(paths, [&](const LossyPath* path) { return step_of(*path, ends.first) != at; })) continue;
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
      take(*path, step_of(*path, best_node));
    }
    std::erase_if(left_, [&](const LossyPath& path) { return explained.contains(path.index); });
    return true;
  }

  std::vector<Unanswered> usual_;  ///< by node, of paths without loss
  std::vector<LossyPath> left_;
  std::vector<std::optional<LossBegin>> found_;
};

}  // namespace

std::vector<std::optional<LossBegin>> loss_begins(const PathGraph& graph) {
  return Search(graph).run();
}

}  // namespace ecmp
