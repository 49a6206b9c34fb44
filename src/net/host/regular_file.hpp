#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace ecmp::net {

/// What a regular file holds, of at most `largest` bytes. Never waits for whoever might write into a pipe of that name,
/// and reads no device. The error does not name the file.
Result<std::string> read_regular_file(const std::string& path, std::size_t largest);

/// What distinguishes a file from the one that was there before, however it was replaced: written, renamed over, or
/// another target of a symbolic link on the way to it.
struct FileState {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = -1;
  std::int64_t modified = 0;  ///< nanoseconds since 1970
  std::int64_t changed = 0;   ///< the same: a file that was moved here may be older than the one before

  friend bool operator==(const FileState&, const FileState&) = default;
};

/// FileState{} where there is no such file, or none that can be looked at.
FileState state_of(const std::string& path);

struct FileContent {
  FileState state;
  std::string text;
};

/// As read_regular_file(), but for a file that is as `known`: nullopt.
Result<std::optional<FileContent>> read_changed_file(const std::string& path, std::size_t largest,
                                                     const FileState& known);

/// As read_regular_file() of a file that may be a pipe as well, as a shell makes one of <(command): waits for whoever
/// writes there.
Result<std::string> read_file_or_pipe(const std::string& path, std::size_t largest);

}  // namespace ecmp::net
