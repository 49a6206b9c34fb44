#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace ecmp::net {

/// The names of many addresses at one moment. Never changes once it is made: any number of threads read it without a
/// lock. It is in parts, so that a new one shares all but what has changed with the one before.
class NameTable {
 public:
  NameTable();

  /// Empty for an address without a (known) name. Valid as long as the table.
  [[nodiscard]] std::string_view name(const IpAddress& address) const;

 private:
  friend class NameCache;
  static constexpr std::size_t kParts = 64;
  using Part = std::unordered_map<IpAddress, std::string>;
  static std::size_t part_of(const IpAddress& address);

  std::array<std::shared_ptr<const Part>, kParts> parts_;
};

/// Which reverse names are known, and which look-ups are due. Pure: time is an argument. One thread writes; others
/// read the table it hands out.
///
/// A name stays while it is looked up again, and while the servers do not answer; it goes when they say that there is
/// none, or when nobody has wanted it for so long that the room is needed.
class NameCache {
 public:
  struct Limits {
    std::size_t entries = 65536;
    std::optional<Duration> refresh = std::nullopt;  ///< fixed; nullopt: as the record's TTL says, within:
    Duration shortest = std::chrono::seconds(60);
    Duration longest = std::chrono::hours(24);
    Duration no_name = std::chrono::hours(1);   ///< until an address without a name is asked for again
    Duration retry = std::chrono::seconds(60);  ///< after a failure, or an answer that never came
  };

  explicit NameCache(Limits limits);

  /// For names that are learnt from now on.
  void set_refresh(std::optional<Duration> refresh) { limits_.refresh = refresh; }

  /// Somebody shows this address: remember it, and look it up when that is due.
  void want(const IpAddress& address, Instant now);

  /// Look-ups to ask for now, the longest due first; each is not due again before `retry` is over.
  std::vector<IpAddress> take_due(Instant now, std::size_t at_most);

  /// An answer; those to addresses forgotten meanwhile are dropped. `name` is not empty.
  void learn(const IpAddress& address, std::string name, Duration ttl, Instant now);
  /// The servers say that it has none.
  void learn_none(const IpAddress& address, Instant now);
  /// They say nothing, or nonsense: what is known stays.
  void learn_failure(const IpAddress& address, Instant now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  /// The names known now. Copies only the parts that have changed since the last call.
  std::shared_ptr<const NameTable> table();

 private:
  struct Entry {
    Instant due;
    std::list<IpAddress>::iterator use;
  };
  using Entries = std::unordered_map<IpAddress, Entry>;

  void schedule(Entries::iterator entry, Instant due);
  void rename(const IpAddress& address, std::string name);
  void forget_oldest();

  Limits limits_;
  Entries entries_;
  std::list<IpAddress> uses_;                             ///< most recent first
  std::set<std::pair<Instant, IpAddress>> due_;           ///< every entry once
  std::array<NameTable::Part, NameTable::kParts> named_;  ///< those with a name; what the next table will hold
  std::array<bool, NameTable::kParts> changed_{};
  std::shared_ptr<const NameTable> table_;
};

}  // namespace ecmp::net
