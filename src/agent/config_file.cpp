#include "agent/config_file.hpp"

#include <algorithm>
#include <filesystem>

#include "agent/tracing/reflector_thread.hpp"
#include "config/text.hpp"
#include "net/host/regular_file.hpp"

namespace ecmp {
namespace {

/// More than ten thousand destinations with everything written out need.
constexpr std::size_t kLargest = 64u << 20;

/// What files of keys hold; returns what is wrong with them.
std::vector<FileProblem> read_keys(config::Config& config, const std::filesystem::path& directory) {
  std::vector<FileProblem> problems;
  const auto read = [&](config::Destination& destination) {
    if (!destination.stamp || destination.key_file.empty()) return;
    const std::string path = (directory / destination.key_file).string();
    if (auto key = read_key_file(path); key.ok()) {
      destination.key.assign(key->begin(), key->end());
    } else {
      problems.push_back({path, key.error()});
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
    std::vector<std::string> lines;
    for (const FileProblem& problem : read_keys(*config, std::filesystem::path(path).parent_path()))
      lines.push_back(placed_problem(path, config->named_files, problem));
    if (!lines.empty()) return lines;
    return std::move(*config);
  }
  std::vector<std::string> lines;
  for (const auto& problem : std::get<std::vector<config::Problem>>(parsed)) {
    lines.push_back(config::format_problem(path, problem));
  }
  return lines;
}

std::string placed_problem(const std::string& config_file, const std::vector<config::NamedFile>& named,
                           const FileProblem& problem) {
  const std::filesystem::path directory = std::filesystem::path(config_file).parent_path();
  const auto file = std::ranges::find_if(
      named, [&](const config::NamedFile& one) { return (directory / one.path).string() == problem.named; });
  if (problem.named.empty() || file == named.end()) return problem.line;
  return config::format_problem(
      config_file, {file->line, file->column, file->key + " = " + config::in_quotes(file->path) + ": " + problem.line});
}

}  // namespace ecmp
