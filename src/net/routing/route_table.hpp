#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "net/routing/neighbour_table.hpp"
#include "net/routing/route_lookup.hpp"
#include "packet/five_tuple.hpp"
#include "probe/transport.hpp"

namespace ecmp::net {

/// What the owner says of a flow.
struct FlowSpec {
  FiveTuple tuple;                  ///< its source is ignored
  std::optional<IpAddress> source;  ///< bound source address; left out: the kernel's choice
  std::string interface;            ///< leave only by this one; "": any
  std::uint8_t dscp = 0;            ///< policy routing may look at it
  bool hold_port = false;           ///< keep the kernel from refusing what comes back to the source port
  std::uint32_t mark = 0;           ///< as of a socket with SO_MARK; policy routing may look at it
};

/// A flow with its route.
struct FlowRoute {
  std::uint32_t flow = 0;
  FlowSpec spec;
  Route route;  ///< only when error is none
  SendError error = SendError::no_route;
  bool stale = false;
  std::optional<bool> raw_agrees;  ///< whether a raw socket would take the same next hop, once that was asked

  // What the packet sender has looked up in the neighbour table, valid while the generation there is this one.
  std::uint64_t neighbour_generation = 0;
  LinkAddress link_address;
  bool deliverable = false;  ///< the link address is known, or the interface needs none
};

/// The source address of a flow after its route changed; unspecified if it has no route any more, or for another reason
/// than before.
struct SourceChange {
  std::uint32_t flow = 0;
  IpAddress source;

  friend bool operator==(const SourceChange&, const SourceChange&) = default;
};

/// A route per flow, and when to look it up again. Bounded work per call: however many flows there are, a step looks
/// up a few hundred of them at most, so that the probing loop never stalls.
class RouteTable {
 public:
  using Lookup = std::function<RouteAnswer(const FlowSpec&)>;

  explicit RouteTable(Lookup lookup) : lookup_(std::move(lookup)) {}

  /// Looks the route up at once. A flow number that is in use gets the new spec.
  FlowRoute& add(std::uint32_t flow, const FlowSpec& spec);
  /// Returns what was known of the flow, if it was there.
  std::optional<FlowSpec> remove(std::uint32_t flow);
  /// Valid until the next add or remove.
  FlowRoute* find(std::uint32_t flow);

  /// Looks the route of one flow up again, now.
  void look_up(FlowRoute& flow);

  /// Something changed in routes to `prefix` (address with zeroes behind the prefix) of `length` bits.
  void prefix_changed(const IpAddress& prefix, std::uint8_t length);
  /// Anything may have changed.
  void everything_changed();

  /// Looks up again what is stale: at once, then, while more changes come, every 100 ms; and every flow every 30 s. At
  /// most `kSlice` look-ups a call, and 20,000 a second.
  void refresh(Instant now);
  /// When refresh() has work next.
  [[nodiscard]] Instant next_refresh() const;

  /// What refresh() and look_up() found since the last call: the flows whose source address is another one now.
  std::vector<SourceChange> take_source_changes();

  [[nodiscard]] std::size_t size() const { return flows_.size(); }
  /// Flows that were sent over this interface as of their last look-up.
  [[nodiscard]] std::vector<std::uint32_t> flows_over(std::uint32_t interface) const;

  static constexpr std::size_t kSlice = 100;

 private:
  void begin_pass(Instant now);
  void forget_destination(const IpAddress& destination);

  Lookup lookup_;
  std::vector<FlowRoute> flows_;
  /// Place in flows_ by flow number, kNowhere for numbers that are not there. Every probe asks, and numbers are dense.
  std::vector<std::size_t> index_;
  std::map<IpAddress, std::size_t> destinations_;  ///< how many flows go there
  std::map<std::uint32_t, IpAddress> changes_;
  bool any_stale_ = false;  ///< flows have been marked since the pass began
  bool in_pass_ = false;
  bool full_pass_ = false;  ///< the periodic one: all flows, not only stale ones
  std::size_t cursor_ = 0;
  Instant next_pass_;  ///< earliest begin of a pass for stale flows
  Instant next_full_pass_;
  Instant next_slice_;
};

}  // namespace ecmp::net
