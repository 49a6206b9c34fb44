#include "agent/log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/sink.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "config/text.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp::log {

namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> kFormats = {"logfmt", "json"};
constexpr std::size_t kLongestText = 4096;

/// The string rules of JSON (RFC 8259 section 7), which logfmt's readers take too. What a terminal would obey becomes
/// \uXXXX, bytes that are not UTF-8 become U+FFFD.
void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (std::size_t at = 0; at < text.size();) {
    if (at >= kLongestText) {
      line += "...";
      break;
    }
    const std::size_t begin = at;
    const auto point = decode_utf8(text, at);
    if (!point) {
      line += "\xef\xbf\xbd";
    } else if (*point == '"' || *point == '\\') {
      (line += '\\') += static_cast<char>(*point);
    } else if (*point == '\n') {
      line += "\\n";
    } else if (*point == '\t') {
      line += "\\t";
    } else if (config::is_control(*point)) {  // all of them have at most 16 bits
      line += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(*point));
    } else {
      line += text.substr(begin, at - begin);
    }
  }
  line += '"';
}

/// logfmt leaves plain words without quotes.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= kLongestText && std::ranges::all_of(text, [](char byte) {
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != '=' && byte != '\\';
  });
}

Format format_now();

void append_value(std::string& line, const Field& field, Format format) {
  const bool bare = format == Format::logfmt ? is_plain(field.value()) : !field.is_text();
  if (bare) {
    line += field.value();
  } else {
    append_quoted(line, field.value());
  }
}

/// Writes lines to standard error.
class Writer {
 public:
  void never_wait() { waits_ = false; }
  void start();
  void stop();
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  void put(std::string line) {
    if (!queued_) return write(line);
    const std::size_t size = line.size();
    if (bytes_.fetch_add(size) + size > kMostBytes) {
      bytes_ -= size;
      ++dropped_;
      return;
    }
    auto* const added = new Line{std::move(line), newest_.load()};
    while (!newest_.compare_exchange_weak(added->before, added)) {
    }
    ring();
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  static constexpr std::chrono::milliseconds kPatience{500};  ///< at the end

  struct Line {
    std::string text;
    Line* before;
  };

  void run();
  void ring();
  Line* take();
  void write(std::string_view text);

  std::atomic<bool> waits_ = true;
  std::atomic<bool> queued_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  /// The queue, without a lock: threads of low priority log as well, and one of them that had no processor just when it
  /// held the lock would keep the probing loop waiting.
  std::atomic<Line*> newest_ = nullptr;
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<std::uint32_t> rung_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;  ///< of the end
  std::condition_variable idle_;
  bool over_ = false;
  std::thread thread_;
};

void Writer::start() {
  // Signals are for the main thread.
  sigset_t all{}, before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  queued_ = true;
}

void Writer::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  ring();
  std::unique_lock lock(mutex_);
  const bool over = idle_.wait_for(lock, kPatience, [this] { return over_; });
  lock.unlock();
  if (over) {
    thread_.join();
    queued_ = false;
  } else {
    thread_.detach();  // it hangs in a write, and ends with the process; what is logged now stays in the queue
  }
}

void Writer::ring() {
  ++rung_;
  rung_.notify_one();
}

/// All that is queued, the oldest first.
Writer::Line* Writer::take() {
  Line* oldest = nullptr;
  for (Line* line = newest_.exchange(nullptr); line != nullptr;) {
    bytes_ -= line->text.size();
    Line* const next = std::exchange(line->before, oldest);
    oldest = std::exchange(line, next);
  }
  return oldest;
}

void Writer::run() {
  std::uint64_t told = 0;
  for (bool last = false; !last;) {
    const std::uint32_t rung = rung_.load();
    last = stop_;
    Line* taken = take();
    if (taken == nullptr && !last) {
      rung_.wait(rung);
      continue;
    }
    while (taken != nullptr) {
      const std::unique_ptr<Line> line(taken);
      taken = line->before;
      write(line->text);
    }
    const std::uint64_t missing = dropped_ - told;
    if (missing == 0) continue;
    told += missing;
    const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    write(format_line(now, Level::warn, "lines of this log were dropped: its reader is too slow", {{"lines", missing}},
                      format_now()) +
          '\n');
  }
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  idle_.notify_all();
}

/// Whoever has a queue may wait here as long as it takes.
void Writer::write(std::string_view text) {
  while (!text.empty()) {
    std::size_t size = text.size();
    if (!queued_ && !waits_) {
      pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      if (::poll(&room, 1, 0) != 1) break;
      size = std::min<std::size_t>(size, PIPE_BUF);  // a pipe that says it has room has room for so much
    }
    const ssize_t written = ::write(STDERR_FILENO, text.data(), size);
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // who shares it has made it so
      pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      (void)::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      break;
    }
  }
  if (!text.empty()) ++dropped_;
}

Writer& writer() {
  // Never destroyed: a thread may still log while the program ends.
  static auto* const never_destroyed = new Writer;
  return *never_destroyed;
}

class StderrSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    std::string line(message.payload.data(), message.payload.size());
    line += '\n';
    writer().put(std::move(line));
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
};

struct Output {
  spdlog::logger logger{"ecmp", std::make_shared<StderrSink>()};
  std::atomic<Format> format{Format::logfmt};

  Output() { logger.set_pattern("%v"); }
};

Output& output() {
  // Never destroyed: a thread may still log while the program ends.
  static auto* const never_destroyed = new Output;
  return *never_destroyed;
}

Format format_now() {
  return output().format;
}

spdlog::level::level_enum in_spdlog(Level level) {
  constexpr std::array kTwins = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  return kTwins[static_cast<std::size_t>(level)];
}

void write(Level level, std::string_view message, Fields fields) {
  Output& out = output();
  if (!out.logger.should_log(in_spdlog(level))) return;
  const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  // A string_view and not a format: what is in the line is never taken for a pattern.
  const std::string line = format_line(now, level, message, fields, out.format);
  out.logger.log(in_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

Field::Field(std::string_view key, double number)
    : key_(key), value_(fmt::format("{}", number)), is_text_(!std::isfinite(number)) {}  // JSON has no nan

std::optional<Level> parse_level(std::string_view text) {
  const auto found = std::ranges::find(kLevels, text);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<Level>(found - kLevels.begin());
}

std::optional<Format> parse_format(std::string_view text) {
  const auto found = std::ranges::find(kFormats, text);
  if (found == kFormats.end()) return std::nullopt;
  return static_cast<Format>(found - kFormats.begin());
}

void configure(Level least, Format format) {
  output().format = format;
  output().logger.set_level(in_spdlog(least));
}

std::optional<Error> append_to(const std::string& path) {
  // The sink would make the directories that are not there, and not say why it cannot write.
  const net::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file.valid()) return Error{"cannot write " + path + ": " + std::strerror(errno)};
  try {
    output().logger.sinks() = {std::make_shared<spdlog::sinks::basic_file_sink_mt>(path)};
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{failure.what()};
  }
  output().logger.set_pattern("%v");
  output().logger.flush_on(spdlog::level::trace);
  return std::nullopt;
}

void never_wait() {
  writer().never_wait();
}

void start_writer() {
  writer().start();
}

void stop_writer() {
  writer().stop();
}

std::uint64_t dropped() {
  return writer().dropped();
}

void discard() {
  output().logger.sinks().clear();
}

void debug(std::string_view message, Fields fields) {
  write(Level::debug, message, fields);
}
void info(std::string_view message, Fields fields) {
  write(Level::info, message, fields);
}
void warn(std::string_view message, Fields fields) {
  write(Level::warn, message, fields);
}
void error(std::string_view message, Fields fields) {
  write(Level::error, message, fields);
}

std::string format_line(WallTime time, Level level, std::string_view message, Fields fields, Format format) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto fraction = std::chrono::duration_cast<std::chrono::milliseconds>(time - second).count();
  const std::string stamp =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(second.time_since_epoch().count()), fraction);
  const std::string_view name = kLevels[static_cast<std::size_t>(level)];

  const bool json = format == Format::json;
  std::string line = json ? fmt::format("{{\"ts\":\"{}\",\"level\":\"{}\",\"msg\":", stamp, name)
                          : fmt::format("ts={} level={} msg=", stamp, name);
  append_quoted(line, message);
  for (const Field& field : fields) {
    line += json ? fmt::format(",\"{}\":", field.key()) : fmt::format(" {}=", field.key());
    append_value(line, field, format);
  }
  if (json) line += '}';
  return line;
}

}  // namespace ecmp::log
