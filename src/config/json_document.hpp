#pragma once

#include <string_view>
#include <variant>

#include "config/document.hpp"

namespace ecmp::config {

/// The value of a JSON text (RFC 8259), or why it is none: not JSON, nested deeper than anybody needs, a key twice in
/// an object, or more than two million values. Objects are tables, null is Foreign. `text` must outlive the result.
std::variant<Node, Problem> read_json(std::string_view text);

}  // namespace ecmp::config
