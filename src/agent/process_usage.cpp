#include "agent/process_usage.hpp"

#include <charconv>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "net/host/regular_file.hpp"

namespace ecmp {

namespace {

constexpr std::size_t kLargestStat = 4096;

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view kBlanks = " \n";
  std::vector<std::string_view> found;
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return found;
    text.remove_prefix(begin);
    const std::size_t size = std::min(text.find_first_of(kBlanks), text.size());
    found.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::uint64_t count_open_fds() {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // one is the directory that is being read
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // The second field is the program's name in parentheses, and may hold blanks and parentheses itself.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto fields = words(text.substr(name_end + 1));
  constexpr std::size_t kFirst = 3;  // proc(5) counts from 1, and these follow the second
  constexpr std::size_t kResident = 24;
  if (fields.size() <= kResident - kFirst) return std::nullopt;
  const auto field = [&](std::size_t index) { return number(fields[index - kFirst]); };
  const auto user = field(14);
  const auto system = field(15);
  const auto start = field(22);
  const auto virtual_bytes = field(23);
  const auto resident = field(kResident);
  if (!user || !system || !start || !virtual_bytes || !resident) return std::nullopt;
  return ProcessStat{*user + *system, *start, *virtual_bytes, *resident};
}

// /proc/stat tells it too, but a unit with ProcSubset=pid has none.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

void hold_standard_descriptors() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest number that is free is this one: those below are open by now.
    // What is written to an output that is closed is to fail, not to vanish.
    const int mode = number == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (::fcntl(number, F_GETFD) < 0) static_cast<void>(::open("/dev/null", mode));
  }
}

ProcessReader::ProcessReader() : boot_time_(seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME)) {}

std::optional<ProcessUsage> ProcessReader::read() const {
  const auto text = net::read_file_or_pipe("/proc/self/stat", kLargestStat);
  const auto stat = text.ok() ? parse_process_stat(*text) : std::nullopt;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (!stat || getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  ProcessUsage usage;
  usage.cpu_seconds = static_cast<double>(stat->cpu_ticks) / ticks;
  usage.start_time_seconds = boot_time_ + static_cast<double>(stat->start_ticks) / ticks;
  usage.virtual_bytes = stat->virtual_bytes;
  usage.resident_bytes = stat->resident_pages * page;
  usage.open_fds = count_open_fds();
  usage.max_fds = limit.rlim_cur;
  return usage;
}

}  // namespace ecmp
