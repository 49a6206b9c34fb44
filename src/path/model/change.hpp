#pragma once

#include <cstdint>
#include <string_view>

namespace ecmp {

/// What a confirmed change of a flow's path is, judged at the first hop that differs, over all flows of the
/// destination.
enum class ChangeKind : std::uint8_t {
  none,
  reroute,     ///< a new responder took the place of an old one
  remap,       ///< both responders are in use before and after: the flow was hashed to another of the known branches
  width,       ///< the fan grew (new responder, the old one still in use) or shrank (the old one gone, no new one)
  per_packet,  ///< this one flow alternates between responders: a balancer that does not keep flows together
  count_
};

/// "reroute", "remap", "width", "per_packet"; "" for none.
std::string_view to_string(ChangeKind kind);

}  // namespace ecmp
