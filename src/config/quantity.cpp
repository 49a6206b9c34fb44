#include "config/quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "config/config.hpp"

namespace ecmp::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kTimeUnits = {
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"h", 3'600'000'000'000},
    Unit{"d", 86'400'000'000'000},
};

constexpr std::array kSizeUnits = {
    Unit{"B", 1},
    Unit{"KB", 1'000},
    Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"TB", 1'000'000'000'000},
    Unit{"KiB", std::uint64_t{1} << 10},
    Unit{"MiB", std::uint64_t{1} << 20},
    Unit{"GiB", std::uint64_t{1} << 30},
    Unit{"TiB", std::uint64_t{1} << 40},
};

constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/// Takes "1.5ms" off the front of `text`: a decimal number and the longest run of letters after it, which must be a
/// unit. Exact: integers all the way, and a fraction finer than the smallest unit is refused. nullopt on overflow.
std::optional<std::uint64_t> take_quantity(std::string_view& text, std::span<const Unit> units) {
  std::uint64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));

  std::string_view decimals;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const auto* after = std::find_if_not(text.begin(), text.end(), is_digit);
    decimals = text.substr(0, static_cast<std::size_t>(after - text.begin()));
    if (decimals.empty()) return std::nullopt;
    text.remove_prefix(decimals.size());
  }

  const auto* letters_end = std::find_if_not(text.begin(), text.end(), is_letter);
  const std::string_view name = text.substr(0, static_cast<std::size_t>(letters_end - text.begin()));
  const auto unit = std::ranges::find(units, name, &Unit::name);
  if (unit == units.end() || whole > kLargest / unit->factor) return std::nullopt;
  text.remove_prefix(name.size());

  std::uint64_t scale = 1;
  std::uint64_t fraction = 0;
  for (const char digit : decimals) {
    if (scale > kLargest / unit->factor / 10) return std::nullopt;
    scale *= 10;
    fraction = fraction * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (unit->factor * fraction % scale != 0) return std::nullopt;
  const std::uint64_t sum = whole * unit->factor + unit->factor * fraction / scale;
  if (sum > kLargest) return std::nullopt;
  return sum;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t sum = 0;
  while (!text.empty()) {
    const auto part = take_quantity(text, kTimeUnits);
    if (!part || *part > kLargest - sum) return std::nullopt;
    sum += *part;
  }
  return Duration(static_cast<Duration::rep>(sum));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto size = take_quantity(text, kSizeUnits);
  if (!text.empty()) return std::nullopt;
  return size;
}

std::string_view wrong_with_host_name(std::string_view name) {
  if (name.empty()) return "an address or a host name";
  if (name.front() == '[' || name.front() == '{') return "an IPv6 address without brackets";
  if (name.find('%') != std::string_view::npos) return "an address without a zone: use the key interface for that";
  if (name.find('/') != std::string_view::npos) return "a host, not a prefix or a URL";
  if (name.find(':') != std::string_view::npos) return "an IPv6 address, or a host without a port: use the key port";
  if (name.back() == '.') name.remove_suffix(1);
  if (name.size() > 253) return "a host name of at most 253 characters";
  std::string_view label;
  for (std::size_t begin = 0; begin <= name.size(); begin += label.size() + 1) {
    label = name.substr(begin, std::min(name.find('.', begin), name.size()) - begin);
    if (label.empty()) return "a host name without empty labels";
    if (label.size() > 63) return "a host name with labels of at most 63 characters";
    if (label.front() == '-' || label.back() == '-')
      return "a host name whose labels do not begin or end with a hyphen";
    const auto allowed = [](char byte) { return is_letter(byte) || is_digit(byte) || byte == '-' || byte == '_'; };
    if (!std::ranges::all_of(label, allowed)) return "a host name of letters, digits, hyphens and dots";
  }
  // RFC 1123 section 2.1: the last label of a name is never all digits, so this is a mistyped address.
  if (std::ranges::all_of(label, is_digit)) return "four numbers from 0 to 255, for an IPv4 address";
  return {};
}

}  // namespace ecmp::config
