#include "net/host/regular_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

namespace {

Error words(int error) {
  return Error{std::generic_category().message(error)};
}

Result<std::string> read_all(const FileDescriptor& file, std::size_t largest) {
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  std::string text;
  std::string block(std::size_t{64} << 10, '\0');
  for (;;) {
    const ssize_t got = read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return words(errno);
    if (got == 0) return text;
    text.append(block, 0, static_cast<std::size_t>(got));
    if (text.size() > largest) {
      return Error{"larger than " + (largest < kMebibyte ? std::to_string(largest >> 10) + " KiB"
                                                         : std::to_string(largest / kMebibyte) + " MiB")};
    }
  }
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, std::size_t largest) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat found{};
  if (!file.valid() || fstat(file.get(), &found) != 0) return words(errno);
  if (!S_ISREG(found.st_mode)) return Error{"not a regular file"};
  return read_all(file, largest);
}

Result<std::string> read_file_or_pipe(const std::string& path, std::size_t largest) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return words(errno);
  return read_all(file, largest);
}

}  // namespace ecmp::net
