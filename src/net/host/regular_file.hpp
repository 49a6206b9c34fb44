#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"

namespace ecmp::net {

/// What a regular file holds, of at most `largest` bytes. Never waits for whoever might write into a pipe of that name,
/// and reads no device. The error does not name the file.
Result<std::string> read_regular_file(const std::string& path, std::size_t largest);

/// The same of a file that may be a pipe as well, as a shell makes one of <(command): waits for whoever writes there.
Result<std::string> read_file_or_pipe(const std::string& path, std::size_t largest);

}  // namespace ecmp::net
