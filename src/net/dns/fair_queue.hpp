#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace ecmp::net {

/// Things that wait, in zones that take turns: next comes one of the zone that has the fewest under way, and of those
/// the one whose turn was the longest ago. So a zone whose things take long holds up no other.
template <typename Item>
class FairQueue {
 public:
  void push(const std::string& zone, Item item) {
    Zone& known = zones_[zone];
    if (!known.waiting.empty()) ready_.erase(rank(zone, known));
    known.waiting.push_back(std::move(item));
    ready_.insert(rank(zone, known));
    ++waiting_;
  }

  /// It is under way from here to done(). Nullopt: nothing waits.
  std::optional<Item> pop() {
    if (ready_.empty()) return std::nullopt;
    const std::string zone = std::get<2>(*ready_.begin());
    ready_.erase(ready_.begin());
    Zone& known = zones_[zone];
    std::optional<Item> item(std::move(known.waiting.front()));
    known.waiting.pop_front();
    --waiting_;
    ++known.under_way;
    ++under_way_;
    known.turn = ++turns_;
    if (!known.waiting.empty()) ready_.insert(rank(zone, known));
    return item;
  }

  /// One of this zone is over.
  void done(const std::string& zone) {
    const auto known = zones_.find(zone);
    if (known == zones_.end() || known->second.under_way == 0) return;
    if (!known->second.waiting.empty()) ready_.erase(rank(zone, known->second));
    --known->second.under_way;
    --under_way_;
    if (!known->second.waiting.empty()) {
      ready_.insert(rank(zone, known->second));
    } else if (known->second.under_way == 0) {
      zones_.erase(known);
    }
  }

  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  [[nodiscard]] std::size_t under_way() const { return under_way_; }

 private:
  struct Zone {
    std::deque<Item> waiting;
    std::size_t under_way = 0;
    std::uint64_t turn = 0;
  };
  using Rank = std::tuple<std::size_t, std::uint64_t, std::string>;

  static Rank rank(const std::string& zone, const Zone& known) { return {known.under_way, known.turn, zone}; }

  std::map<std::string, Zone> zones_;  ///< those with anything waiting or under way
  std::set<Rank> ready_;               ///< those with anything waiting
  std::size_t waiting_ = 0;
  std::size_t under_way_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace ecmp::net
