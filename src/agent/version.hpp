#pragma once

#include <string_view>

namespace ecmp {

/// "1.2.3", from CMakeLists.txt.
std::string_view version();

/// Short commit hash the build was made of; "unknown" outside a checkout.
std::string_view revision();

/// The day the build was configured, such as "2026-01-31"; SOURCE_DATE_EPOCH fixes it.
std::string_view built();

}  // namespace ecmp
