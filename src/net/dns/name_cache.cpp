#include "net/dns/name_cache.hpp"

#include <algorithm>

namespace ecmp::net {

NameTable::NameTable() {
  const auto empty = std::make_shared<const Part>();
  parts_.fill(empty);
}

std::string_view NameTable::name(const IpAddress& address) const {
  const Part& part = *parts_[part_of(address)];
  const auto found = part.find(address);
  return found == part.end() ? std::string_view() : found->second;
}

std::size_t NameTable::part_of(const IpAddress& address) {
  // The middle bits: the lowest choose the bucket within a part.
  return (std::hash<IpAddress>()(address) >> 32) % kParts;
}

NameCache::NameCache(Limits limits) : limits_(limits), table_(std::make_shared<const NameTable>()) {}

void NameCache::want(const IpAddress& address, Instant now) {
  if (limits_.entries == 0) return;
  if (const auto known = entries_.find(address); known != entries_.end()) {
    uses_.splice(uses_.begin(), uses_, known->second.use);
    return;
  }
  if (entries_.size() >= limits_.entries) forget_oldest();
  uses_.push_front(address);
  entries_.emplace(address, Entry{now, uses_.begin()});
  due_.emplace(now, address);
}

std::vector<IpAddress> NameCache::take_due(Instant now, std::size_t at_most) {
  std::vector<IpAddress> taken;
  while (taken.size() < at_most && !due_.empty() && due_.begin()->first <= now) {
    const IpAddress address = due_.begin()->second;
    schedule(entries_.find(address), now + limits_.retry);
    taken.push_back(address);
    if (limits_.retry <= Duration::zero()) break;  // it is due again already: do not turn for ever
  }
  return taken;
}

void NameCache::learn(const IpAddress& address, std::string name, Duration ttl, Instant now) {
  const auto entry = entries_.find(address);
  if (entry == entries_.end()) return;
  schedule(entry, now + limits_.refresh.value_or(std::clamp(ttl, limits_.shortest, limits_.longest)));
  rename(address, std::move(name));
}

void NameCache::learn_none(const IpAddress& address, Instant now) {
  const auto entry = entries_.find(address);
  if (entry == entries_.end()) return;
  schedule(entry, now + limits_.refresh.value_or(limits_.no_name));
  rename(address, {});
}

void NameCache::learn_failure(const IpAddress& address, Instant now) {
  const auto entry = entries_.find(address);
  if (entry != entries_.end()) schedule(entry, now + limits_.retry);
}

std::shared_ptr<const NameTable> NameCache::table() {
  if (std::ranges::find(changed_, true) == changed_.end()) return table_;
  auto next = std::make_shared<NameTable>(*table_);
  for (std::size_t part = 0; part < NameTable::kParts; ++part) {
    if (std::exchange(changed_[part], false))
      next->parts_[part] = std::make_shared<const NameTable::Part>(named_[part]);
  }
  table_ = std::move(next);
  return table_;
}

void NameCache::schedule(Entries::iterator entry, Instant due) {
  due_.erase({entry->second.due, entry->first});
  entry->second.due = due;
  due_.emplace(due, entry->first);
}

void NameCache::rename(const IpAddress& address, std::string name) {
  const std::size_t index = NameTable::part_of(address);
  NameTable::Part& part = named_[index];
  const auto known = part.find(address);
  if (known == part.end() ? name.empty() : known->second == name) return;
  changed_[index] = true;
  if (name.empty()) {
    part.erase(known);
  } else {
    part.insert_or_assign(address, std::move(name));
  }
}

void NameCache::forget_oldest() {
  const auto entry = entries_.find(uses_.back());
  rename(entry->first, {});
  due_.erase({entry->second.due, entry->first});
  uses_.pop_back();
  entries_.erase(entry);
}

}  // namespace ecmp::net
