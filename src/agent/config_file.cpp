#include "agent/config_file.hpp"

#include <filesystem>
#include <fnmatch.h>

#include "agent/tracing/reflector_thread.hpp"
#include "config/text.hpp"
#include "net/host/regular_file.hpp"

namespace ecmp {
namespace {

/// More than ten thousand destinations with everything written out need.
constexpr std::size_t kLargest = 64u << 20;

/// What files of keys hold; returns what is wrong with them.
std::vector<std::string> read_keys(config::Config& config, const std::filesystem::path& directory) {
  std::vector<std::string> problems;
  const auto read = [&](config::Destination& destination) {
    if (!destination.stamp || destination.key_file.empty()) return;
    const std::string path = (directory / destination.key_file).string();
    if (auto key = read_key_file(path); key.ok()) {
      destination.key.assign(key->begin(), key->end());
    } else {
      problems.push_back(key.error());
    }
  };
  for (config::Destination& destination : config.destinations)
    read(destination);
  read(config.mesh.probe);
  return problems;
}

LoadOutcome failed(const std::string& path, const std::string& why) {
  return std::vector<std::string>{path + ": " + why};
}

}  // namespace

LoadOutcome load_config(const std::string& path, ConfigSource source) {
  const auto text =
      source == ConfigSource::file ? net::read_regular_file(path, kLargest) : net::read_file_or_pipe(path, kLargest);
  if (!text.ok()) return failed(path, text.error());
  auto parsed = config::parse(*text, path);
  if (auto* config = std::get_if<config::Config>(&parsed)) {
    std::string& web = config->web_config_file;
    if (!web.empty()) web = (std::filesystem::path(path).parent_path() / web).string();
    std::string& key = config->reflector.key_file;
    if (!key.empty()) key = (std::filesystem::path(path).parent_path() / key).string();
    if (auto problems = read_keys(*config, std::filesystem::path(path).parent_path()); !problems.empty()) {
      for (std::string& problem : problems)
        problem = placed_problem(path, config->named_files, std::move(problem));
      return problems;
    }
    return std::move(*config);
  }
  std::vector<std::string> lines;
  for (const auto& problem : std::get<std::vector<config::Problem>>(parsed)) {
    lines.push_back(config::format_problem(path, problem));
  }
  return lines;
}

std::string placed_problem(const std::string& config_file, const std::vector<config::NamedFile>& named,
                           std::string problem) {
  const std::string path = problem.substr(0, problem.find(": "));
  const std::filesystem::path directory = std::filesystem::path(config_file).parent_path();
  for (const config::NamedFile& file : named) {
    const std::string pattern = (directory / file.path).string();
    if (path != pattern && fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) != 0) continue;
    std::string message = file.key + " = " + config::in_quotes(file.path) + ": " + problem;
    return config::format_problem(config_file, {file.line, file.column, std::move(message)});
  }
  return problem;
}

}  // namespace ecmp
