#pragma once

#include <string>
#include <vector>

namespace ecmp {

/// The arguments of a program, argv[0] among them, with each "--name=" as "--name" and an empty value. The parser takes
/// what follows "--name=" for its value, so that "--config.file= --config.check" would read a file "--config.check".
/// What stands behind "--" stays as it is.
std::vector<std::string> with_empty_values(int argc, const char* const* argv);

/// The same for whoever wants them as main() gets them; valid as long as `arguments` is.
std::vector<const char*> pointers_to(const std::vector<std::string>& arguments);

}  // namespace ecmp
