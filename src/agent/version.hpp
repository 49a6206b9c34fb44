#pragma once

#include <string_view>

namespace ecmp {

/// "1.2.3", from CMakeLists.txt.
std::string_view version();

/// Short commit hash the build was made of; "unknown" outside a checkout.
std::string_view revision();

}  // namespace ecmp
