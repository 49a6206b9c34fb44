#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "probe/round.hpp"

namespace ecmp {

/// Why nothing is known just now of whether a destination answers. None of these is the network's answer: the
/// destination is neither up nor down by them.
enum class Unjudged : std::uint8_t {
  none,
  not_resolved,  ///< its name has no address so far
  not_traced,    ///< another destination has its flows
  first_round,   ///< no round is over since it began
  send_failed,   ///< its probes do not leave this host
  unobserved,    ///< its answers may have come while we could not look
  suppressed,    ///< it limits its answers, and was asked more often than it answers
  left_out,      ///< it was not asked, to stay below such a limit
  undecided,     ///< its silence is as likely such a limit as loss
  count_
};

/// As in labels: "not_resolved".
std::string_view to_string(Unjudged why);
/// For people: "name not resolved".
std::string_view explain(Unjudged why);

/// Of a round; none if it was answered or lost.
Unjudged unjudged(EndToEnd outcome);
/// Whether this host or exporter is to blame: what was known before does not hold on.
constexpr bool is_our_failure(Unjudged why) {
  return why == Unjudged::send_failed || why == Unjudged::unobserved;
}

/// What the newest rounds of all flows of a destination say together.
class Standing {
 public:
  /// The newest round of a flow, and whether the newest one that was judged reached the destination.
  struct OfFlow {
    bool known = false;    ///< a round was judged, and no failure of ours came after it
    bool reached = false;  ///< in that
    Unjudged why = Unjudged::first_round;

    /// An answer to a round that is not judged says that the destination is there; its silence says nothing.
    void take(const Round& round);
  };

  void add(const OfFlow& flow);

  /// Whether up() is the network's answer. One flow that was lost says nothing while most cannot be asked.
  [[nodiscard]] bool judged() const { return reached_ > 0 || (lost_ > 0 && lost_ >= failed_); }
  [[nodiscard]] bool up() const { return reached_ > 0; }
  /// Why no flow's newest round was judged; none if one was and judged().
  [[nodiscard]] Unjudged why() const;

 private:
  std::uint32_t reached_ = 0;
  std::uint32_t lost_ = 0;
  std::uint32_t failed_ = 0;
  std::array<std::uint32_t, static_cast<std::size_t>(Unjudged::count_)> counts_{};  ///< flows by why()
};

}  // namespace ecmp
