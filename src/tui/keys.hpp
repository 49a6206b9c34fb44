#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ecmp::tui {

/// A key as the terminal tells it.
struct Key {
  enum class Kind : std::uint8_t {
    character,
    up,
    down,
    left,
    right,
    home,
    end,
    page_up,
    page_down,
    tab,
    back_tab,
    enter,
    escape,
    backspace,
    other,  ///< one that we have no use for
  };

  Kind kind = Kind::other;
  char32_t code = 0;  ///< of a character; control characters are 1 to 26

  friend constexpr bool operator==(const Key&, const Key&) = default;
};

constexpr Key character(char32_t code) {
  return {Key::Kind::character, code};
}

/// As it stands in the help: "q", "Up", "Shift-Tab", "Ctrl-L".
std::string to_string(const Key& key);

/// Bytes of a terminal -> keys (ECMA-48 sequences, as every terminal in use sends them). A lone Escape cannot be told
/// from the start of a sequence until some time has passed: the caller waits that long and calls flush().
class KeyDecoder {
 public:
  std::vector<Key> decode(std::string_view bytes);
  /// Whether bytes wait for more.
  [[nodiscard]] bool waiting() const { return !pending_.empty(); }
  /// Nothing more came.
  std::vector<Key> flush();

 private:
  static constexpr std::size_t kLongest = 32;  ///< of a sequence; what is longer is no key of ours

  std::string pending_;
};

}  // namespace ecmp::tui
