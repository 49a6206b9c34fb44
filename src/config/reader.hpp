#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"

namespace ecmp::config {

/// Collects what is wrong, so that a file's mistakes are all told at once; of a hopeless file the first thousand.
class Problems {
 public:
  /// `assignment` stands between keys and values in messages, as it does in the file.
  explicit Problems(std::string_view assignment = " = ") : assignment_(assignment) {}

  void add(Position where, std::string message);
  /// `key = text: what`, the usual form: the offending text as it was written.
  void add_value(std::string_view key, Position where, std::string_view text, std::string_view what);
  void add_unsupported(std::string_view key, Position where, std::string_view text);

  /// Remembers where a file is named, for whoever reads it. Nothing is wrong by that.
  void note_file(NamedFile file) { files_.push_back(std::move(file)); }
  [[nodiscard]] std::vector<NamedFile> take_files() { return std::move(files_); }

  [[nodiscard]] bool empty() const { return problems_.empty(); }
  [[nodiscard]] bool full() const { return problems_.size() >= 1000; }
  /// In the order of the file.
  [[nodiscard]] std::vector<Problem> sorted() &&;

 private:
  std::string_view assignment_;
  std::vector<Problem> problems_;
  std::vector<NamedFile> files_;
  std::size_t untold_ = 0;
};

/// A value that was given, and where.
template <typename T>
struct Setting {
  T value{};
  Position where;
  std::string_view text;  ///< as written
};

template <typename T>
struct Range {
  T least;
  T most;
  std::string_view words;  ///< "a whole number from 1 to 255": follows "expected" in messages
};

template <typename T>
struct Choice {
  std::string_view name;
  T value;
};

/// Reads the keys of one table. Every read tells its own problems, and gives nothing then; broken() tells that from a
/// key left out. After the last read, refuse_unknown_keys() reports what nobody asked for.
class TableReader {
 public:
  /// `table` must hold a Node::Table and outlive the reader.
  TableReader(const Node& table, Problems& problems)
      : entries_(std::get<Node::Table>(table.value)), where_(table.where), problems_(problems) {}

  [[nodiscard]] Position where() const { return where_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] Problems& problems() { return problems_; }

  /// The entry as it is, or nullptr.
  const Entry* entry(std::string_view key);

  std::optional<Setting<std::string>> string(std::string_view key, std::string_view expected);
  /// A string that names a file, which is remembered with its place.
  std::optional<Setting<std::string>> file(std::string_view key, std::string_view expected);
  std::optional<Setting<bool>> boolean(std::string_view key);
  std::optional<Setting<std::int64_t>> integer(std::string_view key, const Range<std::int64_t>& range);
  /// A number above 0 and at most `range.most`; whole ones will do.
  std::optional<Setting<double>> positive_number(std::string_view key, const Range<double>& range);
  std::optional<Setting<Duration>> duration(std::string_view key, const Range<Duration>& range);
  std::optional<Setting<std::uint64_t>> size(std::string_view key, const Range<std::uint64_t>& range);
  /// An array of strings. Elements that are not strings are told and left out.
  std::optional<Setting<std::vector<Setting<std::string>>>> strings(std::string_view key, std::string_view expected);
  /// An array of numbers that rise strictly, each finite, above 0 and at most `most`.
  std::optional<Setting<std::vector<double>>> rising_numbers(std::string_view key, double most,
                                                             std::string_view expected);
  /// The node of a table.
  const Node* table(std::string_view key);

  template <typename T>
  std::optional<Setting<T>> choice(std::string_view key, std::span<const Choice<T>> choices);

  /// Says that a value that was read is wrong after all.
  template <typename T>
  void refuse(std::string_view key, const Setting<T>& setting, std::string_view what) {
    broken_.push_back(key);
    problems_.add_value(key, setting.where, setting.text, what);
  }
  /// The same for a value that is right, but asks for a feature that is not there yet.
  template <typename T>
  void refuse_unsupported(std::string_view key, const Setting<T>& setting) {
    broken_.push_back(key);
    problems_.add_unsupported(key, setting.where, setting.text);
  }
  /// Whether the key was given, but with something that cannot be used.
  [[nodiscard]] bool broken(std::string_view key) const { return std::ranges::find(broken_, key) != broken_.end(); }

  void refuse_unknown_keys();

 private:
  void expected(const Entry& entry, std::string_view key, std::string_view what);
  static std::string expected_choice(std::string_view given, std::span<const std::string_view> names);

  const Node::Table& entries_;
  Position where_;
  Problems& problems_;
  std::vector<std::string_view> known_;  // keys asked for: all that this table may have
  std::vector<std::string_view> broken_;
};

template <typename T>
std::optional<Setting<T>> TableReader::choice(std::string_view key, std::span<const Choice<T>> choices) {
  const Entry* found = entry(key);
  if (found == nullptr) return std::nullopt;
  const auto* given = std::get_if<std::string>(&found->node.value);
  std::vector<std::string_view> names;
  for (const Choice<T>& choice : choices) {
    if (given != nullptr && *given == choice.name) return Setting<T>{choice.value, found->node.where, found->node.text};
    names.push_back(choice.name);
  }
  expected(*found, key, expected_choice(given != nullptr ? *given : std::string(), names));
  return std::nullopt;
}

/// `"udp", "tcp" or "icmp"`
std::string list_choices(std::span<const std::string_view> names);

}  // namespace ecmp::config
