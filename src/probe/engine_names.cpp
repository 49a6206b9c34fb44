// Why things went as they did, as labels and log lines call it.
#include "base/names.hpp"
#include "probe/engine.hpp"

namespace ecmp {

std::string_view to_string(SendError error) {
  constexpr auto kNames =
      std::to_array<std::string_view>({"", "no_route", "no_permission", "no_buffers", "too_big", "link_down", "other",
                                       "port_in_use", "never_left", "no_interface", "no_source"});
  return name_at(kNames, error);
}

std::string_view to_string(EndToEnd outcome) {
  constexpr std::array<std::string_view, kEndToEnds> kNames = {"reached",    "lost",     "send_failed", "unobserved",
                                                               "suppressed", "left_out", "undecided"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view to_string(Unobserved reason) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"", "send_failed", "capture_dropped", "stalled", "suspended", "link_down", "tcp_state"});
  return name_at(kNames, reason);
}

std::string_view to_string(Ignored reason) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"malformed", "unknown_flow", "bad_identity", "late", "duplicate", "resent", "bad_source"});
  return name_at(kNames, reason);
}

}  // namespace ecmp
