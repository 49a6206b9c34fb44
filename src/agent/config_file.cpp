#include "agent/config_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "agent/tracing/reflector_thread.hpp"

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

LoadOutcome load_config(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) return failed(path, std::generic_category().message(errno));
  std::string text;
  std::string block(64u << 10, '\0');
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    text.append(block, 0, got);
    if (text.size() > kLargest) return failed(path, "larger than 64 MiB");
  }
  if (std::ferror(file.get()) != 0) return failed(path, std::generic_category().message(errno));
  auto parsed = config::parse(text, path);
  if (auto* config = std::get_if<config::Config>(&parsed)) {
    std::string& web = config->web_config_file;
    if (!web.empty()) web = (std::filesystem::path(path).parent_path() / web).string();
    std::string& key = config->reflector.key_file;
    if (!key.empty()) key = (std::filesystem::path(path).parent_path() / key).string();
    if (auto problems = read_keys(*config, std::filesystem::path(path).parent_path()); !problems.empty())
      return problems;
    return std::move(*config);
  }
  std::vector<std::string> lines;
  for (const auto& problem : std::get<std::vector<config::Problem>>(parsed)) {
    lines.push_back(config::format_problem(path, problem));
  }
  return lines;
}

}  // namespace ecmp
