#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// Hops behind a responder at which flows choose freely, whatever they chose at the hop before: as many next hops at
/// each, and any with any. That is a mesh in which each router links to each of the next; or a fan of branches behind a
/// responder that hashes the TTL as well, so that each probe of a flow goes over another branch, and the links that are
/// shown between these hops are not there. Their answers are the same.
struct Crosswise {
  std::uint8_t ttl = 0;  ///< of the responder; 0: the agent
  IpAddress at;
  std::uint8_t first_ttl = 0;  ///< the hops
  std::uint8_t last_ttl = 0;
  std::uint32_t width = 0;  ///< next hops at each
  std::uint32_t flows = 0;
  std::uint32_t pairs = 0;  ///< of next hops at the first two, in use: more than `width`
  double p_value = 1;       ///< of choices that depend so much on each other by chance
};

/// Those of the paths that flows are on now. Only what is beyond chance either way: enough flows, choices that do not
/// depend on each other. A linear hash of the TTL joins branches one to one and shows nothing here.
std::vector<Crosswise> crosswise_of(const DestinationSnapshot& snapshot);

}  // namespace ecmp
