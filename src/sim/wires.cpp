#include "sim/wires.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace ecmp::sim {

namespace {

using Group = std::vector<std::string>;

bool is_letter(char letter) {
  return std::isalpha(static_cast<unsigned char>(letter)) != 0;
}
bool is_digit(char letter) {
  return std::isdigit(static_cast<unsigned char>(letter)) != 0;
}

/// "b9" into "b" and 9.
std::optional<std::pair<std::string, unsigned>> split_number(std::string_view name) {
  std::size_t digits = name.size();
  while (digits > 0 && is_digit(name[digits - 1]))
    --digits;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data() + digits, name.data() + name.size(), number);
  if (digits == name.size() || error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return std::pair{std::string(name.substr(0, digits)), number};
}

/// A name, or a range of them.
bool add_names(std::string_view word, Group& group) {
  const std::size_t dots = word.find("..");
  if (dots == std::string_view::npos) {
    group.emplace_back(word);
    return is_node_name(word);
  }
  constexpr unsigned kLongest = 4096;
  const auto first = split_number(word.substr(0, dots));
  const auto last = split_number(word.substr(dots + 2));
  if (!first || !last || first->first != last->first || !is_node_name(word.substr(0, dots))) return false;
  if (last->second < first->second || last->second - first->second >= kLongest) return false;
  for (unsigned number = first->second; number <= last->second; ++number)
    group.push_back(first->first + std::to_string(number));
  return true;
}

Group split_words(std::string_view text) {
  Group words;
  std::string word;
  for (const char letter : text) {
    const bool sign = letter == '(' || letter == ')' || letter == '-' || letter == '=';
    if (sign || letter == ' ' || letter == '\n' || letter == '\t') {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
      if (sign) words.emplace_back(1, letter);
    } else {
      word += letter;
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

}  // namespace

bool is_node_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::ranges::all_of(text, [](char letter) { return is_letter(letter) || is_digit(letter) || letter == '_'; });
}

Result<std::vector<std::pair<std::string, std::string>>> parse_wires(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  Group before;
  Group group;
  char sign = 0;
  bool inside = false;
  const auto connect = [&]() -> std::string {
    if (group.empty()) return "a name or a group is missing beside a sign";
    if (sign == '=') {
      if (before.size() != group.size()) return "\"=\" needs as many nodes on its left as on its right";
      for (std::size_t i = 0; i < group.size(); ++i)
        pairs.emplace_back(before[i], group[i]);
    } else if (sign == '-') {
      for (const std::string& left : before) {
        for (const std::string& right : group)
          pairs.emplace_back(left, right);
      }
    }
    before = std::exchange(group, {});
    return {};
  };
  for (const std::string& word : split_words(text)) {
    if (word == "(" || word == ")") {
      if (inside == (word == "(") || (word == "(" && !group.empty())) return Error{"misplaced \"" + word + "\""};
      inside = word == "(";
    } else if (word == "-" || word == "=") {
      if (inside) return Error{"misplaced \"" + word + "\""};
      if (const std::string problem = connect(); !problem.empty()) return Error{problem};
      sign = word[0];
    } else {
      if (!inside && !group.empty()) return Error{"no sign before \"" + word + "\""};
      if (!add_names(word, group)) return Error{"\"" + word + "\" is neither a name nor a range"};
    }
  }
  if (inside) return Error{"\")\" is missing"};
  if (const std::string problem = connect(); !problem.empty()) return Error{problem};
  if (sign == 0) return Error{"nothing is connected"};
  return pairs;
}

}  // namespace ecmp::sim
