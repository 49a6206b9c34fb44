#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "path/model/round_record.hpp"
#include "tui/key_table.hpp"

namespace ecmp::tui {

class LiveView;

/// Recorded rounds of one destination, and the moment of them that is shown: the view has what a live one would have
/// had then, which was begun with the first round. Pure: passing time is an argument.
class ReplayCourse {
 public:
  using Records = std::vector<std::shared_ptr<const RoundRecord>>;

  /// At least one; in the order in which they were over. The last moment is shown first.
  explicit ReplayCourse(Records records);

  /// Stops there, within what was recorded.
  void go(WallTime at);

  /// Acts on a key of time; other actions do nothing.
  void act(Action action);
  /// While it plays, so much time has passed at the terminal.
  void pass(Duration real);

  /// Gives the view the rounds up to the moment, and what stands in its title.
  void show(LiveView& view);

  [[nodiscard]] WallTime at() const { return at_; }
  [[nodiscard]] bool playing() const { return playing_; }
  [[nodiscard]] unsigned speed() const { return speed_; }  ///< recorded seconds in one second
  /// "2026-01-01 00:10:00 UTC", and the speed while it plays.
  [[nodiscard]] std::string moment() const;
  [[nodiscard]] Duration elapsed() const { return at_ - begin_; }

 private:
  void go_to_change(bool later);
  [[nodiscard]] std::size_t count_until(WallTime at) const;

  const Records records_;
  WallTime begin_;   ///< of the first round
  WallTime first_;   ///< when it was over
  WallTime last_;    ///< when the last one was
  Duration step_{};  ///< from a flow's round to its next
  WallTime at_;
  std::size_t shown_ = 0;  ///< records that the view has
  std::size_t base_ = 0;   ///< those before are not counted: the user began anew there
  bool playing_ = false;
  unsigned speed_ = 8;
};

}  // namespace ecmp::tui
