#pragma once

#include <cstddef>

#include "tui/cells.hpp"

namespace ecmp::tui {

/// What the keys do, out of the key table.
class HelpView {
 public:
  void move(std::ptrdiff_t by);
  void draw(Pane pane);

 private:
  std::size_t top_ = 0;
};

/// The line at the bottom: the keys that one should know of, as many as fit. Those of time are for a replay only.
void draw_hints(Pane pane, std::size_t row, bool replay);

}  // namespace ecmp::tui
