#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/message.hpp"
#include "probe/transport.hpp"
#include "sim/half_open.hpp"
#include "sim/hash_functions.hpp"
#include "sim/random.hpp"

namespace ecmp::sim {

using NodeId = std::uint16_t;
/// A link in one direction. Links come in pairs: `link ^ 1` is the same cable the other way round.
using LinkId = std::uint16_t;
inline constexpr std::uint16_t kNone = 0xffff;

enum class NodeKind : std::uint8_t { agent, router, destination };

/// An address per family; unspecified where the node does not speak it.
struct Addresses {
  IpAddress v4;
  IpAddress v6 = IpAddress::v6(std::array<std::uint8_t, 16>{});
  [[nodiscard]] const IpAddress& of(Family family) const { return family == Family::ipv4 ? v4 : v6; }
  void set(const IpAddress& address) { (address.is_v4() ? v4 : v6) = address; }
};

/// What a router with several next hops looks at.
enum class HashPolicy : std::uint8_t {
  l4,          ///< addresses, protocol and the first 4 transport bytes: ports, or ICMP's type, code and checksum
  l3,          ///< addresses and protocol
  flow_label,  ///< addresses, protocol and IPv6 flow label (RFC 6438); IPv4: as l3
  per_packet,  ///< nothing: every packet takes its chance
};

/// How much of the packet a NAT puts right again inside an ICMP error that passes back through it (RFC 5508).
enum class NatQuote : std::uint8_t {
  restored,       ///< everything: what Linux does
  checksum_left,  ///< source address and port, but not the transport checksum
  untouched,      ///< nothing
};

struct Nat {
  Addresses address;  ///< the source that packets leave with; a family without one is not translated
  std::uint16_t port_offset = 0;
  NatQuote quote = NatQuote::restored;
};

/// What a limit may concern.
enum class AnswerClass : std::uint8_t { time_exceeded, unreachable, echo, tcp };
inline constexpr std::size_t kAnswerClasses = 4;

/// How a node limits what it sends on its own behalf.
struct IcmpLimit {
  enum class Model : std::uint8_t {
    bucket,    ///< `rate` messages a second on average, `burst` of them at once
    window,    ///< the first `rate` of each second, give or take up to `jitter` drawn anew for each: FreeBSD
    collapse,  ///< messages of one kind that wait together become one: none for `queue` after another. macOS
  };
  Model model = Model::bucket;
  double rate = 0;
  double burst = 1;
  double jitter = 0;
  double others = 0;         ///< messages a second that other people's packets take away, on average
  Duration prober{};         ///< somebody else asks once in each, at a phase of their own; zero: nobody
  bool random_cost = false;  ///< a message costs 0, 1 or 2 tokens by chance: Linux's limit of the whole box
  bool each = false;         ///< every class has one of its own
  Duration queue{};
  std::array<bool, kAnswerClasses> concerns{true, true, true, false};  ///< by AnswerClass
};

/// What a destination does with what reaches one of its ports.
enum class PortState : std::uint8_t { closed, open, filtered };

struct PortPolicy {
  PortState others = PortState::closed;
  std::vector<std::pair<std::uint16_t, PortState>> listed;
  [[nodiscard]] PortState of(std::uint16_t port) const;
};

struct Node {
  // What every packet asks comes first, so that it shares a cache line.
  NodeKind kind = NodeKind::router;
  bool down = false;

  // Routers, and the agent as the first of them: where packets go.
  bool hidden = false;  ///< forwards like a cable: no TTL is taken off (a hop of a tunnel, or not there yet)
  bool black_hole = false;
  HashPolicy hash = HashPolicy::l4;
  std::optional<packet::ReplyKind> reject;  ///< answers all it should forward with this, a destination all that asks it
  std::optional<std::uint8_t> dscp;         ///< rewritten to
  std::optional<std::uint8_t> ecn;          ///< rewritten to, two bits
  std::optional<std::uint16_t> mtu;         ///< forwards nothing larger: "fragmentation needed" with this figure
  Probability drop;                         ///< of what is forwarded, probes only
  std::uint64_t hash_seed = 0;              ///< 0: the network chooses one
  HashFunction hash_function = HashFunction::ideal;
  bool hash_ttl = false;  ///< the TTL is hashed too, so that every probe of a round chooses anew
  Duration flowlet{};     ///< a flow that paused longer than this takes its chance again; zero: never

  /// The agent's kernel answers a SYN-ACK, or an ACK, of a connection that it does not know with a RST; false behind a
  /// firewall that drops what conntrack calls invalid.
  bool kernel_resets = true;

  // Routers and destinations: how they answer.
  bool silent = false;
  std::uint8_t reply_ttl = 64;
  std::optional<std::uint8_t> quoted_ttl;    ///< a wrong TTL in the quote
  std::optional<std::uint16_t> quote_bytes;  ///< transport bytes quoted on IPv4; left out: all that fits
  Probability reply_loss;
  std::optional<IcmpLimit> icmp_limit;
  std::string box;  ///< nodes with the same one are one machine, whose limit they share; empty: a machine of its own
  Delay processing;
  Addresses addresses;
  std::vector<packet::MplsLabel> mpls;            ///< the stack that time exceeded messages tell (RFC 4950)
  std::vector<packet::InterfaceInfo> interfaces;  ///< what its ICMP errors tell of them (RFC 5837)

  // Destinations.
  std::uint16_t destination = kNone;  ///< counts destinations
  bool echo = true;                   ///< answers ICMP echo
  Addresses alias;                    ///< its ICMP errors come from here; unspecified: from where they were asked
  bool gateway = false;         ///< stands behind a gateway that answers expired probes with the destination's address
  std::uint8_t v4_prefix = 32;  ///< answers for all addresses of this prefix
  std::uint8_t v6_prefix = 128;
  PortPolicy udp;
  PortPolicy tcp;
  TcpStack tcp_stack = TcpStack::stateless;
  std::string udp_answer;  ///< of open UDP ports; empty: echo

  std::optional<Nat> nat;
  std::string name;
};

struct Link {
  NodeId from = kNone;
  NodeId to = kNone;
  bool down = false;
  Delay delay;
  Probability loss;
  Probability duplicate;
  Addresses ingress;  ///< of `to` at this link; unspecified: the node's address
};

/// Next hops towards one destination, weighted if the cumulative weights are there.
struct NextHops {
  std::vector<LinkId> links;
  std::vector<std::uint32_t> cumulative;
};

/// A route somebody has set, in place of the shortest paths.
struct StaticRoute {
  NodeId at = kNone;
  NodeId to = kNone;  ///< destination; kNone: all of them
  NextHops next_hops;
};

/// All that describes a network at one moment: a value, so that the past and the future can be computed from it.
class Topology {
 public:
  NodeId add_node(Node node);
  /// Returns the direction `a` to `b`.
  LinkId add_link(NodeId a, NodeId b);

  [[nodiscard]] std::optional<NodeId> find(std::string_view name) const;
  [[nodiscard]] std::optional<LinkId> find_link(NodeId from, NodeId to) const;
  /// These throw std::out_of_range for names that are not there.
  [[nodiscard]] NodeId node_id(std::string_view name) const;
  [[nodiscard]] LinkId link_id(std::string_view from, std::string_view to) const;
  [[nodiscard]] Node& node(std::string_view name) { return nodes[node_id(name)]; }
  [[nodiscard]] Link& link(std::string_view from, std::string_view to) { return links[link_id(from, to)]; }

  /// Replaces the route at `at` to a destination (all, if kNone).
  void set_route(StaticRoute route);
  void set_route(std::string_view at, std::string_view to, const std::vector<std::string>& via);

  /// All shortest paths by hops over what is up; then the static routes. Call it after changing links or nodes: until
  /// then routes are those of before, as in a network that has not converged.
  void compute_routes();

  [[nodiscard]] const NextHops& next_hops(NodeId at, std::uint16_t destination) const {
    return routes_[std::size_t{at} * destinations.size() + destination];
  }
  [[nodiscard]] const std::vector<LinkId>& links_from(NodeId node) const { return leaving_[node]; }
  [[nodiscard]] NodeId agent() const { return agent_; }
  /// The destination that answers for an address; kNone if there is none.
  [[nodiscard]] NodeId owner(const IpAddress& address) const;

  std::vector<Node> nodes;
  std::vector<Link> links;
  std::vector<NodeId> destinations;
  SendError send_error = SendError::none;  ///< why the agent cannot send now

 private:
  void shortest_paths(NodeId destination);
  void lay(const StaticRoute& route);

  NodeId agent_ = kNone;
  std::vector<std::vector<LinkId>> leaving_;  ///< links by the node they leave
  std::vector<NextHops> routes_;              ///< [node][destination]
  std::vector<StaticRoute> static_;
  std::unordered_map<IpAddress, NodeId> owners_;
};

/// Something that happens to the network at a time counted from its start.
struct Change {
  Duration at{};
  std::string what;  ///< for people
  std::function<void(Topology&)> apply;
};

}  // namespace ecmp::sim
