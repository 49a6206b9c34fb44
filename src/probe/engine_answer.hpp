#pragma once

// Private to the engine's .cpp files.

#include "packet/message.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {

/// What is told about an answer, whatever carried it.
struct Engine::State::Answer {
  Instant at;
  IpAddress from;
  packet::ReplyKind kind = packet::ReplyKind::none;
  std::uint8_t reply_ttl = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint8_t quoted_ttl = 0;
  packet::KeptMpls notes = {};
};

}  // namespace ecmp
