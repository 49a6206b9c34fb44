#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <variant>

#include "config/document.hpp"

namespace ecmp::config {

/// What a YAML file says, in the shape that TOML files have here, for the same readers. Only what a plain file of keys
/// and values needs: one document, no anchors, aliases or tags (an alias can stand for gigabytes), no key twice.
struct YamlDocument {
  Node root;                      ///< a table; of an empty file an empty one
  std::deque<std::string> texts;  ///< what Node::text views
};

/// The document, or the first thing wrong with it. Values are never quoted in the words: they may be secrets.
std::variant<YamlDocument, Problem> read_yaml(std::string_view text);

}  // namespace ecmp::config
