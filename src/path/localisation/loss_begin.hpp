#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "path/model/snapshot.hpp"

namespace ecmp {

/// For each path of the snapshot: the index in its hops of the first that shows the loss of the path, as far as the
/// window can tell; the number of hops if it begins behind the last one known, on a path that does not reach the
/// destination; none for a path without loss or without flows.
///
/// A probe that is lost on the way to a hop is counted as that hop's silence when the round's other probes came
/// through, so what is looked at is how many probes stayed unanswered, for whatever reason: from where loss begins,
/// every hop up to the destination leaves as many unanswered as the path loses. A router that keeps quiet by itself is
/// told from that by the hops behind it, which answer, and by what it does on paths without loss. Links that several
/// lossy paths share are judged over all of these, and the one that explains most comes first: a few probes of one path
/// alone say little.
std::vector<std::optional<std::size_t>> loss_begins(const DestinationSnapshot& snapshot);

}  // namespace ecmp
