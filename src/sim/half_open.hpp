#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "base/time.hpp"

namespace ecmp::sim {

/// What a destination's TCP does with what no program has accepted yet.
enum class TcpStack : std::uint8_t { stateless, linux_kernel, freebsd, windows, gvisor, lwip };

/// When a stack sends an unanswered SYN-ACK again, and what it makes of another SYN of the same addresses and ports.
struct StackRules {
  std::span<const Duration> resends;  ///< after the first SYN-ACK
  Duration gone_after{};              ///< then the half-open connection is forgotten
  /// What another SYN gets: the SYN-ACK of the old one, a bare ACK of the old one, or nothing.
  enum class Other : std::uint8_t { bare_ack, old_syn_ack, nothing };
  Other other = Other::bare_ack;
  bool window_reset = false;  ///< another SYN within the window gets a RST, and ends the connection
  Duration least_gap{};       ///< between two answers to SYNs
};
const StackRules& rules_of(TcpStack stack);

/// The half-open connections of the destinations, by a hash of who talks with whom.
class HalfOpenTable {
 public:
  enum class Answer : std::uint8_t { none, syn_ack, bare_ack, rst };
  struct Decision {
    Answer answer = Answer::none;
    std::uint32_t acknowledgement = 0;
    bool fresh = false;  ///< a connection that is new: its SYN-ACK will be sent again
    std::uint32_t generation = 0;
  };

  Decision on_syn(TcpStack stack, std::uint64_t connection, std::uint32_t sequence, Instant now);
  void on_rst(std::uint64_t connection, std::uint32_t sequence);
  [[nodiscard]] bool waits(std::uint64_t connection, std::uint32_t generation) const;
  [[nodiscard]] std::size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    std::uint32_t sequence = 0;  ///< of the SYN
    std::uint32_t generation = 0;
    Instant since{};
    Instant answered{};
  };
  std::unordered_map<std::uint64_t, Connection> connections_;
  std::uint32_t generations_ = 0;
};

}  // namespace ecmp::sim
