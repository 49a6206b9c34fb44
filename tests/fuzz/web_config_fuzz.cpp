// Any text is a web configuration or a list of problems, each of them one line with a place. No problem quotes a hash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/web_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto outcome = ecmp::config::parse_web_config(text);
  if (const auto* config = std::get_if<ecmp::config::WebConfig>(&outcome)) {
    if (config->rate_limit && (config->rate_limit->burst == 0 || config->rate_limit->interval.count() < 0))
      std::abort();
    for (const auto& [name, value] : config->headers)
      if (name.find_first_of("\r\n") != std::string::npos || value.find_first_of("\r\n") != std::string::npos)
        std::abort();
    return 0;
  }
  const auto& problems = std::get<std::vector<ecmp::config::Problem>>(outcome);
  if (problems.empty()) std::abort();
  for (const auto& problem : problems) {
    const bool one_line = problem.message.find_first_of("\r\n") == std::string::npos && !problem.message.empty();
    if (!one_line || problem.line < 1 || problem.column < 1) std::abort();
    if (problem.message.find("$2") != std::string::npos) std::abort();
  }
  return 0;
}
