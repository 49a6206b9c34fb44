#include "path/model/unjudged.hpp"

#include <algorithm>

namespace ecmp {
namespace {

struct Words {
  std::string_view label;
  std::string_view sentence;
};

constexpr std::array<Words, static_cast<std::size_t>(Unjudged::count_)> kWords{{
    {"none", "judged"},
    {"not_resolved", "name not resolved"},
    {"not_traced", "not traced: another destination has its flows"},
    {"first_round", "not measured yet"},
    {"send_failed", "not known: probes do not leave this host"},
    {"unobserved", "not known: answers could not be observed"},
    {"suppressed", "not known: it limits its answers"},
    {"left_out", "not asked, as it limits its answers"},
    {"undecided", "not known: loss or a limit"},
}};

}  // namespace

std::string_view to_string(Unjudged why) {
  return kWords[static_cast<std::size_t>(why)].label;
}

std::string_view explain(Unjudged why) {
  return kWords[static_cast<std::size_t>(why)].sentence;
}

Unjudged unjudged(EndToEnd outcome) {
  switch (outcome) {
    case EndToEnd::reached:
    case EndToEnd::lost:
      return Unjudged::none;
    case EndToEnd::send_failed:
      return Unjudged::send_failed;
    case EndToEnd::unobserved:
      return Unjudged::unobserved;
    case EndToEnd::suppressed:
      return Unjudged::suppressed;
    case EndToEnd::left_out:
      return Unjudged::left_out;
    case EndToEnd::undecided:
      break;
  }
  return Unjudged::undecided;
}

void Standing::OfFlow::take(const Round& round) {
  why = round.reached() ? Unjudged::none : unjudged(round.end_to_end);
  if (why == Unjudged::none) {
    known = true;
    reached = round.reached();
  } else if (is_our_failure(why)) {
    known = false;
  }
}

void Standing::add(const OfFlow& flow) {
  ++counts_[static_cast<std::size_t>(flow.why)];
  if (flow.known) ++(flow.reached ? reached_ : lost_);
  if (is_our_failure(flow.why)) ++failed_;
}

Unjudged Standing::why() const {
  if (judged() && counts_[static_cast<std::size_t>(Unjudged::none)] > 0) return Unjudged::none;
  // What most flows say; those that have not said anything yet do not hide what others do.
  const auto first_round = static_cast<std::size_t>(Unjudged::first_round);
  const auto most = std::ranges::max_element(counts_.begin() + first_round + 1, counts_.end());
  return *most > 0 ? static_cast<Unjudged>(most - counts_.begin()) : Unjudged::first_round;
}

}  // namespace ecmp
