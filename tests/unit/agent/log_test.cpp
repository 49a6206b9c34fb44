#include "agent/log.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"

using ecmp::WallTime;
using ecmp::log::Fields;
using ecmp::log::Format;
using ecmp::log::format_line;
using ecmp::log::Level;

namespace {

// 2026-01-01T00:00:00.0125Z
constexpr WallTime kTime{std::chrono::nanoseconds(1'767'225'600'012'500'000)};

std::string logfmt(std::string_view message, Fields fields) {
  return format_line(kTime, Level::info, message, fields, Format::logfmt);
}

nlohmann::json json(std::string_view message, Fields fields) {
  return nlohmann::json::parse(format_line(kTime, Level::warn, message, fields, Format::json));
}

/// What `action` writes to standard error.
template <typename Action>
std::string captured(Action action) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  action();
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::rewind(file);
  std::array<char, 4096> buffer{};
  const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file);
  std::fclose(file);
  return {buffer.data(), size};
}

}  // namespace

TEST_CASE("a logfmt line has time, level, message and fields", "[agent]") {
  CHECK(
      logfmt("config loaded", {{"file", "/etc/x.toml"}, {"destinations", 3}, {"ok", true}, {"took", 0.25}}) ==
      "ts=2026-01-01T00:00:00.012Z level=info msg=\"config loaded\" file=/etc/x.toml destinations=3 ok=true took=0.25");
  CHECK(format_line(WallTime{}, Level::error, "", {}, Format::logfmt) ==
        "ts=1970-01-01T00:00:00.000Z level=error msg=\"\"");
}

TEST_CASE("a JSON line has the same, with types", "[agent]") {
  const auto line =
      json("config loaded", {{"file", "/etc/x.toml"}, {"destinations", 3u}, {"ok", false}, {"took", 0.25}});
  CHECK(line == nlohmann::json({{"ts", "2026-01-01T00:00:00.012Z"},
                                {"level", "warn"},
                                {"msg", "config loaded"},
                                {"file", "/etc/x.toml"},
                                {"destinations", 3},
                                {"ok", false},
                                {"took", 0.25}}));
  CHECK(json("x", {{"rtt", std::numeric_limits<double>::quiet_NaN()}})["rtt"] == "nan");
}

TEST_CASE("hostile text cannot forge fields, lines or terminal commands", "[agent]") {
  const std::string name = "evil\" level=error\nts=1 \x1b[2J\\ \xe2\x80\xae \xff";
  CHECK(logfmt("name found", {{"name", name}}) ==
        "ts=2026-01-01T00:00:00.012Z level=info msg=\"name found\" "
        "name=\"evil\\\" level=error\\nts=1 \\u001b[2J\\\\ \\u202e \xef\xbf\xbd\"");
  CHECK(json(name, {{"name", name}})["name"] == "evil\" level=error\nts=1 \x1b[2J\\ \xe2\x80\xae \xef\xbf\xbd");
  CHECK(logfmt("x", {{"a", ""}, {"b", "c=d"}, {"e", "f g"}}) ==
        "ts=2026-01-01T00:00:00.012Z level=info msg=\"x\" a=\"\" b=\"c=d\" e=\"f g\"");
  CHECK(logfmt("x", {{"a", std::string(1 << 20, 'a')}}).size() < 5000);
  CHECK(json("x", {{"a", std::string(1 << 20, '\n')}}).dump().size() < 10000);
}

TEST_CASE("levels and formats have the names of the command line", "[agent]") {
  CHECK(ecmp::log::parse_level("debug") == Level::debug);
  CHECK(ecmp::log::parse_level("error") == Level::error);
  CHECK_FALSE(ecmp::log::parse_level("Error"));
  CHECK_FALSE(ecmp::log::parse_level(""));
  CHECK(ecmp::log::parse_format("json") == Format::json);
  CHECK_FALSE(ecmp::log::parse_format("text"));
}

TEST_CASE("the log is written to standard error from its least level up", "[agent]") {
  const std::string lines = captured([] {
    ecmp::log::configure(Level::warn, Format::json);
    ecmp::log::info("kept quiet");
    ecmp::log::warn("a {} is no pattern, nor is %v", {{"count", 1}});
    ecmp::log::configure(Level::debug, Format::logfmt);
    ecmp::log::debug("second line");
    ecmp::log::configure(Level::info, Format::logfmt);
    ecmp::log::debug("kept quiet too");
  });
  CHECK_THAT(lines,
             Catch::Contains("\"level\":\"warn\",\"msg\":\"a {} is no pattern, nor is %v\",\"count\":1}\nts=20"));
  CHECK_THAT(lines, Catch::EndsWith(" level=debug msg=\"second line\"\n"));
  CHECK_THAT(lines, !Catch::Contains("kept quiet"));
}

TEST_CASE("a reader that stalls holds up nobody who logs, and is told later what it missed", "[agent]") {
  std::array<int, 2> pipe{}, done{};
  REQUIRE(::pipe(pipe.data()) == 0);
  REQUIRE(::pipe(done.data()) == 0);
  const pid_t child = ::fork();  // the queue has a thread, and no way back
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(pipe[0]);
    ::dup2(pipe[1], STDERR_FILENO);
    ecmp::log::start_writer();
    for (int i = 0; i < 100000; ++i)
      ecmp::log::info("one of many", {{"number", i}});
    const bool counted = ecmp::log::dropped() > 50000;  // a pipe takes 64 KiB, the queue a megabyte
    const bool said = ::write(done[1], "x", 1) == 1;    // from here on it is read
    ecmp::log::stop_writer();
    ::_exit(counted && said ? 0 : 1);
  }
  ::close(pipe[1]);
  std::array<char, 65536> buffer{};
  CHECK(::read(done[0], buffer.data(), 1) == 1);
  std::string text;
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  for (const int end : {pipe[0], done[0], done[1]})
    ::close(end);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(text.find("number=0\n") != std::string::npos);
  CHECK(text.find("msg=\"lines of this log were dropped: its reader is too slow\" lines=") != std::string::npos);
  CHECK(text.ends_with('\n'));
}

TEST_CASE("a program can end while the reader of its log stalls", "[agent]") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe[1], STDERR_FILENO);
    ecmp::log::start_writer();
    for (int i = 0; i < 3000; ++i)
      ecmp::log::info("one of many", {{"number", i}});
    ecmp::log::stop_writer();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
  ::close(pipe[0]);
  ::close(pipe[1]);
}
