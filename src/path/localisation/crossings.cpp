#include "path/localisation/crossings.hpp"

#include <algorithm>
#include <unordered_map>

namespace ecmp {
namespace {

/// Spreads the bits of a row's number, so that sums of them tell sets of rows apart (the finaliser of splitmix64).
std::uint64_t spread(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15u;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return number ^ (number >> 31);
}

}  // namespace

std::uint32_t Crossings::add(const Row& row, std::span<const std::uint32_t> links) {
  rows_.push_back(row);
  for (const std::uint32_t link : links) {
    crossed_.push_back(link);
    links_ = std::max<std::size_t>(links_, link + std::size_t{1});
  }
  begins_.push_back(crossed_.size());
  return static_cast<std::uint32_t>(rows_.size() - 1);
}

void Crossings::index() {
  link_begins_.assign(links_ + 1, 0);
  for (const std::uint32_t link : crossed_)
    ++link_begins_[link + 1];
  for (std::size_t i = 0; i < links_; ++i)
    link_begins_[i + 1] += link_begins_[i];
  crossing_.resize(crossed_.size());
  std::vector<std::size_t> next(link_begins_.begin(), link_begins_.end());
  for (std::uint32_t row = 0; row < rows_.size(); ++row) {
    for (const std::uint32_t link : links_of(row))
      crossing_[next[link]++] = row;
  }
}

LinkGroups group_links(const Crossings& crossings) {
  LinkGroups groups;
  groups.group_of.assign(crossings.links(), LinkGroups::kNone);
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_hash;
  for (std::uint32_t link = 0; link < crossings.links(); ++link) {
    const auto rows = crossings.rows_of(link);
    if (rows.empty()) continue;
    std::uint64_t hash = 0;
    for (const std::uint32_t row : rows)
      hash += spread(row);
    auto& candidates = by_hash[hash];
    const auto same = std::ranges::find_if(candidates, [&](std::uint32_t group) {
      return std::ranges::equal(crossings.rows_of(groups.members[group].front()), rows);
    });
    if (same != candidates.end()) {
      groups.group_of[link] = *same;
      groups.members[*same].push_back(link);
      continue;
    }
    const auto group = static_cast<std::uint32_t>(groups.members.size());
    groups.group_of[link] = group;
    groups.members.push_back({link});
    candidates.push_back(group);
  }
  return groups;
}

Crossings collapse(const Crossings& crossings, const LinkGroups& groups) {
  Crossings collapsed;
  std::vector<std::uint32_t> crossed;
  for (std::size_t row = 0; row < crossings.rows(); ++row) {
    crossed.clear();
    for (const std::uint32_t link : crossings.links_of(row)) {
      // A group's first link stands for it: the row crosses all of them.
      const std::uint32_t group = groups.group_of[link];
      if (groups.members[group].front() == link) crossed.push_back(group);
    }
    collapsed.add(crossings.row(row), crossed);
  }
  collapsed.index();
  return collapsed;
}

}  // namespace ecmp
