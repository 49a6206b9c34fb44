#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"
#include "sim/network.hpp"

namespace ecmp::sim {

/// A reply with its bytes; `message` points into them.
struct Reply {
  Instant at{};
  std::vector<std::uint8_t> bytes;
  packet::Message message;

  [[nodiscard]] const packet::IcmpError* error() const { return std::get_if<packet::IcmpError>(&message); }
  [[nodiscard]] const packet::TcpSegment* tcp() const { return std::get_if<packet::TcpSegment>(&message); }
  [[nodiscard]] const packet::UdpDatagram* udp() const { return std::get_if<packet::UdpDatagram>(&message); }
  [[nodiscard]] const packet::EchoReply* echo() const { return std::get_if<packet::EchoReply>(&message); }
  [[nodiscard]] packet::ReplyKind kind() const;
  /// Unspecified if it could not be parsed.
  [[nodiscard]] IpAddress from() const;
};

/// Sends single probes by hand and collects what comes back.
class Prober final : public CaptureSink {
 public:
  explicit Prober(SimulatedNetwork& network) : network_(network) {}

  /// A probe of the agent, complete; change what matters to the test.
  [[nodiscard]] packet::ProbeDatagram probe(Protocol protocol, const IpAddress& destination, std::uint16_t source_port,
                                            std::uint8_t ttl) const;
  /// UDP to port 33434 of the node.
  [[nodiscard]] packet::ProbeDatagram udp(std::string_view node, std::uint16_t source_port, std::uint8_t ttl,
                                          Family family = Family::ipv4) const;

  /// Sends it, at the network's time.
  SendError send(const packet::ProbeDatagram& probe);
  SendError send(ByteView datagram);
  /// Lets the network run for `time` and returns what arrived in it.
  std::vector<Reply> wait(Duration time = std::chrono::seconds(5));
  /// send() and wait().
  std::vector<Reply> ask(const packet::ProbeDatagram& probe, Duration time = std::chrono::seconds(5));
  /// The responder of the only reply; unspecified if there is none, or more than one.
  IpAddress responder(const packet::ProbeDatagram& probe);

  void on_captured(const Captured& datagram) override;

 private:
  SimulatedNetwork& network_;
  std::vector<Reply> replies_;
};

}  // namespace ecmp::sim
