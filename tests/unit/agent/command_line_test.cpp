#include "agent/command_line.hpp"

#include <algorithm>

#include "agent/version.hpp"
#include "catch.hpp"

using ecmp::CommandLine;
using ecmp::EarlyExit;

namespace {

std::variant<CommandLine, EarlyExit> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ecmp_exporter");
  return ecmp::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

CommandLine good(const std::vector<const char*>& arguments) {
  const auto outcome = parse(arguments);
  if (const auto* early = std::get_if<EarlyExit>(&outcome)) FAIL(early->error);
  return std::get<CommandLine>(outcome);
}

}  // namespace

TEST_CASE("without arguments everything has its default", "[agent]") {
  const CommandLine line = good({});
  CHECK(line.config_file == "/etc/ecmp_exporter/ecmp_exporter.toml");
  CHECK_FALSE(line.check_only);
  CHECK(line.listen_addresses.empty());
  CHECK(line.log_level == ecmp::log::Level::info);
  CHECK(line.log_format == ecmp::log::Format::logfmt);
}

TEST_CASE("each option sets what it names", "[agent]") {
  const CommandLine line =
      good({"--config.file=a.toml", "--config.check", "--web.listen-address=:1", "--web.listen-address", "[::1]:2",
            "--log.level=debug", "--log.format", "json", "--web.config.file=web.yml"});
  CHECK(line.config_file == "a.toml");
  CHECK(line.check_only);
  CHECK(line.listen_addresses == std::vector<std::string>{":1", "[::1]:2"});
  CHECK(line.web_config_file == "web.yml");
  CHECK_FALSE(line.systemd_socket);
  CHECK(good({"--web.systemd-socket"}).systemd_socket);
  CHECK(line.log_level == ecmp::log::Level::debug);
  CHECK(line.log_format == ecmp::log::Format::json);
}

TEST_CASE("bad usage is told on standard error, with exit status 2", "[agent]") {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{"--config.fil=a"}, "--config.fil=a"},
      {{"--config.file"}, "--config.file"},
      {{"--config.file=a", "--config.file=b"}, "--config.file"},
      {{"--config.check=maybe"}, "config.check"},
      {{"a.toml"}, "a.toml"},
      {{"--web.listen-address=10815"}, "--web.listen-address=10815: expected an address such as"},
      {{"--web.listen-address=:1", ":2"}, ":2"},
      {{"--web.systemd-socket", "--web.listen-address=:1"}, "--web.systemd-socket: not together"},
      {{"--web.listen-address=:1", "--web.listen-address=:1"}, "--web.listen-address=:1: given twice"},
      {{"--web.listen-address=", "--config.check"}, "--web.listen-address=: expected an address such as"},
      {{"--config.file=", "--config.check"}, "--config.file: expected the path of a file"},
      {{"--log.level=", "--config.check"}, "--log.level=: expected debug"},
      {{"--config.check="}, "not expected"},
      {{"--web.systemd-socket=maybe"}, "web.systemd-socket"},
      {{"--log.level=loud"}, "--log.level=loud: expected debug, info, warn or error"},
      {{"--log.level=INFO"}, "--log.level=INFO"},
      {{"--log.format=xml"}, "--log.format=xml: expected logfmt or json"},
      {{"-c"}, "-c"},
      {{"--\x1b[2J\n"}, "\\u{1b}[2J\\n"},
  };
  for (const auto& [arguments, words] : cases) {
    CAPTURE(words);
    const auto outcome = parse(arguments);
    const auto* early = std::get_if<EarlyExit>(&outcome);
    REQUIRE(early != nullptr);
    CHECK(early->code == 2);
    CHECK(early->out.empty());
    CHECK_THAT(early->error, Catch::StartsWith("ecmp_exporter: ") && Catch::Contains(words) &&
                                 Catch::EndsWith("\nTry 'ecmp_exporter --help'.\n"));
    CHECK(std::count(early->error.begin(), early->error.end(), '\n') == 2);
  }
}

TEST_CASE("the options --version and --help answer on standard output", "[agent]") {
  const auto version = std::get<EarlyExit>(parse({"--version"}));
  CHECK(version.code == 0);
  CHECK(version.out ==
        "ecmp_exporter " + std::string(ecmp::version()) + " (commit: " + std::string(ecmp::revision()) + ")\n");
  CHECK(version.error.empty());

  const auto help = std::get<EarlyExit>(parse({"--help", "--log.level=info"}));
  CHECK(help.code == 0);
  CHECK(help.error.empty());
  for (const char* option :
       {"--config.file=", "--config.check ", "--web.listen-address=", "--web.config.file=", "--web.systemd-socket ",
        "--log.level=", "--log.format=", "--version ", "--help ", "/etc/ecmp_exporter/ecmp_exporter.toml", ":10815"}) {
    CAPTURE(option);
    CHECK_THAT(help.out, Catch::Contains(option));
  }
}
