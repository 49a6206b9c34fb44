#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ecmp {

/// What the standard process metrics of Prometheus tell.
struct ProcessUsage {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< since 1970
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

/// The fields of /proc/PID/stat (proc(5)) that are told, in the kernel's units.
struct ProcessStat {
  std::uint64_t cpu_ticks = 0;    ///< user and system
  std::uint64_t start_ticks = 0;  ///< after boot
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};
std::optional<ProcessStat> parse_process_stat(std::string_view text);

/// Lets this process open as many files as its hard limit allows, as Go's runtime does: the soft one is low for the
/// sake of select(2), which is not used here. A limit that cannot be raised stays.
void raise_descriptor_limit();

/// Opens /dev/null as whichever of standard input, output and error is closed. Otherwise the next file or socket would
/// get its number, and what is meant for the log would be written into that. The first thing that a program does.
void hold_standard_descriptors();

/// Reads about this process from /proc.
class ProcessReader {
 public:
  ProcessReader();

  /// nullopt if /proc is not there or not understood.
  [[nodiscard]] std::optional<ProcessUsage> read() const;

 private:
  double boot_time_;  ///< seconds since 1970; kept, so that the start time does not move with the wall clock
};

}  // namespace ecmp
