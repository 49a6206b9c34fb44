#include "agent/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include "agent/arguments.hpp"
#include "agent/version.hpp"
#include "config/config.hpp"
#include "config/text.hpp"

namespace ecmp {

namespace {

constexpr int kBadUsage = 2;
constexpr int kMostShards = 1000;

constexpr std::string_view kHelp =
    R"(Usage: ecmp_exporter [OPTION]...
Watches the parallel paths to the destinations of a configuration file, and serves what it sees to Prometheus.

  --config.file=PATH          configuration (default /etc/ecmp_exporter/ecmp_exporter.toml)
  --config.check              check the configuration, report all that is wrong with it, and exit: 0 good, 1 not
  --web.listen-address=ADDR   where to serve, such as :10815, 127.0.0.1:10815, [::1]:10815 or unix:/run/x.sock; may be
                              given more than once (default: web.listen_addresses of the configuration, and without
                              those :10815)
  --web.systemd-socket        serve on the sockets that systemd passes, and on no listen address
  --web.config.file=PATH      TLS and basic auth, in the format of Prometheus' exporter-toolkit (default:
                              web.config_file of the configuration, and without it neither of the two)
  --web.enable-lifecycle=BOOL whether POST /-/reload is served (default true)
  --shard.index=N             which part of the destinations to trace, from 0, and of how many: instead of shard.index
  --shard.count=N             and shard.count of the configuration
  --user=NAME                 become this user once everything that takes a privilege is open
  --sandbox=MODE              what becomes of a system call that this program does not make: on (it fails, the
                              default), kill (it ends the program) or off (nothing is filtered)
  --log.level=LEVEL           least severe messages to log: debug, info, warn or error (default info)
  --log.format=FORMAT         logfmt or json (default logfmt)
  --version                   print the version and exit
  --help                      print this text and exit

SIGTERM and SIGINT stop the program. SIGHUP, as POST /-/reload, reads the configuration again; one with a mistake in it
changes nothing. A changed web configuration, certificate or key takes effect with the next connection.
Exit status: 0 after a clean stop, 1 after a failure, 2 after bad usage.
)";

EarlyExit bad_usage(std::string_view what) {
  return {kBadUsage, "", fmt::format("ecmp_exporter: {}\nTry 'ecmp_exporter --help'.\n", config::printable(what, 400))};
}

/// The values as they were given.
struct Given {
  std::string config_file;
  std::string web_config_file;
  std::string user;
  std::string sandbox = "on";
  std::string log_level = "info";
  std::string log_format = "logfmt";
  std::vector<std::string> listen_addresses;
  std::optional<std::uint32_t> shard_index;
  std::optional<std::uint32_t> shard_count;
  bool systemd_socket = false;
  bool lifecycle = true;
  bool check_only = false;
  bool version = false;
  bool help = false;
};

/// The words of what is wrong, or none.
std::string read(int argc, const char* const* argv, Given& given) {
  CLI::App app;
  app.set_help_flag();
  app.add_option("--config.file", given.config_file);
  app.add_flag("--config.check", given.check_only)->disable_flag_override();
  app.add_option("--web.listen-address", given.listen_addresses)->allow_extra_args(false);
  app.add_option("--web.config.file", given.web_config_file);
  app.add_flag("--web.systemd-socket", given.systemd_socket)->disable_flag_override();
  app.add_flag("--web.enable-lifecycle,!--no-web.enable-lifecycle", given.lifecycle);
  app.add_option("--shard.index", given.shard_index)->check(CLI::Range(0, kMostShards - 1));
  app.add_option("--shard.count", given.shard_count)->check(CLI::Range(1, kMostShards));
  app.add_option("--user", given.user);
  app.add_option("--sandbox", given.sandbox);
  app.add_option("--log.level", given.log_level);
  app.add_option("--log.format", given.log_format);
  app.add_flag("--version", given.version)->disable_flag_override();
  app.add_flag("--help", given.help)->disable_flag_override();
  try {
    const std::vector<std::string> arguments = with_empty_values(argc, argv);
    app.parse(static_cast<int>(arguments.size()), pointers_to(arguments).data());
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return {};
}

std::optional<net::Sandbox> parse_sandbox(std::string_view text) {
  if (text == "on") return net::Sandbox::on;
  if (text == "kill") return net::Sandbox::kill;
  if (text == "off") return net::Sandbox::off;
  return std::nullopt;
}

}  // namespace

int take_leave(const EarlyExit& exit) {
  std::fputs(exit.out.c_str(), stdout);
  std::fputs(exit.error.c_str(), stderr);
  // Of a text longer than the buffer the first part may have failed, and the last have found room.
  const bool flushed = std::fflush(stdout) == 0;
  return flushed && std::ferror(stdout) == 0 ? exit.code : 1;
}

std::variant<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv) {
  Given given;
  CommandLine line;
  given.config_file = line.config_file;
  if (const std::string wrong = read(argc, argv, given); !wrong.empty()) return bad_usage(wrong);
  if (given.help) return EarlyExit{0, std::string(kHelp), ""};
  if (given.version) return EarlyExit{0, fmt::format("ecmp_exporter {} (commit: {})\n", version(), revision()), ""};

  if (given.config_file.empty()) return bad_usage("--config.file: expected the path of a file");
  if (given.systemd_socket && !given.listen_addresses.empty())
    return bad_usage("--web.systemd-socket: not together with --web.listen-address");
  for (const std::string& address : given.listen_addresses) {
    if (const auto listen = config::parse_listen_address(address); !listen)
      return bad_usage(fmt::format("--web.listen-address={}: {}", address, listen.error()));
    if (std::ranges::count(given.listen_addresses, address) > 1)
      return bad_usage(fmt::format("--web.listen-address={}: given twice", address));
  }
  const auto sandbox = parse_sandbox(given.sandbox);
  if (!sandbox) return bad_usage(fmt::format("--sandbox={}: expected on, kill or off", given.sandbox));
  const auto level = log::parse_level(given.log_level);
  if (!level) return bad_usage(fmt::format("--log.level={}: expected debug, info, warn or error", given.log_level));
  const auto format = log::parse_format(given.log_format);
  if (!format) return bad_usage(fmt::format("--log.format={}: expected logfmt or json", given.log_format));

  line.config_file = given.config_file;
  line.check_only = given.check_only;
  line.listen_addresses = given.listen_addresses;
  line.web_config_file = given.web_config_file;
  line.systemd_socket = given.systemd_socket;
  line.lifecycle = given.lifecycle;
  line.shard_index = given.shard_index;
  line.shard_count = given.shard_count;
  line.user = given.user;
  line.sandbox = *sandbox;
  line.log_level = *level;
  line.log_format = *format;
  return line;
}

}  // namespace ecmp
