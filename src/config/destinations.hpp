#pragma once

#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/probe_keys.hpp"

namespace ecmp::config {

/// A destination with what the checks across destinations must know beside its values.
struct PlacedDestination {
  Destination destination;
  Position where;
  Position name_where;          ///< of the name, or of the host that stands for it
  std::string_view name_text;   ///< as written
  bool named = false;           ///< has a name of its own
  Position ports_where;         ///< what to point at when its source ports are in the way
  bool identity_known = false;  ///< host, protocol, flows and source_port are all right
};

/// What the names of agents of a mesh begin with, where none is configured.
inline constexpr std::string_view kMeshName = "mesh-";

/// Of its protocol, where none is configured.
std::uint16_t usual_port(const Destination& destination);

/// Reads every [[destination]] by `read`, which fills in defaults and checks it by itself, and checks all against each
/// other.
std::vector<PlacedDestination> read_destinations(
    TableReader& root, const std::function<PlacedDestination(const Node& table, Problems& problems)>& read);

/// Reads one, and checks it by itself. `table` holds a Node::Table. `mesh`: it is an agent of [mesh], whose keys are
/// the defaults.
PlacedDestination read_destination(const Node& table, const ProbeKeys& defaults, const Limits& limits,
                                   Problems& problems, bool mesh = false);

/// What both of two destinations must have for their flows to be mistaken for each other's. A host name is compared as
/// DNS does: without regard to case and to a final dot.
std::string same_host(const Destination& destination);
/// "a" of "a/192.0.2.1", the name that an address gets of a destination with all = true; empty: no such name.
std::string_view name_before_address(std::string_view name);

/// With all = true each address is a destination NAME/ADDRESS, known when the name is looked up: no other destination
/// may have such a name. `Placed` has a member `destination`, and outlives this.
template <typename Placed>
class NamesOfAddresses {
 public:
  void add(const Placed& one) {
    const std::string_view name = one.destination.name;
    if (one.destination.all) with_all_.emplace(name, &one);
    if (const std::string_view before = name_before_address(name); !before.empty()) named_.emplace(before, &one);
  }
  /// The first that may give one of its addresses that name; null: none.
  [[nodiscard]] const Placed* giver(std::string_view name) const {
    const std::string_view before = name_before_address(name);
    return before.empty() ? nullptr : at(with_all_, before);
  }
  /// The first whose name a destination with all = true and the name `name` may give one of its addresses; null: none.
  [[nodiscard]] const Placed* named(std::string_view name) const { return at(named_, name); }

 private:
  using ByName = std::unordered_map<std::string_view, const Placed*>;
  static const Placed* at(const ByName& map, std::string_view name) {
    const auto found = map.find(name);
    return found != map.end() ? found->second : nullptr;
  }

  ByName with_all_;
  ByName named_;  ///< by what is before the address
};

bool may_be(const Destination& destination, Family family);

/// Duplicate names, and flows that could not tell their replies apart.
void check_against_each_other(const std::vector<PlacedDestination>& destinations, Problems& problems);

}  // namespace ecmp::config
