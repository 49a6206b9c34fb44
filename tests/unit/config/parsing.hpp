#pragma once

#include <string>
#include <string_view>

#include "catch.hpp"
#include "config/config.hpp"

namespace ecmp::config {

/// All problems, one a line, as --config.check prints them; empty if there are none.
inline std::string problems_of(std::string_view text) {
  const ParseOutcome outcome = parse(text, "test.toml");
  std::string lines;
  if (const auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
    for (const Problem& problem : *problems)
      lines += format_problem("test.toml", problem) + "\n";
  }
  return lines;
}

inline Config must_parse(std::string_view text) {
  CAPTURE(text);
  REQUIRE(problems_of(text).empty());
  return std::get<Config>(parse(text, "test.toml"));
}

}  // namespace ecmp::config
