#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

/// The program's log: one line an event on standard error, in logfmt or JSON. Safe to call from any thread. Text from
/// the network (DNS names, requests) may be logged as it is: nothing in it can end a line, forge a field, move the
/// cursor of a terminal, or grow beyond a few kilobytes.
namespace ecmp::log {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { logfmt, json };

/// "debug", "info", "warn", "error"; "logfmt", "json".
std::optional<Level> parse_level(std::string_view text);
std::optional<Format> parse_format(std::string_view text);

/// A key, a plain word of the caller's, and its value.
class Field {
 public:
  Field(std::string_view key, std::string_view text) : key_(key), value_(text), is_text_(true) {}
  Field(std::string_view key, const char* text) : Field(key, std::string_view(text)) {}
  Field(std::string_view key, const std::string& text) : Field(key, std::string_view(text)) {}
  Field(std::string_view key, bool value) : key_(key), value_(value ? "true" : "false") {}
  Field(std::string_view key, std::integral auto number) : key_(key), value_(std::to_string(number)) {}
  Field(std::string_view key, double number);

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }
  /// Whether the value is text, and not a number or a truth.
  [[nodiscard]] bool is_text() const { return is_text_; }

 private:
  std::string_view key_;
  std::string value_;
  bool is_text_ = false;
};

using Fields = std::initializer_list<Field>;

/// Sets what is written and how; before, it is info and above in logfmt. May be called again.
void configure(Level least, Format format);

/// Writes to the end of this file from now on, instead of to standard error. To be called before anything is logged.
std::optional<Error> append_to(const std::string& path);

/// From now on nobody who logs waits for whoever reads: a line that standard error has no room for is dropped, and
/// counted in dropped().
void never_wait();

/// Lines wait in a queue of a megabyte from now on, and a thread of its own writes them. When the queue is full,
/// because the reader has stalled, lines are dropped; how many is the first line to be written afterwards. To be called
/// once.
void start_writer();
/// Writes what waits, unless that takes longer than half a second: the program can end whoever reads or does not.
void stop_writer();

/// Lines that were not written.
[[nodiscard]] std::uint64_t dropped();

/// Writes nothing from now on. To be called before anything is logged.
void discard();

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

/// The line that is written, without its line end:
/// `ts=2026-01-01T00:00:00.000Z level=info msg="config loaded" file=/etc/x.toml destinations=3`
std::string format_line(WallTime time, Level level, std::string_view message, Fields fields, Format format);

}  // namespace ecmp::log
