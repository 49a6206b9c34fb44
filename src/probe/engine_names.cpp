// Why things went as they did, as labels and log lines call it.
#include "probe/engine.hpp"

namespace ecmp {

std::string_view to_string(SendError error) {
  switch (error) {
    case SendError::none:
      return "";
    case SendError::no_route:
      return "no_route";
    case SendError::no_permission:
      return "no_permission";
    case SendError::no_buffers:
      return "no_buffers";
    case SendError::too_big:
      return "too_big";
    case SendError::link_down:
      return "link_down";
    case SendError::other:
      return "other";
    case SendError::port_in_use:
      return "port_in_use";
    case SendError::never_left:
      return "never_left";
    case SendError::no_interface:
      return "no_interface";
    case SendError::no_source:
      return "no_source";
  }
  return "other";
}

std::string_view to_string(EndToEnd outcome) {
  constexpr std::array<std::string_view, kEndToEnds> kNames = {"reached",    "lost",     "send_failed", "unobserved",
                                                               "suppressed", "left_out", "undecided"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view to_string(Unobserved reason) {
  switch (reason) {
    case Unobserved::send_failed:
      return "send_failed";
    case Unobserved::capture_dropped:
      return "capture_dropped";
    case Unobserved::stalled:
      return "stalled";
    case Unobserved::suspended:
      return "suspended";
    case Unobserved::link_down:
      return "link_down";
    case Unobserved::tcp_state:
      return "tcp_state";
    case Unobserved::none:
    case Unobserved::count_:
      break;
  }
  return "";
}

std::string_view to_string(Ignored reason) {
  switch (reason) {
    case Ignored::malformed:
      return "malformed";
    case Ignored::unknown_flow:
      return "unknown_flow";
    case Ignored::bad_identity:
      return "bad_identity";
    case Ignored::late:
      return "late";
    case Ignored::duplicate:
      return "duplicate";
    case Ignored::resent:
      return "resent";
    case Ignored::bad_source:
      return "bad_source";
    case Ignored::count_:
      break;
  }
  return "";
}

}  // namespace ecmp
