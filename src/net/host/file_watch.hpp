#pragma once

#include <map>
#include <set>
#include <string>

#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp::net {

/// Tells when something in a set of directories may have changed (inotify(7)): a file written and closed, come, gone or
/// renamed. Not for directories on other hosts, whose changes the kernel does not see: look there now and then besides.
class FileWatch {
 public:
  /// Fails with one line for the user.
  static Result<FileWatch> open();

  /// Watches these and no others. Those that are not there are tried again with the next call.
  void watch(const std::set<std::string>& directories);

  /// Readable when take_events() has something.
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

  /// Whether there was anything since the last call.
  bool take_events();

 private:
  explicit FileWatch(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  FileDescriptor descriptor_;
  std::map<std::string, int> watched_;  ///< the kernel's number of each directory
};

}  // namespace ecmp::net
