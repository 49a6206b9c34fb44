#include "path/search/flow_cover.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace ecmp {
namespace {

/// What is to be covered, and by whom.
class Task {
 public:
  Task(const FlowGraph& graph, std::size_t trails, std::uint32_t per_path) : elements_(trails) {
    const std::vector<FlowGraph::PathOf> paths = graph.paths();
    needs_.assign(FlowGraph::count(paths), 0);
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> links;
    for (std::size_t trail = 0; trail < trails; ++trail) {
      const auto nodes = graph.nodes_of(trail);
      if (nodes.size() < 2) continue;  // nobody has ever answered
      const auto& [path, sure] = paths[trail];
      if (sure) {
        if (needs_[path] < static_cast<std::int32_t>(per_path)) ++needs_[path];
        elements_[trail].push_back(path);
      }
      for (std::size_t at = 1; at < nodes.size(); ++at) {
        if (nodes[at - 1] == FlowGraph::kNone) continue;
        // One that leads to a hop which is open is kept, too, where that may be a router that never answers.
        if (nodes[at] == FlowGraph::kNone && !graph.nodes()[nodes[at - 1]].hides_silent()) continue;
        const auto next = static_cast<std::uint32_t>(needs_.size());
        const auto [link, is_new] = links.try_emplace({nodes[at - 1], nodes[at]}, next);
        if (is_new) needs_.push_back(1);
        elements_[trail].push_back(link->second);
      }
    }
    missing_ = needs_;
  }

  /// How many elements are nearer to what they need by this trail.
  [[nodiscard]] std::uint32_t gain(std::size_t trail) const {
    std::uint32_t gain = 0;
    for (const std::uint32_t element : elements_[trail])
      gain += missing_[element] > 0 ? 1u : 0u;
    return gain;
  }
  void take(std::size_t trail) {
    for (const std::uint32_t element : elements_[trail])
      --missing_[element];
  }
  /// Puts one back if nothing is short of what it needs by that.
  bool spare(std::size_t trail) {
    const bool spared =
        std::ranges::all_of(elements_[trail], [&](std::uint32_t element) { return missing_[element] < 0; });
    if (spared) {
      for (const std::uint32_t element : elements_[trail])
        ++missing_[element];
    }
    return spared;
  }
  void restart() { missing_ = needs_; }

 private:
  std::vector<std::vector<std::uint32_t>> elements_;  ///< by trail
  std::vector<std::int32_t> needs_;                   ///< by element: paths, then links
  std::vector<std::int32_t> missing_;                 ///< below 0: there are more than are needed
};

/// Adds the trail with the greatest gain until nothing is missing.
void complete(Task& task, const std::vector<bool>& preferred, std::vector<std::uint32_t>& chosen) {
  std::vector<bool> taken(preferred.size());
  for (const std::uint32_t trail : chosen)
    taken[trail] = true;
  for (;;) {
    std::uint32_t most = 0;
    std::size_t best = 0;
    for (std::size_t trail = 0; trail < preferred.size(); ++trail) {
      if (taken[trail]) continue;
      const std::uint32_t gain = task.gain(trail);
      if (gain > most || (gain == most && gain > 0 && preferred[trail] && !preferred[best])) {
        most = gain;
        best = trail;
      }
    }
    if (most == 0) return;
    task.take(best);
    taken[best] = true;
    chosen.push_back(static_cast<std::uint32_t>(best));
  }
}

}  // namespace

std::vector<std::uint32_t> cover(const FlowGraph& graph, const std::vector<bool>& preferred, std::uint32_t per_path) {
  Task task(graph, preferred.size(), std::max<std::uint32_t>(1, per_path));
  std::vector<std::uint32_t> fresh;
  complete(task, preferred, fresh);
  task.restart();
  std::vector<std::uint32_t> kept;
  for (std::size_t trail = 0; trail < preferred.size(); ++trail) {
    if (!preferred[trail] || task.gain(trail) == 0) continue;
    task.take(trail);
    kept.push_back(static_cast<std::uint32_t>(trail));
  }
  complete(task, preferred, kept);
  std::erase_if(kept, [&](std::uint32_t trail) { return task.spare(trail); });
  // To let flows go and begin others ends their series: not worth it for a few of them.
  std::vector<std::uint32_t>& chosen = 4 * kept.size() <= 5 * fresh.size() ? kept : fresh;
  std::ranges::sort(chosen);
  return std::move(chosen);
}

}  // namespace ecmp
