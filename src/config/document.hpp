#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace ecmp::config {

/// Where something stands in the text; lines and columns (in characters) count from 1.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Entry;

/// Values no key of ours has: dates and times, and whatever is nested too deep.
struct Foreign {};

/// A value of a TOML (or YAML) document: what toml++ read, without toml++ (which takes seconds to compile wherever it
/// is included), and with the text it was written as, for messages.
struct Node {
  using Array = std::vector<Node>;
  using Table = std::vector<Entry>;

  Position where;
  std::string_view text;  ///< as written; a view of the document
  std::variant<Foreign, std::string, std::int64_t, double, bool, Array, Table> value;
  bool absent = false;  ///< YAML's null, as of a key with nothing behind it: counts as left out
};

struct Entry {
  std::string key;
  Position where;  ///< of the key
  Node node;
};

/// The root table, or why the text is not TOML. `text` must outlive the result.
std::variant<Node, Problem> read_document(std::string_view text, std::string_view file);

}  // namespace ecmp::config
