#pragma once

#include <string>
#include <string_view>

namespace ecmp::render::test {

/// Compares with tests/golden/render/NAME, and says the first line that differs. With UPDATE_GOLDEN=1 in the
/// environment it writes the file instead.
void check_golden(const std::string& name, std::string_view actual);

}  // namespace ecmp::render::test
