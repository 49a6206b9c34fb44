#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/discovery.hpp"
#include "config/probe_keys.hpp"

namespace ecmp::config {

/// Reads [mesh], after [reflector], which it completes: the port that agents are asked at, their key, and that nobody
/// else is answered.
void read_mesh(TableReader& root, const ProbeKeys& probe, Config& config, std::string_view file);

/// What is known of hosts: their addresses, the best first, or none, which is a name that could not be resolved. Hosts
/// that have not been asked for yet are not in it.
using HostAddresses = std::map<std::string, std::vector<IpAddress>, std::less<>>;

/// What agents come to.
struct MeshPlan {
  std::vector<Found> found;           ///< a destination for each, with its address; of names that failed, with its name
  std::vector<Network> allow;         ///< addresses of all of them, each once
  std::vector<std::string> problems;  ///< one line each
};

/// `peers` are those of the configuration and of [discovery]; this host, which has the addresses `own`, is left out.
/// A host of several addresses is measured over the best one of its family and answered at all. Of two names for one
/// agent the second one is left out.
MeshPlan plan_mesh(std::span<const Found> peers, const HostAddresses& known, std::span<const IpAddress> own,
                   const Mesh& mesh);

}  // namespace ecmp::config
