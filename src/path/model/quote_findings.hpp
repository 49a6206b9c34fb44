#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "packet/message.hpp"
#include "path/model/snapshot.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// What the replies of hops give away about the way, beyond who answered.
enum class FindingKind : std::uint8_t {
  nat,       ///< from here on our datagrams are quoted with another source address or a shifted checksum, or no longer
  sequence,  ///< the same of TCP sequence numbers: a firewall makes up its own
  dscp,      ///< from here on it is quoted with another DSCP than before
  ecn,       ///< the same of the ECN bits
  quoted_ttl,   ///< a TTL that had run out is quoted as more than 1: manipulated, or counted down inside a tunnel
  return_path,  ///< from here on replies take another number of hops than probes
  mtu,          ///< the next link takes no larger datagrams than this
  interface,    ///< what the responder says of its interfaces (RFC 5837)
  count_
};
/// "nat", "sequence", "dscp", "ecn", "quoted_ttl", "return_path", "mtu", "interface".
std::string_view to_string(FindingKind kind);

/// What is to be known of one hop to find something.
struct HopEvidence {
  std::uint8_t ttl = 0;
  IpAddress responder;
  NewestReply newest;
  const packet::ReplyNotes* notes = nullptr;
};

struct Finding {
  FindingKind kind{};
  std::uint32_t hop = 0;  ///< which of the hops that were looked at
  IpAddress behind;       ///< the last hop where it was not so: it happens between the two. Unspecified: none answered
  std::uint32_t before = 0;  ///< DSCP, ECN bits, or hops there
  std::uint32_t now = 0;     ///< DSCP, ECN bits, quoted TTL, MTU, or hops back
  std::string detail;        ///< for people and labels, as "46 to 0"; printable ASCII
};

/// By TTL (several hops may have the same, behind a balancer that goes packet by packet), what they give away. A change
/// is told once, at the first hop that shows it: whoever made it stands before that hop, or is it. Hops whose replies
/// quote nothing are passed over.
std::vector<Finding> findings_of(std::span<const HopEvidence> hops);

/// The same of a round; Finding::hop counts its hops. Quick where replies say nothing remarkable.
std::vector<Finding> findings_of(const Round& round);

HopEvidence evidence_of(const HopSnapshot& hop);
/// For a hop that did not answer there is none: its reply is of kind none.
HopEvidence evidence_of(const HopResult& hop);

/// Hops that a reply has come back over, from the TTL it arrived with, which began as 32, 64, 128 or 255; the responder
/// counts as one. 0 if there is no telling.
std::uint8_t hops_back(std::uint8_t reply_ttl);

}  // namespace ecmp
