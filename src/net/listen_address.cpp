#include "net/listen_address.hpp"

#include <algorithm>
#include <charconv>

namespace ecmp::net {

namespace {

constexpr std::size_t kLongestShown = 80;

/// The offending text as it may stand in a log line: short, without control characters.
std::string quoted(std::string_view text) {
  std::string shown = "\"";
  for (const char character : text.substr(0, kLongestShown)) {
    shown += character >= ' ' && character <= '~' ? character : '?';
  }
  shown += text.size() > kLongestShown ? "...\"" : "\"";
  return shown;
}

Error problem(std::string_view text, std::string_view what) {
  return Error{"listen address " + quoted(text) + ": " + std::string(what)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

/// RFC 1123 section 2.1 letters, digits and hyphens; underscores occur in container names.
bool is_host_name(std::string_view text) {
  const auto fits = [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '.' || character == '_';
  };
  const bool only_digits_and_dots =
      text.find_first_not_of("0123456789.") == std::string_view::npos;  // a mistyped IPv4 address, never a name
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, fits) && !only_digits_and_dots;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return problem(text, "a port is missing, as in \":10815\"");
  std::string_view host = text.substr(0, colon);
  ListenAddress parsed;

  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return problem(text, "\"]\" or the port after it is missing");
    host = host.substr(1, host.size() - 2);
    parsed.address = IpAddress::parse(host);
    if (!parsed.address || parsed.address->is_v4()) return problem(text, "not an IPv6 address between the brackets");
  } else if (host.find(':') != std::string_view::npos) {
    return problem(text, "an IPv6 address stands in brackets, as in \"[::1]:10815\"");
  } else if (!host.empty()) {
    parsed.address = IpAddress::parse(host);
    if (!parsed.address && !is_host_name(host)) return problem(text, "neither an address nor a host name");
  }
  parsed.host = host;

  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return problem(text, "the port is not a number from 0 to 65535");
  parsed.port = *port;
  return parsed;
}

std::string to_string(const ListenAddress& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace ecmp::net
