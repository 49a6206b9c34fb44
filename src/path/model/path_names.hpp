#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "path/model/path_content.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

struct RoundRecord;

/// How a path is called, and what it is.
struct PathName {
  std::uint32_t id = 0;
  std::uint32_t ordinal = 0;
  PathContent content;
  WallTime seen;  ///< when it was told last

  friend bool operator==(const PathName&, const PathName&) = default;
};

/// Of one destination.
struct DestinationPathNames {
  std::uint32_t last_ordinal = 0;  ///< none higher was given
  std::vector<PathName> paths;     ///< by ordinal

  friend bool operator==(const DestinationPathNames&, const DestinationPathNames&) = default;
};

/// By destination: so that a path has the id and the ordinal after a restart that it had before.
using PathNames = std::unordered_map<std::string, DestinationPathNames>;

/// Takes in what a snapshot tells. True if names are others now than before.
bool take_in(PathNames& names, const DestinationSnapshot& told, WallTime now);

/// The same for the path of a round, which is told before any snapshot has it. What is known of it already stays: of a
/// balanced hop a round tells one responder, until a snapshot tells all of them.
bool take_in(PathNames& names, const RoundRecord& told, WallTime now);

/// Forgets paths that were not seen since `since`, and the oldest of a destination with very many; the highest ordinal
/// stays as long as any path does.
void forget_old(PathNames& names, WallTime since);

/// As bytes that outlive the process; and back, out of any bytes: nothing if they are not that.
std::string encode(const PathNames& names);
std::optional<PathNames> decode_path_names(ByteView bytes);

}  // namespace ecmp
