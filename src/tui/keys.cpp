#include "tui/keys.hpp"

#include <array>
#include <optional>
#include <utility>

#include "tui/text.hpp"

namespace ecmp::tui {
namespace {

using Kind = Key::Kind;

Kind of_final(char final) {
  switch (final) {
    case 'A':
      return Kind::up;
    case 'B':
      return Kind::down;
    case 'C':
      return Kind::right;
    case 'D':
      return Kind::left;
    case 'H':
      return Kind::home;
    case 'F':
      return Kind::end;
    case 'Z':
      return Kind::back_tab;
    case 'M':
      return Kind::enter;  // of the keypad, after ESC O
    default:
      return Kind::other;
  }
}

Kind of_number(std::string_view parameters) {
  const std::string_view number = parameters.substr(0, parameters.find(';'));
  if (number == "1" || number == "7") return Kind::home;
  if (number == "4" || number == "8") return Kind::end;
  if (number == "5") return Kind::page_up;
  if (number == "6") return Kind::page_down;
  return Kind::other;
}

bool is_final(char byte) {
  return byte >= 0x40 && byte <= 0x7e;
}

/// A sequence that begins with ESC: the key and its length, or nothing if more bytes are needed.
std::optional<std::pair<Key, std::size_t>> of_escape(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  if (bytes[1] == '[') {
    for (std::size_t i = 2; i < bytes.size(); ++i) {
      // A byte that belongs into no sequence ends it: the key it is of must not be lost.
      if (bytes[i] < 0x20 || bytes[i] > 0x7e) return std::pair{Key{}, i};
      if (!is_final(bytes[i])) continue;
      if (bytes[i] == '[') continue;  // the Linux console's function keys: ESC [ [ A
      const bool console = bytes[2] == '[';
      const Kind kind = console           ? Kind::other
                        : bytes[i] == '~' ? of_number(bytes.substr(2, i - 2))
                                          : of_final(bytes[i]);
      return std::pair{Key{kind}, i + 1};
    }
    return std::nullopt;
  }
  if (bytes[1] == 'O') {
    if (bytes.size() < 3) return std::nullopt;
    return std::pair{Key{of_final(bytes[2])}, std::size_t{3}};
  }
  if (bytes[1] == '\x1b') return std::pair{Key{Kind::escape}, std::size_t{1}};
  // Alt with a key: none of ours.
  return std::pair{Key{}, std::size_t{2}};
}

std::size_t length_of_utf8(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

Key of_control(char byte) {
  switch (byte) {
    case '\t':
      return {Kind::tab};
    case '\r':
    case '\n':
      return {Kind::enter};
    case '\b':
    case '\x7f':
      return {Kind::backspace};
    default:
      return byte == 0 ? Key{} : character(static_cast<unsigned char>(byte));
  }
}

}  // namespace

std::string to_string(const Key& key) {
  static constexpr std::array<std::string_view, 15> kNames = {"",          "Up",    "Down", "Left",      "Right",
                                                              "Home",      "End",   "PgUp", "PgDn",      "Tab",
                                                              "Shift-Tab", "Enter", "Esc",  "Backspace", "?"};
  if (key.kind != Kind::character) return std::string(kNames[static_cast<std::size_t>(key.kind)]);
  if (key.code == U' ') return "Space";
  if (key.code < 0x20) return std::string("Ctrl-") + static_cast<char>('@' + key.code);
  std::string text;
  append_utf8(text, key.code);
  return text;
}

std::vector<Key> KeyDecoder::decode(std::string_view bytes) {
  pending_.append(bytes);
  std::vector<Key> keys;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    if (rest.front() == '\x1b') {
      const auto found = of_escape(rest);
      if (!found && rest.size() < kLongest) break;
      keys.push_back(found ? found->first : Key{});
      rest.remove_prefix(found ? found->second : rest.size());
      continue;
    }
    const auto byte = static_cast<unsigned char>(rest.front());
    if (byte < 0x20 || byte == 0x7f) {
      keys.push_back(of_control(rest.front()));
      rest.remove_prefix(1);
      continue;
    }
    if (rest.size() < length_of_utf8(rest.front())) break;
    keys.push_back(character(take_symbol(rest).code));
  }
  pending_.erase(0, pending_.size() - rest.size());
  return keys;
}

std::vector<Key> KeyDecoder::flush() {
  std::vector<Key> keys;
  if (!pending_.empty()) keys.push_back(pending_ == "\x1b" ? Key{Kind::escape} : Key{});
  pending_.clear();
  return keys;
}

}  // namespace ecmp::tui
