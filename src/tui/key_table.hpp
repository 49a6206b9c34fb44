#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tui/keys.hpp"

namespace ecmp::tui {

/// What a key makes the live view do.
enum class Action : std::uint8_t {
  up,
  down,
  page_up,
  page_down,
  first,
  last,
  previous_view,
  next_view,
  summary,
  detail,
  fan,
  open,
  back,
  previous_flow,
  next_flow,
  sort,
  reverse,
  search,
  names,
  labels,
  pause,
  reset,
  redraw,
  suspend,
  earlier,
  later,
  far_earlier,
  far_later,
  change_before,
  change_after,
  oldest,
  newest,
  slower,
  faster,
  help,
  quit,
  count_,
};

/// One line of the help, and all that decides what a key does: the help is made from it and keys are looked up in it.
struct Binding {
  static constexpr std::size_t kKeys = 4;

  Action action;
  std::array<Key, kKeys> keys;  ///< Kind::other where there are no more
  std::string_view does;        ///< for the help
  std::string_view brief;       ///< for the line at the bottom; empty: not there

  /// "Up, k".
  [[nodiscard]] std::string key_names() const;
};

std::span<const Binding> bindings();

/// Whether a key goes through time, which only recorded rounds have.
constexpr bool is_of_time(Action action) {
  return action >= Action::earlier && action <= Action::faster;
}

/// Action::count_ for a key without meaning.
Action action_of(const Key& key);

}  // namespace ecmp::tui
