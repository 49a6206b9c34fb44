#include "config/mesh.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "config/destinations.hpp"
#include "config/text.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::config {

namespace {

class MeshPlanner {
 public:
  MeshPlanner(const HostAddresses& known, std::span<const IpAddress> own, const Mesh& mesh)
      : known_(known), own_(own), mesh_(mesh) {}

  void add(const Found& peer) {
    const Destination& wanted = peer.destination;
    if (wanted.address) {
      add_agent(peer, {*wanted.address});
      return;
    }
    const auto found = known_.find(wanted.host);
    if (found == known_.end()) return;
    if (!wanted.all) {
      add_agent(peer, found->second);
      return;
    }
    for (const IpAddress& address : found->second)
      if (measurable(wanted, address)) add_of_group(peer, address);
  }

  MeshPlan finish() {
    std::ranges::sort(allowed_);
    const auto again = std::ranges::unique(allowed_);
    allowed_.erase(again.begin(), again.end());
    for (const IpAddress& address : allowed_)
      if (const auto network = Network::parse(address.to_string())) plan_.allow.push_back(*network);
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool is_own(const IpAddress& address) const {
    return address.is_loopback() || std::ranges::find(own_, address) != own_.end();
  }

  static bool measurable(const Destination& wanted, const IpAddress& address) {
    return may_be(wanted, address.family()) && !address.is_unspecified() && !address.is_multicast() &&
           !address.is_link_local();
  }

  void add_agent(const Found& peer, const std::vector<IpAddress>& addresses) {
    if (std::ranges::any_of(addresses, [this](const IpAddress& address) { return is_own(address); })) return;
    allowed_.insert(allowed_.end(), addresses.begin(), addresses.end());
    for (const IpAddress& address : addresses) {
      const auto [taken, is_new] = by_address_.try_emplace(address, &peer);
      if (is_new || taken->second == &peer) continue;
      if (!taken->second->destination.all) {
        plan_.problems.push_back(fmt::format("{}: left out: {} is the agent {} of {} already: both have {}",
                                             peer.origin, in_quotes(peer.destination.name),
                                             in_quotes(taken->second->destination.name), taken->second->origin,
                                             address.to_string()));
      }
      return;
    }
    const auto best = std::ranges::find_if(
        addresses, [&peer](const IpAddress& address) { return measurable(peer.destination, address); });
    Found found = with_key(peer);
    if (best != addresses.end()) place(found.destination, *best);
    plan_.found.push_back(std::move(found));
  }

  void add_of_group(const Found& group, const IpAddress& address) {
    if (is_own(address)) return;
    allowed_.push_back(address);
    if (!by_address_.try_emplace(address, &group).second) return;
    Found found = with_key(group);
    Destination& made = found.destination;
    made.all = false;
    const bool named = made.name != std::string(kMeshName) + made.host;
    made.name = (named ? made.name + "/" : std::string(kMeshName)) + address.to_string();
    place(made, address);
    plan_.found.push_back(std::move(found));
  }

  [[nodiscard]] Found with_key(const Found& peer) const {
    Found found = peer;
    if (found.destination.key_file == mesh_.probe.key_file) found.destination.key = mesh_.probe.key;
    return found;
  }

  static void place(Destination& made, const IpAddress& address) {
    made.address = address;
    made.host = address.to_string();
    const std::size_t least = packet::own_stamp_size(address.family(), !made.key_file.empty());
    made.packet_size = std::max(made.packet_size, static_cast<std::uint16_t>(least));
  }

  const HostAddresses& known_;
  std::span<const IpAddress> own_;
  const Mesh& mesh_;
  MeshPlan plan_;
  std::vector<IpAddress> allowed_;
  std::map<IpAddress, const Found*> by_address_;
};

}  // namespace

MeshPlan plan_mesh(std::span<const Found> peers, const HostAddresses& known, std::span<const IpAddress> own,
                   const Mesh& mesh) {
  MeshPlanner planner(known, own, mesh);
  for (const Found& peer : peers)
    planner.add(peer);
  return planner.finish();
}

}  // namespace ecmp::config
