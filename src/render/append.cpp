#include "render/append.hpp"

#include <array>
#include <span>

#include "base/utf8.hpp"

namespace ecmp::render {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

/// Appends `text` with ASCII characters for which `escape` returns something replaced by that.
template <typename Escape>
void append_escaped(std::string& out, std::string_view text, const Escape& escape) {
  std::size_t copied = 0;
  std::size_t at = 0;
  const auto replace = [&](std::string_view replacement) {
    out.append(text, copied, at - copied);
    out.append(replacement);
    copied = ++at;
  };
  while (at < text.size()) {
    if (byte_at(text, at) < 0x80) {
      const std::string_view replacement = escape(text[at]);
      if (replacement.empty()) {
        ++at;
      } else {
        replace(replacement);
      }
      continue;
    }
    std::size_t next = at;
    if (decode_utf8(text, next)) {
      at = next;
    } else {
      replace(kReplacement);
    }
  }
  out.append(text, copied);
}

/// "\u0000" to "\u001f", for the control characters that JSON does not allow.
constexpr std::size_t kControlLength = 6;
constexpr auto kControls = [] {
  std::array<char, 0x20 * kControlLength> texts{};
  for (std::size_t code = 0; code < 0x20; ++code) {
    const std::array<char, kControlLength> text{'\\', 'u', '0', '0', kHexDigits[code >> 4], kHexDigits[code & 15]};
    for (std::size_t i = 0; i < kControlLength; ++i) {
      texts[code * kControlLength + i] = text[i];
    }
  }
  return texts;
}();

/// The last digits of `value`, as many as fill `out`.
void fill_digits(std::span<char> out, std::uint32_t value) {
  for (std::size_t i = out.size(); i-- > 0; value /= 10) {
    out[i] = static_cast<char>('0' + value % 10);
  }
}

void append_v4(std::string& out, ByteView bytes) {
  std::array<char, 15> text{};
  char* end = text.data();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    const unsigned byte = bytes[i];
    if (byte >= 100) *end++ = static_cast<char>('0' + byte / 100);
    if (byte >= 10) *end++ = static_cast<char>('0' + byte / 10 % 10);
    *end++ = static_cast<char>('0' + byte % 10);
  }
  out.append(text.data(), end);
}

void append_v6(std::string& out, const IpAddress& address) {
  const ByteView bytes = address.bytes();
  std::array<unsigned, 8> groups{};
  std::size_t longest_at = 8;
  std::size_t longest = 1;  // RFC 5952 section 4.2.2: a single group of zeros is written
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = load16(bytes, 2 * i);
    zeros = groups[i] == 0 ? zeros + 1 : 0;
    if (zeros > longest) {
      longest = zeros;
      longest_at = i + 1 - zeros;
    }
  }
  if (longest_at == 0 && longest >= 5) {  // ::, ::1, and the forms with a dotted quad: rare, left to the C library
    out.append(address.to_string());
    return;
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == longest_at) {
      out.append("::");
      i += longest;
      continue;
    }
    if (i > 0 && i != longest_at + longest) out.push_back(':');
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16);
    out.append(digits.data(), end.ptr);
    ++i;
  }
}

}  // namespace

void append_hex8(std::string& out, std::uint32_t value) {
  std::array<char, 8> digits{};
  for (std::size_t i = 0; i < digits.size(); ++i) {
    digits[i] = kHexDigits[(value >> (28 - 4 * i)) & 15];
  }
  out.append(digits.data(), digits.size());
}

void append_address(std::string& out, const IpAddress& address) {
  if (address.is_v4()) {
    append_v4(out, address.bytes());
  } else {
    append_v6(out, address);
  }
}

void append_time(std::string& out, WallTime time) {
  using namespace std::chrono;
  // Divided by hand: the start of the first second or day that 64 bits of nanoseconds reach does not fit in them.
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  constexpr std::int64_t kDay = 86400;
  const std::int64_t count = time.time_since_epoch().count();
  const std::int64_t nanosecond = (count % kNanoseconds + kNanoseconds) % kNanoseconds;
  const std::int64_t second = count / kNanoseconds - (count % kNanoseconds < 0 ? 1 : 0);
  const std::int64_t in_day = (second % kDay + kDay) % kDay;
  const year_month_day date(sys_days(days((second - in_day) / kDay)));

  // From 1677 to 2262, so a year has always four digits.
  std::array<char, 30> text{"0000-00-00T00:00:00.00000000"};
  text.back() = 'Z';
  const auto put = [&text](std::size_t at, std::size_t size, std::int64_t value) {
    fill_digits(std::span(text).subspan(at, size), static_cast<std::uint32_t>(value));
  };
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, in_day / 3600);
  put(14, 2, in_day / 60 % 60);
  put(17, 2, in_day % 60);
  put(20, 9, nanosecond);
  out.append(text.data(), text.size());
}

void append_label_value(std::string& out, std::string_view text) {
  append_escaped(out, text, [](char character) -> std::string_view {
    switch (character) {
      case '\\':
        return "\\\\";
      case '"':
        return "\\\"";
      case '\n':
        return "\\n";
      default:
        return {};
    }
  });
}

void append_utf8(std::string& out, std::string_view text) {
  append_escaped(out, text, [](char) -> std::string_view { return {}; });
}

void append_json(std::string& out, std::string_view text) {
  append_escaped(out, text, [](char character) -> std::string_view {
    if (character == '\\') return "\\\\";
    if (character == '"') return "\\\"";
    const auto code = static_cast<std::uint8_t>(character);
    if (code >= 0x20) return {};
    return {kControls.data() + code * kControlLength, kControlLength};
  });
}

void append_html(std::string& out, std::string_view text) {
  append_escaped(out, text, [](char character) -> std::string_view {
    switch (character) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '"':
        return "&quot;";
      case '\'':
        return "&#39;";
      case '\0':
        return kReplacement;  // not allowed in HTML, not even as a reference
      default:
        return {};
    }
  });
}

std::string_view to_string(Family family) {
  return family == Family::ipv4 ? "ipv4" : "ipv6";
}

}  // namespace ecmp::render
