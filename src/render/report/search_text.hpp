#pragma once

#include <string>

#include "path/search/search_progress.hpp"

namespace ecmp::render {

/// "discovering: 9 paths, 63 flows asked, 82 %"; or what was found: "16 paths found, 251 flows asked, 32 kept, coverage
/// 97.4 %", with the balancers that do not keep flows together. On one line, for people.
std::string search_text(const SearchProgress& progress);

/// {"searching":false,"finished":1,"paths":16,...}
void append_search(std::string& out, const SearchProgress& progress);

}  // namespace ecmp::render
