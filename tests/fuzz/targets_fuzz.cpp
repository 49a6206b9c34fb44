// Feeds the reader of file_sd and http_sd JSON with what libFuzzer makes of the samples in corpus/targets.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/discovery.hpp"
#include "config/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ecmp::config;
  static const Config kBase;
  const auto outcome = parse_targets({reinterpret_cast<const char*>(data), size}, "fuzz", kBase);
  if (const auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
    if (problems->empty()) std::abort();
    for (const Problem& problem : *problems)
      if (problem.line == 0 || problem.column == 0 || has_control(problem.message)) std::abort();
    return 0;
  }
  for (const Found& found : std::get<std::vector<Found>>(outcome))
    if (found.destination.name.empty() || found.destination.host.empty() || found.destination.flows == 0) std::abort();
  return 0;
}
