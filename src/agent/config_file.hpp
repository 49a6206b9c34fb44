#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

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

/// A problem with a file that a configuration names, "PATH: what", as one of the place where `config_file` names it:
/// "FILE:LINE:COLUMN: KEY = "PATH": PATH: what". Others stay as they are: they have a line of their own already.
std::string placed_problem(const std::string& config_file, const std::vector<config::NamedFile>& named,
                           std::string problem);

}  // namespace ecmp
