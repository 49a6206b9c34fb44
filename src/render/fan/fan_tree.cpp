#include "render/fan/fan_tree.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace ecmp::render {

namespace {

/// Some of the paths, each at one of its stops.
struct Member {
  const FanPath* path = nullptr;
  std::size_t strays = 0;  ///< from this stop on it is a branch, even where it meets the trunk
  std::size_t at = 0;
};
using Members = std::vector<Member>;

class Tree {
 public:
  explicit Tree(const Fan& fan) : fan_(fan) {}
  std::vector<FanLine> build();

 private:
  [[nodiscard]] const std::vector<PathGraph::Stop>& stops(const Member& member) const {
    return member.path->stops[member.at];
  }
  [[nodiscard]] bool on_trunk(const Member& member) const {
    return member.at < member.strays && trunk_[stops(member).front().node];
  }
  [[nodiscard]] static bool over(const Member& member) { return member.at >= member.path->stops.size(); }

  void find_trunk();
  [[nodiscard]] std::size_t strays(const FanPath& path) const;
  void branch_off(const Members& members, std::size_t depth, std::vector<bool> rails, bool goes_on);
  void grow(Members members, std::size_t depth, const std::vector<bool>& rails);
  std::vector<Members> split(const Members& members) const;
  void tell(const Members& members, std::size_t depth, bool begins, const std::vector<bool>& rails);

  const Fan& fan_;
  std::vector<bool> trunk_;
  std::vector<FanLine> lines_;
};

/// The hops that all paths which reach the destination go through; if none does, all paths.
void Tree::find_trunk() {
  const bool any_complete = std::ranges::any_of(fan_.paths, &FanPath::complete);
  std::vector<std::size_t> visits(fan_.nodes.size());
  std::size_t paths = 0;
  for (const FanPath& path : fan_.paths) {
    if (any_complete && !path.complete) continue;
    ++paths;
    for (const auto& stops : path.stops) {
      if (stops.size() == 1) ++visits[stops.front().node];
    }
  }
  trunk_.resize(fan_.nodes.size());
  for (std::size_t i = 0; i < visits.size(); ++i)
    trunk_[i] = visits[i] == paths;
}

/// Members by where they are, in the order of the picture.
std::vector<Members> Tree::split(const Members& members) const {
  std::map<std::vector<std::size_t>, Members> by_stop;
  for (const Member& member : members) {
    std::vector<std::size_t> nodes;
    nodes.reserve(stops(member).size());
    for (const PathGraph::Stop& stop : stops(member))
      nodes.push_back(stop.node);
    by_stop[nodes].push_back(member);
  }
  std::vector<Members> parts;
  parts.reserve(by_stop.size());
  for (auto& [nodes, part] : by_stop)
    parts.push_back(std::move(part));
  return parts;
}

void Tree::tell(const Members& members, std::size_t depth, bool begins, const std::vector<bool>& rails) {
  const auto& first = stops(members.front());
  std::uint32_t flows = 0;
  FanLossBetween before;
  FanLossBetween behind;
  for (Member member : members) {
    const std::size_t at = member.at;
    const FanPath& path = *member.path;
    flows += path.flows;
    const bool here = on_trunk(member);
    if (at > 0) {
      --member.at;
      if (!here || on_trunk(member)) before.add(path, at - 1, at);
    }
    member.at = at + 1;
    if (!here && !over(member) && on_trunk(member)) behind.add(path, at, at + 1);
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    FanLine line;
    line.node = first[i].node;
    line.ttl = static_cast<std::uint8_t>(std::min<std::size_t>(members.front().at, 255));
    line.depth = depth;
    line.begins = begins && i == 0;
    line.also = i > 0;
    line.rails = rails;
    line.flows = flows;
    std::vector<PathGraph::Observed> observed;
    for (const Member& member : members)
      observed.push_back(stops(member)[i].observed);
    line.figures = figures_of(observed);
    line.begun_before = before.begun();
    line.begun_behind = behind.begun();
    lines_.push_back(std::move(line));
  }
}

/// A path that never arrives may leave out a hop of the trunk: it cannot be drawn as coming back to it.
std::size_t Tree::strays(const FanPath& path) const {
  std::size_t next = 0;  // node on the trunk that has to come; nodes are numbered by column
  for (std::size_t at = 0; at < path.stops.size(); ++at) {
    const std::size_t node = path.stops[at].front().node;
    if (path.stops[at].size() > 1 || !trunk_[node]) continue;
    while (next < node && !trunk_[next])
      ++next;
    if (next != node) return at;
    ++next;
  }
  return path.stops.size();
}

/// Tells the first hops of branches, and each with what follows of it. `goes_on`: whether the line that they branch off
/// from does.
void Tree::branch_off(const Members& members, std::size_t depth, std::vector<bool> rails, bool goes_on) {
  std::vector<Members> parts = split(members);
  rails.push_back(true);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    rails.back() = i + 1 < parts.size() || goes_on;
    tell(parts[i], depth, true, rails);
    for (Member& member : parts[i])
      ++member.at;
    grow(std::move(parts[i]), depth, rails);
  }
}

/// Tells the stops of `members`, which are on one branch, until they are at their ends or reach the trunk.
void Tree::grow(Members members, std::size_t depth, const std::vector<bool>& rails) {
  while (true) {
    std::erase_if(members, [this](const Member& member) { return over(member) || on_trunk(member); });
    if (members.empty()) return;
    if (split(members).size() > 1) {
      branch_off(members, depth + 1, rails, false);
      return;
    }
    tell(members, depth, false, rails);
    for (Member& member : members)
      ++member.at;
  }
}

std::vector<FanLine> Tree::build() {
  find_trunk();
  Members members;
  for (const FanPath& path : fan_.paths)
    members.push_back({&path, strays(path), 0});
  while (!members.empty()) {
    // Those that have come this far: all at the same hop of the trunk.
    tell(members, 0, false, {});
    Members apart;
    Members next;
    for (Member member : members) {
      ++member.at;
      if (!over(member) && !on_trunk(member)) apart.push_back(member);
      while (!over(member) && !on_trunk(member))
        ++member.at;
      if (!over(member)) next.push_back(member);
    }
    branch_off(apart, 1, {}, !next.empty());
    members = std::move(next);
  }
  return std::move(lines_);
}

}  // namespace

std::vector<FanLine> fan_tree(const Fan& fan) {
  return Tree(fan).build();
}

}  // namespace ecmp::render
