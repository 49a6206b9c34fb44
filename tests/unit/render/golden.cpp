#include "golden.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "catch.hpp"

namespace ecmp::render::test {

void check_golden(const std::string& name, std::string_view actual) {
  const std::string file = std::string(ECMP_RENDER_GOLDEN_DIRECTORY) + "/" + name;
  const char* const update = std::getenv("UPDATE_GOLDEN");  // NOLINT(concurrency-mt-unsafe)
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream(file, std::ios::binary) << actual;
  }
  std::ifstream stream(file, std::ios::binary);
  CAPTURE(file);
  REQUIRE(stream);
  const std::string expected((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (expected == actual) {
    SUCCEED();
    return;
  }
  const auto differs = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  const auto at = static_cast<std::size_t>(differs.first - expected.begin());
  const auto line_at = [at](std::string_view text) {
    const std::size_t begin = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    const std::size_t from = begin == std::string_view::npos ? 0 : begin + 1;
    return std::string(text.substr(from, text.find('\n', from) - from));
  };
  const std::string expected_line = line_at(expected);
  const std::string actual_line = line_at(actual);
  CAPTURE(at, expected_line, actual_line);
  FAIL_CHECK("differs from the golden file; UPDATE_GOLDEN=1 writes it anew");
}

}  // namespace ecmp::render::test
