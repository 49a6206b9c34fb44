#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tui/columns.hpp"
#include "tui/fan_tree.hpp"
#include "tui/scene.hpp"

namespace ecmp::tui {

/// The fan as a tree, with loss and RTT at each of its hops.
class FanView {
 public:
  void move(std::ptrdiff_t by, const Scene& scene);
  /// To the row at which the flow is alone, or else with the fewest others.
  void go_to(std::uint32_t flow, const Scene& scene);
  /// The first flow of the chosen row; nothing if there is no row.
  [[nodiscard]] std::optional<std::uint32_t> flow(const Scene& scene) const;

  void draw(Pane pane, const Scene& scene);

 private:
  ListPosition position_;
};

}  // namespace ecmp::tui
