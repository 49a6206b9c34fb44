#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tui/columns.hpp"
#include "tui/scene.hpp"

namespace ecmp::tui {

/// One row for each flow.
class SummaryView {
 public:
  enum class Order : std::uint8_t { port, path, hops, loss, last, average, best, worst, jitter, count_ };

  /// By the next column, in the direction that shows the interesting end first.
  void sort_by_next();
  void reverse() { falling_ = !falling_; }
  [[nodiscard]] Order order() const { return order_; }
  [[nodiscard]] bool falling() const { return falling_; }

  /// The flows that match what is searched for, in the order they are shown. What ties stands in the order of ports.
  [[nodiscard]] std::vector<const FlowRow*> rows(const Scene& scene) const;

  /// `chosen` is the index of a flow.
  void draw(Pane pane, const Scene& scene, const std::vector<const FlowRow*>& rows, std::uint32_t chosen, bool focused);

 private:
  Order order_ = Order::port;
  bool falling_ = false;
  ListPosition position_;
};

}  // namespace ecmp::tui
