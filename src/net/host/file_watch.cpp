#include "net/host/file_watch.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <sys/inotify.h>
#include <system_error>

namespace ecmp::net {
namespace {

// Not IN_MODIFY: who writes a file is not done before he closes it. IN_ATTRIB: a file may become readable.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

Result<FileWatch> FileWatch::open() {
  FileDescriptor descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!descriptor.valid()) return Error{"cannot watch files: " + std::generic_category().message(errno)};
  return FileWatch(std::move(descriptor));
}

void FileWatch::watch(const std::set<std::string>& directories) {
  std::set<int> dropped;
  std::erase_if(watched_, [&](const auto& entry) {
    if (directories.contains(entry.first)) return false;
    dropped.insert(entry.second);
    return true;
  });
  // Two names of one directory have one number.
  for (const auto& [directory, number] : watched_)
    dropped.erase(number);
  for (const int number : dropped)
    ::inotify_rm_watch(descriptor_.get(), number);
  for (const std::string& directory : directories) {
    if (watched_.contains(directory)) continue;
    const int number = ::inotify_add_watch(descriptor_.get(), directory.c_str(), kEvents);
    if (number >= 0) watched_.emplace(directory, number);
  }
}

bool FileWatch::take_events() {
  bool any = false;
  alignas(inotify_event) std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t got = ::read(descriptor_.get(), buffer.data(), buffer.size());
    if (got <= 0) return any;
    any = true;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      at += sizeof event + event.len;
      // A directory that was removed or renamed is looked for again under its name.
      if ((event.mask & (IN_IGNORED | IN_MOVE_SELF)) == 0) continue;
      if ((event.mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(descriptor_.get(), event.wd);
      std::erase_if(watched_, [number = event.wd](const auto& entry) { return entry.second == number; });
    }
  }
}

}  // namespace ecmp::net
