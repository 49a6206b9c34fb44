#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tracing/board.hpp"
#include "base/result.hpp"
#include "path/history/history_codec.hpp"
#include "path/model/path_names.hpp"

namespace ecmp {

/// The names in the file of a history's directory; changes nothing. Nothing where it is not there, cannot be read or is
/// damaged.
std::optional<PathNames> read_path_names(const std::string& directory);

/// The names of paths, in a file of the history's directory that is replaced as a whole when there are others. Of one
/// thread, but for begun_with().
class PathNamesFile {
 public:
  explicit PathNamesFile(const std::string& directory) : path_(path_in(directory)) {}
  static std::string path_in(const std::string& directory) { return directory + "/path-names"; }

  /// What an earlier run has left. What is not whole is told, and as if it was not there.
  void load();
  [[nodiscard]] const PathNames& begun_with() const { return begun_with_; }

  /// Takes in what is told now, and writes if that makes a difference, or at all costs.
  std::optional<Error> update(const Snapshots& told, WallTime now, Duration retention, bool at_all_costs);
  /// Before rounds are written: a path that nobody knows by its name yet must not be told there.
  std::optional<Error> update(std::span<const StoredRound> rounds, WallTime now);
  /// Whether all that was taken in is on disk.
  [[nodiscard]] bool written() const { return !unwritten_; }

 private:
  [[nodiscard]] std::optional<Error> write() const;
  void keep_aside(std::string_view what, int error) const;

  const std::string path_;
  PathNames begun_with_;
  PathNames names_;
  Snapshots taken_;  ///< what was taken in last
  bool unwritten_ = false;
};

}  // namespace ecmp
