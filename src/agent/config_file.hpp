#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/file_problem.hpp"
#include "config/config.hpp"

namespace ecmp {

/// A configuration, or the lines that say what is wrong with the file.
using LoadOutcome = std::variant<config::Config, std::vector<std::string>>;

/// What a configuration may be read from.
enum class ConfigSource : std::uint8_t {
  file_or_pipe,  ///< at the start, which may wait for whoever writes it: --config.file=<(command)
  file,          ///< later: what waited for a pipe could not be stopped
};

/// Reads and checks a configuration file, of at most 64 MiB. The web configuration that it names is not read, but its
/// path is relative to this file.
LoadOutcome load_config(const std::string& path, ConfigSource source);

/// The line of a problem, with the place where `config_file` names the file before it:
/// "FILE:LINE:COLUMN: KEY = "PATH": LINE". Of problems that no name leads to, the line alone.
std::string placed_problem(const std::string& config_file, const std::vector<config::NamedFile>& named,
                           const FileProblem& problem);

}  // namespace ecmp
