#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tui/columns.hpp"
#include "tui/scene.hpp"

namespace ecmp::tui {

/// The hops of one flow, each with what else is known of it in lines of its own below.
class DetailView {
 public:
  struct Line {
    enum class Kind : std::uint8_t { hop, responder, labels, refusal, finding, limited, direction };
    Kind kind = Kind::hop;
    std::size_t hop = 0;        ///< TTL 1 is 0
    std::size_t responder = 0;  ///< of those of the hop
    std::string words = {};     ///< of a finding or a direction
  };

  void move(std::ptrdiff_t by, const Scene& scene, const FlowRow* flow);
  void to_top() { position_ = {}; }

  /// Rows that it takes to show everything of the flow.
  static std::size_t rows_needed(const Scene& scene, const FlowRow* flow);

  void draw(Pane pane, const Scene& scene, const FlowRow* flow, bool focused);

 private:
  static std::vector<Line> lines(const Scene& scene, const FlowRow& flow);

  ListPosition position_;
};

}  // namespace ecmp::tui
