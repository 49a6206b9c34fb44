#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "path/model/path_graph.hpp"

namespace ecmp {

/// Where the loss of a path begins: behind the stop `after`, and until the stop `at` shows it. They are stops of the
/// path's strand, which are its TTLs.
struct LossBegin {
  std::size_t after = 0;  ///< the last that answers before `at`; 0 is the agent
  std::size_t at = 0;     ///< the first that shows the loss; the stop behind the last that answers if none does
  /// Not before `at`, and behind it where `at` keeps so quiet by itself that the loss may as well begin on one of the
  /// links that follow.
  std::size_t until = 0;
};

/// For each path of a graph with its Ends apart, in the order of its strands; none for a path without loss. It is the
/// one attribution of a path's loss: /topology, the page, the diagrams and the report of --find read it.
///
/// A probe that is lost on the way to a hop is counted as that hop's silence when the round's other probes came
/// through, so what is looked at is how many probes stayed unanswered, for whatever reason: from where loss begins,
/// every hop up to the destination leaves as many unanswered as the path loses. A router that keeps quiet by itself is
/// recognised by the hops behind it, which answer, and by what it does on paths without loss. Links that several
/// lossy paths share are judged over all of these, and the one that explains most comes first: a few probes of one path
/// alone say little. Figures are those of the window, and since the path is known where the window has none.
std::vector<std::optional<LossBegin>> loss_begins(const PathGraph& graph);

}  // namespace ecmp
