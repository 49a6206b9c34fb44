#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.hpp"
#include "net/probe_io/held_ports.hpp"
#include "net/routing/netlink_socket.hpp"
#include "packet/five_tuple.hpp"

namespace ecmp::net {

/// A socket of this host, as the kernel lists it (linux/inet_diag.h).
struct HostSocket {
  Protocol protocol{};
  bool listening = false;  ///< of TCP: it has no peer, and holds no connection
  bool v6_only = true;     ///< an IPv6 socket that takes no IPv4
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;  ///< 0: not connected
  IpAddress local;                ///< an IPv4-mapped address is written as IPv4
  IpAddress remote;
};

/// Reads one message of a dump; nothing for what is none.
std::optional<HostSocket> read_host_socket(const NetlinkMessage& message, Protocol protocol);

/// Whether datagrams of the flow look as if they came from that socket, or answers to them would reach it.
bool holds(const HostSocket& socket, const FiveTuple& flow);

/// Which flows have the 5-tuple of a socket of this host. Their ports are the ones that the kernel gives to sockets, so
/// that now and then both have one: a probe would then look like a part of somebody's connection, and its RST end it.
///
/// A flow is looked up when it is added, all of them every few seconds: in between a socket may be opened unnoticed.
class PortHolders {
 public:
  /// Those sockets are ours and hold nothing against a flow. Has to stay.
  void except(const HeldPorts& ours) { ours_ = &ours; }

  using SourceOf = std::function<IpAddress(std::uint32_t flow)>;

  /// Without sockets of this kind, or without the modules behind them, no flow is ever held: failures() counts it.
  static PortHolders open();
  /// Over such sockets, see NetlinkSocket::open_diagnostics(): the first for lists, the other for single flows.
  PortHolders(std::optional<NetlinkSocket> lists, std::optional<NetlinkSocket> single);

  void add(std::uint32_t flow, const FiveTuple& tuple);
  void remove(std::uint32_t flow, const FiveTuple& tuple);

  [[nodiscard]] bool held(std::uint32_t flow) const { return !held_.empty() && held_.contains(flow); }

  /// Reads a part of the kernel's list, if it is time: some hundred sockets at most. `source_of` says which source
  /// address a flow has now.
  void refresh(Instant now, const SourceOf& source_of);
  [[nodiscard]] Instant next_refresh() const { return flows_.empty() ? Instant::max() : next_; }

  /// Lists that the kernel did not give or did not end, and times that it was found to have none: it lacks the modules
  /// (inet_diag, tcp_diag, udp_diag), or may not load them.
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  bool available(Protocol protocol);
  bool begin_list();
  void fail();
  void take(const HostSocket& socket, const SourceOf& source_of);
  void end_lists(Instant now);

  struct Known {
    std::uint32_t flow = 0;
    FiveTuple tuple;
  };

  [[nodiscard]] bool is_ours(Protocol protocol, std::uint16_t port) const;

  std::optional<NetlinkSocket> lists_, single_;
  const HeldPorts* ours_ = nullptr;
  std::unordered_multimap<std::uint32_t, Known> flows_;   ///< by protocol and source port
  std::array<std::uint32_t, kProtocols.size()> count_{};  ///< flows by Protocol
  std::array<std::optional<bool>, kProtocols.size()>
      available_{};      ///< by Protocol: the kernel has its lists; unknown: not asked yet
  Instant ask_again_{};  ///< those that it lacks
  std::unordered_set<std::uint32_t> held_;
  std::unordered_set<std::uint32_t> seen_;  ///< by the lists under way
  std::size_t list_ = 0;                    ///< the one under way, of kLists
  bool listing_ = false;
  bool incomplete_ = false;  ///< one of the lists broke off
  Duration spent_{};         ///< on the lists under way
  Instant next_{};
  std::uint64_t failures_ = 0;
};

}  // namespace ecmp::net
