#include "agent/arguments.hpp"

#include <string_view>

namespace ecmp {

std::vector<std::string> with_empty_values(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  bool options = true;
  for (int i = 0; i < argc; ++i) {
    std::string_view argument = argv[i];
    options = options && argument != "--";
    const bool empty = i > 0 && options && argument.size() > 3 && argument.starts_with("--") &&
                       argument.find('=') == argument.size() - 1;
    if (empty) argument.remove_suffix(1);
    arguments.emplace_back(argument);
    if (empty) arguments.emplace_back();
  }
  return arguments;
}

std::vector<const char*> pointers_to(const std::vector<std::string>& arguments) {
  std::vector<const char*> pointers;
  pointers.reserve(arguments.size());
  for (const std::string& argument : arguments)
    pointers.push_back(argument.c_str());
  return pointers;
}

}  // namespace ecmp
