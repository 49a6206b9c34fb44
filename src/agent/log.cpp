#include "agent/log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <memory>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "config/text.hpp"
#include "net/file_descriptor.hpp"

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
    const auto point = config::decode_utf8(text, at);
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

void append_value(std::string& line, const Field& field, Format format) {
  const bool bare = format == Format::logfmt ? is_plain(field.value()) : !field.is_text();
  if (bare) {
    line += field.value();
  } else {
    append_quoted(line, field.value());
  }
}

struct Output {
  spdlog::logger logger{"ecmp", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  std::atomic<Format> format{Format::logfmt};

  Output() { logger.set_pattern("%v"); }
};

Output& output() {
  // Never destroyed: a thread may still log while the program ends.
  static auto* const never_destroyed = new Output;
  return *never_destroyed;
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
