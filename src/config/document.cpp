#include "config/document.hpp"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <toml++/toml.h>

#include "config/lexical_check.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

// No key of ours is nested deeper; it bounds the recursion of everything that walks the tree.
constexpr int kDeepestTree = 8;

/// Finds the text of a region: toml++ tells places by line and by column in code points, not by offset.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {
    lines_.push_back(0);
    for (std::size_t at = 0; at < text.size(); ++at)
      if (text[at] == '\n') lines_.push_back(at + 1);
  }

  [[nodiscard]] std::string_view between(const toml::source_region& region) const {
    const std::size_t begin = offset(region.begin);
    const std::size_t end = std::max(begin, offset(region.end));
    return text_.substr(begin, end - begin);
  }

  [[nodiscard]] std::string_view line(std::uint32_t number) const {
    if (number == 0 || number > lines_.size()) return {};
    const std::size_t begin = lines_[number - 1];
    return text_.substr(begin, std::min(text_.find('\n', begin), text_.size()) - begin);
  }

 private:
  [[nodiscard]] std::size_t offset(const toml::source_position& position) const {
    if (position.line == 0 || position.line > lines_.size()) return text_.size();
    std::size_t at = lines_[position.line - 1];
    for (std::uint32_t column = 1; column < position.column && at < text_.size(); ++column)
      decode_utf8(text_, at);
    return at;
  }

  std::string_view text_;
  std::vector<std::size_t> lines_;
};

Position position_of(const toml::source_region& region) {
  return {std::max(1u, region.begin.line), std::max(1u, region.begin.column)};
}

Node convert(const toml::node& from, const Source& source, int depth) {
  Node node{position_of(from.source()), source.between(from.source()), Foreign{}};
  if (depth > kDeepestTree) return node;
  if (const auto* table = from.as_table()) {
    Node::Table entries;
    entries.reserve(table->size());
    for (const auto& [key, value] : *table)
      entries.push_back({std::string(key.str()), position_of(key.source()), convert(value, source, depth + 1)});
    node.value = std::move(entries);
  } else if (const auto* array = from.as_array()) {
    Node::Array elements;
    elements.reserve(array->size());
    for (const auto& element : *array)
      elements.push_back(convert(element, source, depth + 1));
    node.value = std::move(elements);
  } else if (const auto* string = from.as_string()) {
    node.value = string->get();
  } else if (const auto* integer = from.as_integer()) {
    node.value = integer->get();
  } else if (const auto* number = from.as_floating_point()) {
    node.value = number->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.value = boolean->get();
  }
  return node;
}

/// toml++ begins with "Error while parsing key-value pair: "; what follows is enough beside the line itself.
Problem describe(const toml::parse_error& error, const Source& source) {
  const Position where = position_of(error.source());
  std::string_view reason = error.description();
  constexpr std::string_view kPreamble = "Error while parsing ";
  if (reason.starts_with(kPreamble)) reason.remove_prefix(kPreamble.size());
  std::string_view line = source.line(where.line);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
    line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r'))
    line.remove_suffix(1);
  return {where.line, where.column, fmt::format("not TOML: {}, in {}", printable(reason, 200), quoted(line))};
}

}  // namespace

std::variant<Node, Problem> read_document(std::string_view text, std::string_view file) {
  if (auto unsafe = find_unsafe(text)) return *std::move(unsafe);
  const Source source(text);
  try {
    const toml::table root = toml::parse(text, std::string(file));
    return convert(root, source, 0);
  } catch (const toml::parse_error& error) {
    return describe(error, source);
  } catch (const std::exception& error) {
    return Problem{1, 1, fmt::format("not TOML: {}", printable(error.what()))};
  }
}

}  // namespace ecmp::config
