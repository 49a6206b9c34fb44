#pragma once

namespace ecmp {

/// SIGINT, SIGTERM and SIGHUP as something to poll, and SIGPIPE ignored, for as long as the object lives. At most one
/// at a time.
class StopSignals {
 public:
  /// Throws std::system_error when the process is out of descriptors.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Readable, for good, once one of them came.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] bool came() const;
};

}  // namespace ecmp
