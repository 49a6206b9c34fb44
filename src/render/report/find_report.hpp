#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "path/model/snapshot.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// Where the loss of some flows begins: between two responders of consecutive hops known.
struct BadLink {
  std::uint8_t ttl = 0;                 ///< of `to`
  IpAddress from;                       ///< unspecified: at this host
  IpAddress to;                         ///< unspecified: behind `from`, nobody answers
  std::vector<std::uint16_t> crossing;  ///< source ports of the flows whose loss begins there
};

/// The links that the loss of paths begins at, the one with most flows first. The only place where the report asks
/// where loss is.
std::vector<BadLink> bad_links(const DestinationSnapshot& snapshot);

/// Whether there is no more to wait for: a flow has lost `kClearLosses` probes at least, and some flow none of so many
/// that it would have lost one with a probability of 99 %, were it as bad as the worst.
inline constexpr std::uint64_t kClearLosses = 10;
bool loss_is_clear(const DestinationTally& tally);

/// The link where loss begins, the flows that lose and some that do not, with what speaks for it, and for each the
/// commands that send the same way: hops hash the same addresses, protocol and ports, whoever sends them. The snapshot
/// may be null: then no link is told.
void append_find_report(std::string& out, const DestinationFacts& facts, const DestinationTally& tally,
                        const DestinationSnapshot* snapshot, const HopNames& names);

/// Commands, one a line without its end, that send on the 5-tuple of a flow: what iperf3, curl and hping3 are able to
/// send of it.
std::vector<std::string> flow_commands(const DestinationFacts& facts, std::uint16_t source_port,
                                       const IpAddress& source);

}  // namespace ecmp::render
