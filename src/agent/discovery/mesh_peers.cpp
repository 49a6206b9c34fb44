#include "agent/discovery/mesh_peers.hpp"

#include <algorithm>
#include <utility>

#include "agent/log.hpp"
#include "net/routing/own_addresses.hpp"

namespace ecmp {
namespace {

// A group of pods changes within seconds; a record that lives for a day would keep an agent that moved for as long.
constexpr Duration kLeastRefresh = std::chrono::seconds(5);
constexpr Duration kMostRefresh = std::chrono::minutes(5);
constexpr Duration kOfHostsFile = std::chrono::minutes(1);
constexpr Duration kRetry = std::chrono::seconds(5);
constexpr Duration kLongestRetry = std::chrono::minutes(1);
constexpr Duration kLookAtOwn = std::chrono::seconds(30);
/// For a queue of look-ups that is full.
constexpr Duration kSoon = std::chrono::seconds(1);

/// Answers come in changing order: an address that was the best one stays so while it is there.
std::vector<IpAddress> in_known_order(const std::vector<IpAddress>& before, std::vector<IpAddress> now) {
  const auto rank = [&before](const IpAddress& address) { return std::ranges::find(before, address) - before.begin(); };
  std::ranges::stable_sort(now, {}, rank);
  return now;
}

}  // namespace

bool MeshPeers::may_ask() {
  if (resolver_ != nullptr) return true;
  if (!wake_ || names_.empty() || failed_) return false;
  net::ResolverOptions options;
  options.warn = [](const std::string& problem) { log::warn(problem); };
  auto resolver = net::Resolver::make(std::move(options), wake_);
  if (!resolver.ok()) {
    failed_ = true;
    log::error("names of agents are not looked up", {{"problem", resolver.error()}});
    return false;
  }
  resolver_ = std::move(*resolver);
  return true;
}

void MeshPeers::want(std::span<const config::Found> peers, std::optional<Duration> refresh) {
  refresh_ = refresh;
  peers_ = peers.size();
  std::map<std::string, Name, std::less<>> wanted;
  for (const config::Found& peer : peers) {
    if (peer.destination.address) continue;
    const auto known = names_.find(peer.destination.host);
    wanted.emplace(peer.destination.host, known == names_.end() ? Name{} : known->second);
  }
  names_ = std::move(wanted);
  std::erase_if(known_, [this](const auto& entry) { return !names_.contains(entry.first); });
  if (peers_ > 0 && own_.empty()) own_ = net::own_addresses();
}

bool MeshPeers::refresh(Clock::time_point now) {
  bool changed = peers_ > 0 && look_at_own(now);
  if (!may_ask()) return changed;
  for (const net::AddressAnswer& answer : resolver_->take_answers().addresses)
    changed = take(answer, now) || changed;
  for (auto& [host, name] : names_) {
    if (name.asked || name.ask_at > now) continue;
    name.asked = resolver_->request_addresses(host, FamilyChoice::any);
    if (!name.asked) name.ask_at = now + kSoon;
  }
  return changed;
}

bool MeshPeers::look_at_own(Clock::time_point now) {
  if (now < own_at_) return false;
  own_at_ = now + kLookAtOwn;
  auto own = net::own_addresses();
  if (own.empty() || own == own_) return false;
  own_ = std::move(own);
  return true;
}

bool MeshPeers::take(const net::AddressAnswer& answer, Clock::time_point now) {
  const auto found = names_.find(answer.name);
  if (found == names_.end()) return false;
  Name& name = found->second;
  name.asked = false;
  if (answer.failure != net::DnsFailure::none) {
    ++failures_;
    constexpr std::uint32_t kMostDoublings = 5;
    name.ask_at = now + std::min<Duration>(kRetry * (1 << std::min(name.failures++, kMostDoublings)), kLongestRetry);
    if (!std::exchange(name.failing, true))
      log::warn("cannot resolve an agent of the mesh", {{"peer", answer.name}, {"problem", to_string(answer.failure)}});
    return known_.try_emplace(answer.name).second;
  }
  name.failing = false;
  name.failures = 0;
  const Duration ttl = answer.ttl == Duration(0) ? kOfHostsFile : std::clamp(answer.ttl, kLeastRefresh, kMostRefresh);
  name.ask_at = now + refresh_.value_or(ttl);
  std::vector<IpAddress>& addresses = known_[answer.name];
  auto next = in_known_order(addresses, answer.addresses);
  if (next == addresses) return false;
  addresses = std::move(next);
  return true;
}

MeshPeers::Clock::time_point MeshPeers::next_look() const {
  auto next = peers_ > 0 ? own_at_ : Clock::time_point::max();
  if (!wake_ || failed_) return next;
  for (const auto& [host, name] : names_)
    if (!name.asked) next = std::min(next, name.ask_at);
  return next;
}

std::optional<SourceReport> MeshPeers::report() const {
  if (peers_ == 0) return std::nullopt;
  const bool up = std::ranges::none_of(names_, [](const auto& entry) { return entry.second.failing; });
  return SourceReport{"mesh", up, failures_, peers_};
}

}  // namespace ecmp
