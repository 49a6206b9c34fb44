#include "config/document.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <fmt/format.h>
#include <toml++/toml.h>
#include <vector>

#include "config/lexical_check.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

// No key of ours is nested deeper; it bounds the recursion of everything that walks the tree.
constexpr int kDeepestTree = 8;

/// Finds the text of a region: toml++ tells places by line and by column in code points, not by offset. The text must
/// be UTF-8.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {
    begin_line(0);
    std::size_t column = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const bool continues = (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
      if (text[at] == '\n') {
        begin_line(at + 1);
        column = 0;
      } else if (!continues && column++ % kMarkEvery == 0 && column > 1) {
        marks_.push_back(at);
      }
    }
  }

  [[nodiscard]] std::string_view between(const toml::source_region& region) const {
    const std::size_t begin = offset(region.begin);
    const std::size_t end = std::max(begin, offset(region.end));
    return text_.substr(begin, end - begin);
  }

  [[nodiscard]] std::string_view line(std::uint32_t number) const {
    if (number == 0 || number > lines_.size()) return {};
    const std::size_t begin = marks_[lines_[number - 1]];
    return text_.substr(begin, std::min(text_.find('\n', begin), text_.size()) - begin);
  }

 private:
  // A place is found by walking from the mark before it: a line of a million values costs no more than as many lines.
  static constexpr std::size_t kMarkEvery = 64;

  void begin_line(std::size_t at) {
    lines_.push_back(marks_.size());
    marks_.push_back(at);
  }

  [[nodiscard]] std::size_t offset(const toml::source_position& position) const {
    if (position.line == 0 || position.line > lines_.size() || position.column == 0) return text_.size();
    const std::size_t beyond = position.line < lines_.size() ? lines_[position.line] : marks_.size();
    const std::size_t columns = position.column - 1;
    const std::size_t mark = std::min(lines_[position.line - 1] + columns / kMarkEvery, beyond - 1);
    std::size_t at = marks_[mark];
    for (std::size_t left = columns - (mark - lines_[position.line - 1]) * kMarkEvery; left > 0 && at < text_.size();
         --left)
      decode_utf8(text_, at);
    return at;
  }

  std::string_view text_;
  std::vector<std::size_t> marks_;  ///< offsets of every kMarkEvery-th code point of each line, from its first
  std::vector<std::size_t> lines_;  ///< where the marks of each line begin
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
  return {
      where.line, where.column,
      fmt::format("not TOML: {}, in {}", printable(without_secrets(reason), 200), in_quotes(without_secrets(line)))};
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
