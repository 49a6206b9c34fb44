#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/log.hpp"
#include "net/host/sandbox.hpp"

namespace ecmp {

/// What ecmp_exporter was asked to do.
struct CommandLine {
  std::string config_file = "/etc/ecmp_exporter/ecmp_exporter.toml";
  bool check_only = false;
  std::vector<std::string> listen_addresses;  ///< checked; none: those of the configuration
  std::string web_config_file;                ///< empty: that of the configuration
  bool systemd_socket = false;                ///< instead of all listen addresses
  bool lifecycle = true;                      ///< POST /-/reload is served
  std::optional<std::uint32_t> shard_index;   ///< instead of that of the configuration
  std::optional<std::uint32_t> shard_count;   ///< the same
  std::string user;                           ///< whom to become once everything is open; empty: nobody else
  net::Sandbox sandbox = net::Sandbox::on;
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::logfmt;
};

/// The program ends at once: 0 after --help and --version, 2 after bad usage.
struct EarlyExit {
  int code = 0;
  std::string out;    ///< for standard output
  std::string error;  ///< for standard error
};

/// Prints what there is to print; returns the status to end with: 1 if standard output could not take it.
int take_leave(const EarlyExit& exit);

/// Reads the arguments of ecmp_exporter, argv[0] being its name.
std::variant<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv);

}  // namespace ecmp
