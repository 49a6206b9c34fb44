#pragma once

#include <string>
#include <vector>

#include "path/model/snapshot.hpp"

namespace ecmp::render::test {

/// A path to be made: hops by TTL as texts of addresses, "" for an unknown one and "a b" for one that packets alternate
/// over. The last is the destination's, unless the path never reached it.
struct MadePath {
  std::vector<std::string> hops;
  std::uint32_t flows = 1;
  bool complete = true;
  std::uint64_t probes = 1000;             ///< end to end
  std::uint64_t losses = 0;                ///< of these
  std::vector<std::uint64_t> missed = {};  ///< by hop, of as many probes; left out: none
};

/// With `pathless` flows that have no path. Flows are numbered in the order of the paths, each path having every n-th.
DestinationSnapshot made_fan(const std::vector<MadePath>& paths, std::uint32_t pathless = 0);

/// Branches b1..bn between two routers, two flows on each: 10.0.0.1 - 10.1.0.1..n - 10.0.0.2 - 192.0.2.1.
std::vector<MadePath> plain_branches(std::uint32_t count);

}  // namespace ecmp::render::test
