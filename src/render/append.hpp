#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "packet/five_tuple.hpp"

namespace ecmp::render {

/// Everything here writes behind what `out` holds. Scrapes and streams are made of millions of these: no allocation
/// but the buffer's own, no locale, no stream.
template <std::integral T>
void append_number(std::string& out, T value) {
  char digits[24];  // NOLINT: 2^64 has 20 digits
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

/// "%08x", as path ids and path hashes are written.
void append_hex8(std::string& out, std::uint32_t value);

/// The text of IpAddress::to_string(), several times as fast.
void append_address(std::string& out, const IpAddress& address);

/// RFC 3339, UTC, always with nine digits behind the second: "2026-01-01T00:00:00.000312000Z".
void append_time(std::string& out, WallTime time);

/// The inside of a Prometheus label value: backslash, quote and newline escaped (text format 0.0.4). In this and the
/// next three, every byte that is not part of valid UTF-8 becomes U+FFFD: one bad byte makes a scraper throw away the
/// whole scrape, and names come from anybody's DNS.
void append_label_value(std::string& out, std::string_view text);

/// As it is, but for that: where lengths are sent along, nothing has to be escaped.
void append_utf8(std::string& out, std::string_view text);

/// The inside of a JSON string (RFC 8259 section 7).
void append_json(std::string& out, std::string_view text);

/// Text or attribute value of HTML.
void append_html(std::string& out, std::string_view text);

/// "udp", "tcp", "icmp", and in capitals.

/// "ipv4", "ipv6".
std::string_view to_string(Family family);

}  // namespace ecmp::render
