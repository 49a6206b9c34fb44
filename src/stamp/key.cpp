#include "stamp/key.hpp"

#include <fmt/format.h>
#include <optional>

namespace ecmp::stamp {

namespace {

std::optional<std::uint8_t> digit(char character) {
  if (character >= '0' && character <= '9') return static_cast<std::uint8_t>(character - '0');
  if (character >= 'a' && character <= 'f') return static_cast<std::uint8_t>(character - 'a' + 10);
  if (character >= 'A' && character <= 'F') return static_cast<std::uint8_t>(character - 'A' + 10);
  return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> from_hex(std::string_view line) {
  if (line.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < line.size(); at += 2) {
    const auto high = digit(line[at]);
    const auto low = digit(line[at + 1]);
    if (!high || !low) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::uint8_t>> read_key(std::string_view text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto key = from_hex(line);
  if (!key) key.emplace(line.begin(), line.end());
  if (key->size() < kShortestKey)
    return Error{fmt::format("a key of {} bytes: expected {} at least", key->size(), kShortestKey)};
  return *key;
}

}  // namespace ecmp::stamp
