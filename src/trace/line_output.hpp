#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp {

/// A file or a pipe that lines are written to, each as soon as it is there. A reader that stalls stops the writer, but
/// not for longer than half a second once the program is to end.
class LineOutput {
 public:
  /// Creates the file, or empties it. The error is one line for the user.
  static Result<LineOutput> create(const std::string& path);
  static LineOutput standard_output();

  enum class Outcome { written, reader_gone, failed };

  /// `stop` is readable when the program is to end (-1: never).
  Outcome write(std::string_view lines, int stop);

  /// Why writing failed, as one line for the user.
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  LineOutput(int descriptor, net::FileDescriptor owned, std::string name);
  Outcome fail(int error_number);
  /// Whether there is room now; false when the program ends first.
  bool wait_for_room(int stop);

  int descriptor_;
  net::FileDescriptor owned_;
  std::string name_;
  bool waits_;  ///< what is behind the descriptor may let us wait
  std::string error_;
};

}  // namespace ecmp
