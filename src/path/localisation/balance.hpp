#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// How a destination's flows are spread over the next hops of one responder, against an even spread. What weights are
/// configured is not known: an uneven spread may be meant.
struct Branching {
  struct NextHop {
    IpAddress address;
    std::uint32_t flows = 0;
  };

  std::uint8_t ttl = 0;  ///< of the responder; 0: the agent
  IpAddress at;
  std::vector<NextHop> next_hops;  ///< by address; two or more
  double chi_square = 0;
  double p_value = 1;    ///< of a spread at least so uneven by chance
  bool decided = false;  ///< there are flows enough for a verdict: five for each next hop
  bool uneven = false;
};

/// How two responders that the same flows pass choose among their next hops. Where the later one computes the hash that
/// the earlier one did, its choice is known already, and of the pairs of choices only some are ever used.
struct Polarisation {
  std::uint8_t first_ttl = 0;
  IpAddress first;
  std::uint8_t second_ttl = 0;
  IpAddress second;
  std::uint32_t flows = 0;  ///< over both
  std::uint32_t pairs = 0;  ///< of next hops, in use
  std::uint32_t possible = 0;
  double expected = 0;  ///< pairs in use if the choices were independent
  double p_value = 1;   ///< of choices so dependent by chance
  bool polarised = false;
};

struct Balance {
  std::vector<Branching> branchings;        ///< by TTL and address
  std::vector<Polarisation> polarisations;  ///< of pairs that can be judged; polarised or not
};

/// How the flows of a destination are spread now. Only responders that answer at consecutive TTLs count: who is behind
/// a silent hop may have been chosen by another one. At most kMostBranchings of them, from the agent on.
///
/// Polarisation shows where one responder spreads flows that another one has spread before. In a mesh without such a
/// responder (every branch with next hops of its own) it looks like less wires, and is not told.
Balance balance_of(const DestinationSnapshot& snapshot);

inline constexpr std::size_t kMostBranchings = 64;

}  // namespace ecmp
