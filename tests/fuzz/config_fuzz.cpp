// Any text is a configuration or a list of problems, each of them one line with a place that is in the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto outcome = ecmp::config::parse(text, "fuzz.toml");
  if (const auto* config = std::get_if<ecmp::config::Config>(&outcome)) {
    if (config->destinations.size() > config->limits.max_destinations) std::abort();
    return 0;
  }
  const auto& problems = std::get<std::vector<ecmp::config::Problem>>(outcome);
  if (problems.empty()) std::abort();
  const auto lines = static_cast<std::uint64_t>(std::ranges::count(text, '\n')) + 1;
  for (const auto& problem : problems) {
    const bool one_line = problem.message.find_first_of("\r\n") == std::string::npos && !problem.message.empty();
    if (!one_line || problem.line < 1 || problem.line > lines + 1 || problem.column < 1) std::abort();
  }
  return 0;
}
