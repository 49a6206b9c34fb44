#include "config/reader.hpp"

#include <fmt/format.h>
#include <tuple>

#include "config/quantity.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

/// What a value is, for values too long or too strange to show.
std::string shown(std::string_view text) {
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return printable(text);
  return printable(text.substr(0, line_end)) + " ...";
}

std::optional<double> number_of(const Node& node) {
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&node.value)) return *number;
  return std::nullopt;
}

}  // namespace

void Problems::add(Position where, std::string message) {
  if (full()) {
    ++untold_;
  } else {
    problems_.push_back({where.line, where.column, std::move(message)});
  }
}

void Problems::add_value(std::string_view key, Position where, std::string_view text, std::string_view what) {
  // Masked while it is whole: what is shown may be cut off before the '@' that ends a password.
  add(where, fmt::format("{}{}{}: {}", key, assignment_, shown(without_secrets(text)), what));
}

void Problems::add_unsupported(std::string_view key, Position where, std::string_view text) {
  add(where, fmt::format("{}{}{} is not supported by this version", key, assignment_, shown(without_secrets(text))));
}

std::vector<Problem> Problems::sorted() && {
  std::ranges::sort(problems_, {}, [](const Problem& problem) {
    return std::tuple(problem.line, problem.column, std::string_view(problem.message));
  });
  if (untold_ > 0) {
    const Problem& last = problems_.back();
    problems_.push_back({last.line, last.column, fmt::format("... and more: {} problems are not listed", untold_)});
  }
  return std::move(problems_);
}

const Entry* TableReader::entry(std::string_view key) {
  known_.push_back(key);
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return found == entries_.end() || found->node.absent ? nullptr : &*found;
}

void TableReader::expected(const Entry& entry, std::string_view key, std::string_view what) {
  broken_.push_back(key);
  problems_.add_value(key, entry.node.where, entry.node.text, fmt::format("expected {}", what));
}

std::optional<Setting<std::string>> TableReader::string(std::string_view key, std::string_view what) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* given = std::get_if<std::string>(&found->node.value))
    return Setting<std::string>{*given, found->node.where, found->node.text};
  expected(*found, key, what);
  return std::nullopt;
}

std::optional<Setting<std::string>> TableReader::file(std::string_view key, std::string_view what) {
  auto given = string(key, what);
  if (given && !given->value.empty())
    problems_.note_file({std::string(key), given->value, given->where.line, given->where.column});
  return given;
}

std::optional<Setting<bool>> TableReader::boolean(std::string_view key) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  if (const auto* given = std::get_if<bool>(&found->node.value))
    return Setting<bool>{*given, found->node.where, found->node.text};
  expected(*found, key, "true or false");
  return std::nullopt;
}

std::optional<Setting<std::int64_t>> TableReader::integer(std::string_view key, const Range<std::int64_t>& range) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* given = std::get_if<std::int64_t>(&found->node.value);
  if (given != nullptr && *given >= range.least && *given <= range.most)
    return Setting<std::int64_t>{*given, found->node.where, found->node.text};
  expected(*found, key, range.words);
  return std::nullopt;
}

std::optional<Setting<double>> TableReader::positive_number(std::string_view key, const Range<double>& range) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto given = number_of(found->node);
  if (given && *given >= range.least && *given <= range.most)
    return Setting<double>{*given, found->node.where, found->node.text};
  expected(*found, key, range.words);
  return std::nullopt;
}

std::optional<Setting<Duration>> TableReader::duration(std::string_view key, const Range<Duration>& range) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* given = std::get_if<std::string>(&found->node.value);
  const auto length = given != nullptr ? parse_duration(*given) : std::nullopt;
  if (length && *length >= range.least && *length <= range.most)
    return Setting<Duration>{*length, found->node.where, found->node.text};
  expected(*found, key, range.words);
  return std::nullopt;
}

std::optional<Setting<std::uint64_t>> TableReader::size(std::string_view key, const Range<std::uint64_t>& range) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* given = std::get_if<std::string>(&found->node.value);
  const auto bytes = given != nullptr ? parse_size(*given) : std::nullopt;
  if (bytes && *bytes >= range.least && *bytes <= range.most)
    return Setting<std::uint64_t>{*bytes, found->node.where, found->node.text};
  expected(*found, key, range.words);
  return std::nullopt;
}

std::optional<Setting<std::vector<Setting<std::string>>>> TableReader::strings(std::string_view key,
                                                                               std::string_view what) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* elements = std::get_if<Node::Array>(&found->node.value);
  if (elements == nullptr) {
    expected(*found, key, what);
    return std::nullopt;
  }
  Setting<std::vector<Setting<std::string>>> setting{{}, found->node.where, found->node.text};
  for (const Node& element : *elements) {
    if (const auto* given = std::get_if<std::string>(&element.value)) {
      setting.value.push_back({*given, element.where, element.text});
    } else {
      refuse(key, Setting<int>{0, element.where, element.text}, fmt::format("expected {}", what));
    }
  }
  return setting;
}

std::optional<Setting<std::vector<double>>> TableReader::rising_numbers(std::string_view key, double most,
                                                                        std::string_view what) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* elements = std::get_if<Node::Array>(&found->node.value);
  if (elements == nullptr || elements->empty()) {
    expected(*found, key, what);
    return std::nullopt;
  }
  Setting<std::vector<double>> setting{{}, found->node.where, found->node.text};
  double previous = 0;
  for (const Node& element : *elements) {
    const auto given = number_of(element);
    // Written so that NaN, for which every comparison is false, is refused.
    if (!given || !(*given > previous && *given <= most)) {
      refuse(key, Setting<int>{0, element.where, element.text}, fmt::format("expected {}", what));
      return std::nullopt;
    }
    previous = *given;
    setting.value.push_back(*given);
  }
  return setting;
}

const Node* TableReader::table(std::string_view key) {
  const Entry* found = entry(key);
  if (found == nullptr) return nullptr;
  if (std::holds_alternative<Node::Table>(found->node.value)) return &found->node;
  if (std::holds_alternative<Node::Array>(found->node.value)) {
    problems_.add(found->where, fmt::format("\"{0}\": expected one table, [{0}]", key));
  } else {
    expected(*found, key, fmt::format("a table, [{}]", key));
  }
  return nullptr;
}

std::string list_choices(std::span<const std::string_view> names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += fmt::format("\"{}\"", names[i]);
  }
  return list;
}

std::string TableReader::expected_choice(std::string_view given, std::span<const std::string_view> names) {
  const std::string_view meant = nearest(given, names);
  if (given.empty() || meant.empty()) return list_choices(names);
  return fmt::format("{}: did you mean \"{}\"?", list_choices(names), meant);
}

void TableReader::refuse_unknown_keys() {
  for (const Entry& entry : entries_) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    // When nobody will see it, a suggestion is not worth its time: a hostile file has millions of such keys.
    const std::string_view meant = problems_.full() ? std::string_view() : nearest(entry.key, known_);
    problems_.add(entry.where, meant.empty()
                                   ? fmt::format("unknown key {}", in_quotes(entry.key))
                                   : fmt::format("unknown key {}: did you mean \"{}\"?", in_quotes(entry.key), meant));
  }
}

}  // namespace ecmp::config
