#include "config/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>

#include "base/url.hpp"

namespace ecmp::config {

namespace {

constexpr std::size_t kLongestKey = 40;  // longer ones are not worth a suggestion, and distance() is quadratic

/// Number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::array<std::array<std::size_t, kLongestKey + 1>, kLongestKey + 1> cost{};
  for (std::size_t i = 0; i <= from.size(); ++i)
    cost[i][0] = i;
  for (std::size_t j = 0; j <= to.size(); ++j)
    cost[0][j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[from.size()][to.size()];
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();)
    if (!decode_utf8(text, at)) return false;
  return true;
}

bool is_control(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c || point == 0x200e || point == 0x200f ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

bool has_control(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto point = decode_utf8(text, at);
    if (!point || is_control(*point)) return true;
  }
  return false;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string out;
  std::size_t printed = 0;
  for (std::size_t at = 0; at < text.size(); ++printed) {
    if (printed == longest) return out + "...";
    const std::size_t begin = at;
    const auto point = decode_utf8(text, at);
    if (!point) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text[begin]));
    } else if (*point == '\n') {
      out += "\\n";
    } else if (*point == '\t') {
      out += "\\t";
    } else if (is_control(*point)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(*point));
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"", printable(text));
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  if (word.size() > kLongestKey) return best;
  // A third of the letters may be wrong: "flow" finds "flows", "ttl" does not find "udp".
  std::size_t allowed = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kLongestKey) continue;
    const std::size_t far = distance(word, candidate);
    if (far < allowed) {
      allowed = far;
      best = candidate;
    }
  }
  return best;
}

std::string without_secrets(std::string_view text) {
  // A bcrypt hash: "$2y$10$" and what it is made of.
  constexpr std::string_view kOfHashes = "$./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::string masked = masked_urls(text);
  std::string shown;
  std::string_view rest = masked;
  while (true) {
    const std::size_t hash = rest.find("$2");
    if (hash == std::string_view::npos) return shown.append(rest);
    shown.append(rest.substr(0, hash)).append("<secret>");
    rest.remove_prefix(hash);
    rest.remove_prefix(std::min(rest.find_first_not_of(kOfHashes), rest.size()));
  }
}

}  // namespace ecmp::config
