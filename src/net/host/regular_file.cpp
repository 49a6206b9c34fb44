#include "net/host/regular_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

namespace {

Error words(int error) {
  return Error{std::generic_category().message(error)};
}

FileState state_of(const struct stat& found) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .size = found.st_size,
          .modified = found.st_mtim.tv_sec * kSecond + found.st_mtim.tv_nsec,
          .changed = found.st_ctim.tv_sec * kSecond + found.st_ctim.tv_nsec};
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
  auto file = read_changed_file(path, largest, {});
  if (!file.ok()) return Error{file.error()};
  return std::move((*file)->text);  // no file is as FileState{}
}

FileState state_of(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? state_of(found) : FileState{};
}

Result<std::optional<FileContent>> read_changed_file(const std::string& path, std::size_t largest,
                                                     const FileState& known) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat found{};
  if (!file.valid() || fstat(file.get(), &found) != 0) return words(errno);
  if (!S_ISREG(found.st_mode)) return Error{"not a regular file"};
  FileContent content{.state = state_of(found), .text = {}};
  if (content.state == known) return std::optional<FileContent>();
  auto text = read_all(file, largest);
  if (!text.ok()) return Error{text.error()};
  content.text = std::move(*text);
  return std::optional(std::move(content));
}

Result<std::string> read_file_or_pipe(const std::string& path, std::size_t largest) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return words(errno);
  return read_all(file, largest);
}

}  // namespace ecmp::net
