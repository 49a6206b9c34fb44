#include "config/selection.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "base/names.hpp"
#include "config/destinations.hpp"
#include "config/shard.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

constexpr std::size_t kMostProblems = 100;

/// The source ports in use towards one host, over one protocol: ranges that do not overlap, by their first port.
class PortsInUse {
 public:
  /// Whoever has one of these ports; null, and they are its own now.
  const Found* take(const Found& wanted) {
    const std::uint32_t first = *wanted.destination.source_port;
    const std::uint32_t last = first + wanted.destination.flows - 1;
    const auto after = ranges_.upper_bound(last);
    if (after != ranges_.begin()) {
      const auto& [begin, taken] = *std::prev(after);
      if (begin + taken->destination.flows - 1 >= first) return taken;
    }
    ranges_.emplace(first, &wanted);
    return nullptr;
  }

  void give_back(const Found& taken) { ranges_.erase(*taken.destination.source_port); }

 private:
  std::map<std::uint32_t, const Found*> ranges_;
};

class Selector {
 public:
  /// Whoever is in the way, and why.
  struct Obstacle {
    LeftOut reason;
    const Found* found;
  };

  std::optional<Obstacle> take(const Found& wanted) {
    const Destination& destination = wanted.destination;
    if (const Found* const first = other_of_address(destination)) return Obstacle{LeftOut::duplicate, first};
    const auto [same, is_new] = names_.emplace(destination.name, &wanted);
    if (!is_new) return Obstacle{LeftOut::duplicate, same->second};
    if (!destination.source_port) {
      names_of_addresses_.add(wanted);
      return std::nullopt;
    }
    PortsInUse* taken = nullptr;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      if (!may_be(destination, family)) continue;
      PortsInUse& ports = ports_[{destination.protocol, family, same_host(destination)}];
      if (const Found* const first = ports.take(wanted)) {
        if (taken != nullptr) taken->give_back(wanted);
        names_.erase(same);
        return Obstacle{LeftOut::overlap, first};
      }
      taken = &ports;
    }
    names_of_addresses_.add(wanted);
    return std::nullopt;
  }

 private:
  /// One that has a name that `wanted` may give one of its addresses, or may give such an address the name of `wanted`.
  [[nodiscard]] const Found* other_of_address(const Destination& wanted) const {
    return wanted.all ? names_of_addresses_.named(wanted.name) : names_of_addresses_.giver(wanted.name);
  }

  std::unordered_map<std::string_view, const Found*> names_;
  NamesOfAddresses<Found> names_of_addresses_;
  std::map<std::tuple<Protocol, Family, std::string>, PortsInUse> ports_;
};

std::string describe(const Found& wanted, const Found& first, LeftOut reason) {
  if (reason == LeftOut::duplicate) {
    return fmt::format("{}: left out: the destination of {} has the name {} already", wanted.origin, first.origin,
                       in_quotes(wanted.destination.name));
  }
  return fmt::format("{}: left out: the source ports of {} overlap with those of {} of {}: same host, both {}",
                     wanted.origin, in_quotes(wanted.destination.name), in_quotes(first.destination.name), first.origin,
                     protocol_name(wanted.destination.protocol));
}

}  // namespace

std::string_view to_string(LeftOut reason) {
  constexpr auto kNames = std::to_array<std::string_view>({"duplicate", "overlap", "limit"});
  return name_at(kNames, reason);
}

Selection select_destinations(std::span<const std::vector<Found>* const> sources, const Shard& shard,
                              const Limits& limits) {
  Selection selection;
  std::size_t told = 0;
  const auto leave_out = [&](LeftOut reason) { ++selection.left_out[static_cast<std::size_t>(reason)]; };
  Selector selector;
  for (const std::vector<Found>* source : sources) {
    for (const Found& found : *source) {
      if (const auto obstacle = selector.take(found)) {
        leave_out(obstacle->reason);
        if (told++ < kMostProblems) selection.problems.push_back(describe(found, *obstacle->found, obstacle->reason));
      } else if (shard.count > 1 && shard_of(found.destination.name, shard.count) != shard.index) {
        ++selection.elsewhere;
      } else if (selection.found.size() >= limits.max_destinations) {
        leave_out(LeftOut::limit);
      } else {
        selection.found.push_back(found);
      }
    }
  }
  if (told > kMostProblems) {
    selection.problems.push_back(fmt::format("... and more: {} destinations are left out", told));
  }
  if (const auto over = selection.left_out[static_cast<std::size_t>(LeftOut::limit)]; over > 0) {
    selection.problems.push_back(
        fmt::format("{} destinations are left out: max_destinations of [limits] is {}", over, limits.max_destinations));
  }
  return selection;
}

}  // namespace ecmp::config
