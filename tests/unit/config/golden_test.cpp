#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "parsing.hpp"

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

// Each tests/golden/config/NAME.toml has a NAME.expected: what --config.check says of it. When words were changed on
// purpose, run once with ECMP_REWRITE_GOLDEN=1 in the environment and read the difference before committing it.
TEST_CASE("each golden configuration is told exactly what is wrong with it", "[config][golden]") {
  const fs::path directory = fs::path(ECMP_SOURCE_DIR) / "tests/golden/config";
  std::set<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".toml") inputs.insert(entry.path());
  REQUIRE(inputs.size() >= 10);

  for (const fs::path& input : inputs) {
    CAPTURE(input.filename().string());
    const fs::path expected = fs::path(input).replace_extension(".expected");
    const std::string problems = ecmp::config::problems_of(read(input));
    if (std::getenv("ECMP_REWRITE_GOLDEN") != nullptr) std::ofstream(expected, std::ios::binary) << problems;
    CHECK(fs::exists(expected));
    CHECK(problems == read(expected));
  }
}
