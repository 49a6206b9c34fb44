#include "sim/scenario_files.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace ecmp::sim {

Scenario load_scenario(std::string_view name) {
  const std::string path = std::string(ECMP_SCENARIOS) + "/" + std::string(name) + ".toml";
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Scenario> scenario = parse_scenario(text, path);
  if (!scenario) throw std::runtime_error(scenario.error());
  scenario->name = name;
  return std::move(*scenario);
}

}  // namespace ecmp::sim
