#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/five_tuple.hpp"
#include "packet/message.hpp"
#include "packet/source_ports.hpp"
#include "path/model/change.hpp"
#include "path/model/unjudged.hpp"
#include "path/oneway/oneway_snapshot.hpp"
#include "path/search/search_progress.hpp"
#include "path/statistics/statistics.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// What the configuration says of a destination, shared by everything that tells of it.
struct DestinationFacts {
  std::string name;
  std::string host;  ///< as configured: an address or a name
  IpAddress address;
  Protocol protocol{};
  bool stamp = false;      ///< UDP, with a stream of STAMP packets for each flow
  std::uint16_t port = 0;  ///< 0 for ICMP
  SourcePorts source_ports;
  std::uint16_t flows = 0;  ///< source ports that it has
  /// The flows that are probed all the time, by index and rising; null: all of them. Of the others nothing is told.
  std::shared_ptr<const std::vector<std::uint16_t>> steady;
  Duration interval{};
  std::uint32_t expected_paths = 0;                         ///< as configured; 0: not known
  std::vector<std::pair<std::string, std::string>> labels;  ///< the user's, sorted by name
};

/// Whether a flow is probed all the time.
bool is_steady(const DestinationFacts& facts, std::uint32_t flow_index);

/// Rounds that say nothing about the network, since their destination limits its answers or may do so.
struct UnjudgedCounters {
  std::uint64_t suppressed = 0;
  std::uint64_t left_out = 0;
  std::uint64_t undecided = 0;

  void count(EndToEnd outcome) {
    if (outcome == EndToEnd::suppressed) ++suppressed;
    if (outcome == EndToEnd::left_out) ++left_out;
    if (outcome == EndToEnd::undecided) ++undecided;
  }
  UnjudgedCounters& operator+=(const UnjudgedCounters& more) {
    suppressed += more.suppressed;
    left_out += more.left_out;
    undecided += more.undecided;
    return *this;
  }
  [[nodiscard]] std::uint64_t all() const { return suppressed + left_out + undecided; }
};

/// Probes finished and how they ended; only ever grows.
struct HopCounters {
  std::uint64_t probes = 0;  ///< answered or timed out; those that never left this host are not in
  std::uint64_t replies = 0;
  std::uint64_t losses = 0;
  std::uint64_t silences = 0;

  HopCounters& operator+=(const HopCounters& more) {
    probes += more.probes;
    replies += more.replies;
    losses += more.losses;
    silences += more.silences;
    return *this;
  }
};

/// How the newest reply of a responder came.
struct NewestReply {
  packet::ReplyKind kind = packet::ReplyKind::none;
  std::uint8_t reply_ttl = 0;   ///< TTL it arrived with
  std::uint8_t quoted_ttl = 0;  ///< TTL inside the quote, if it has one
};

struct HopSnapshot {
  std::uint8_t ttl = 0;
  IpAddress responder;
  NewestReply newest;  ///< here it costs nothing: there would be a gap
  HopCounters counters;
  packet::KeptMpls mpls;  ///< labels and other notes of its newest reply
  /// RTT, jitter and loss ratio of the probes at this hop. Null if made by hand: nothing observed. When the model keeps
  /// no histograms of hops they are empty, but the window is there.
  std::shared_ptr<const Statistics> statistics;
  /// Found out by pacing, or by what is answered behind it (see icmp_limit.hpp).
  Limiting limiting = Limiting::none;
  WallTime began{};  ///< when all that is counted of it was 0, and so below; never moves. WallTime{}: not known
};

struct PathSnapshot {
  std::uint32_t id = 0;       ///< written as 8 hex digits
  std::uint32_t ordinal = 0;  ///< small number, from 1, given in the order of appearance within the destination
  std::uint8_t length = 0;    ///< hops, the destination included
  bool complete = false;      ///< the destination has been reached over it
  std::uint32_t flows = 0;    ///< on it now
  std::uint64_t probes = 0;   ///< end to end
  std::uint64_t replies = 0;
  UnjudgedCounters unjudged;
  std::shared_ptr<const Statistics> statistics;  ///< end to end; null if made by hand: nothing observed
  std::vector<HopSnapshot>
      hops;  ///< those whose responder is known, by TTL; more than one for a TTL balanced per packet
  WallTime began{};
};

struct FlowSnapshot {
  std::uint16_t source_port = 0;
  IpAddress source;          ///< unspecified while there is no route
  std::uint64_t probes = 0;  ///< end to end
  std::uint64_t replies = 0;
  UnjudgedCounters unjudged;
  std::uint32_t path = 0;     ///< 0: none yet
  std::uint32_t ordinal = 0;  ///< 0: none yet
  std::array<std::uint64_t, static_cast<std::size_t>(ChangeKind::count_)> changes{};
  WallTime began{};
};

/// Two consecutive responders and the flows between them now.
struct LinkSnapshot {
  std::uint8_t ttl = 0;  ///< of `to`
  IpAddress from;
  IpAddress to;
  std::uint32_t flows = 0;
};

/// Refusals by routers on the way, or by the destination other than "port unreachable".
struct UnreachableSnapshot {
  packet::ReplyKind reply = packet::ReplyKind::none;
  IpAddress from;
  std::uint64_t count = 0;
  WallTime began{};
};

/// Everything told about one destination, at one moment. Never changes once it is made: readers share it.
struct DestinationSnapshot {
  std::shared_ptr<const DestinationFacts> facts;
  bool measured = false;               ///< `up` is the network's answer
  bool up = false;                     ///< any flow reached it in its newest round that was judged
  Unjudged unjudged = Unjudged::none;  ///< why no newest round of a flow was judged
  std::vector<FlowSnapshot> flows;
  std::vector<PathSnapshot> paths;
  std::vector<LinkSnapshot> links;
  std::vector<UnreachableSnapshot> unreachables;
  WallTime began{};
  std::uint32_t paths_in_use = 0;
  std::uint64_t paths_refused = 0;  ///< times a path was not told, since max_paths was reached
  /// Chance that the flows hide no path: see FlowGraph::coverage(). Left out while nobody has answered.
  std::optional<double> coverage;
  std::shared_ptr<const OnewaySnapshot> oneway;  ///< of destinations with STAMP streams; null: it has none
  std::shared_ptr<const SearchProgress> search;  ///< of `flows = "auto"`; null: their number is fixed
};

}  // namespace ecmp
