#pragma once

#include <string>

namespace ecmp {

/// What is wrong with a file that a configuration names.
struct FileProblem {
  /// The path or the pattern that names it, where that is relative with the directory of the configuration before it;
  /// empty: the line has a place of its own, or is about no file.
  std::string named;
  std::string line;  ///< for people, with the path of the file

  friend bool operator==(const FileProblem&, const FileProblem&) = default;
};

}  // namespace ecmp
