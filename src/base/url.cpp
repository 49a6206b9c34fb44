#include "base/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ip_address.hpp"

namespace ecmp {
namespace {

constexpr std::size_t kLongest = 2048;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

bool is_alphanumeric(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

std::optional<int> hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return std::nullopt;
}

/// nullopt for a '%' that is followed by something else than two hexadecimal digits.
std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    decoded.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  return decoded;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char byte) {
    return is_alphanumeric(byte) || byte == '-' || byte == '.' || byte == '_';
  });
}

/// Where the authority of an http or https URL begins; npos if it is none.
std::size_t after_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme)) return scheme.size();
  }
  return std::string_view::npos;
}

const char* read_authority(std::string_view authority, Url& url) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const auto credentials = decode(authority.substr(0, at));
    if (!credentials) return "a '%' needs two hexadecimal digits after it";
    url.credentials = *credentials;
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  std::string_view host = authority;
  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed) {
    if (host_end == std::string_view::npos) return "a '[' without a ']'";
    host = authority.substr(1, host_end - 1);
    port = authority.substr(host_end + 1);
    const auto address = IpAddress::parse(host);
    if (!address || address->is_v4()) return "expected an IPv6 address between '[' and ']'";
  } else {
    host = authority.substr(0, host_end);
    if (host_end != std::string_view::npos) port = authority.substr(host_end);
    if (!is_host_name(host)) return "expected a host name or an address after \"://\"";
  }
  url.host = host;
  url.port = url.tls ? kHttpsPort : kHttpPort;
  if (port.empty()) return nullptr;
  const char* const end = port.data() + port.size();
  const auto [stopped, error] = std::from_chars(port.data() + 1, end, url.port);
  if (port.front() != ':' || error != std::errc{} || stopped != end || url.port == 0)
    return "expected a port from 1 to 65535 after the host";
  return nullptr;
}

}  // namespace

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? kHttpsPort : kHttpPort)) text += ":" + std::to_string(port);
  return text;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kLongest) return Error{"a URL of more than 2048 characters"};
  const std::size_t begin = after_scheme(text);
  if (begin == std::string_view::npos) return Error{"expected a URL such as \"http://127.0.0.1:8080/targets\""};
  if (std::ranges::any_of(text, [](char byte) { return byte <= ' ' || byte > '~'; }))
    return Error{"a URL has no spaces, no control characters and nothing beyond ASCII: write %20 and so on"};
  if (text.find('#') != std::string_view::npos) return Error{"a part after '#' is nothing that a server gets to see"};
  Url url;
  url.tls = text.starts_with("https");
  const std::size_t path = std::min(text.find_first_of("/?", begin), text.size());
  if (const char* const wrong = read_authority(text.substr(begin, path - begin), url)) return Error{wrong};
  url.target = text.substr(path);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

std::string masked_url(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  // A password may hold a '/' that should have been written as %2F: the last '@' ends it.
  const std::size_t at = text.rfind('@');
  const bool login = at != std::string_view::npos && at >= begin;
  const std::size_t host = login ? at + 1 : begin;
  const std::size_t host_end = login ? std::min(text.find_first_of("/?#", host), text.size()) : end;
  std::string masked(text.substr(0, begin));
  if (login) masked += "<secret>@";
  masked += text.substr(host, host_end - host);
  const std::string_view rest = text.substr(host_end);
  if (rest == "/") masked += rest;
  if (rest.size() > 1) masked += "/<secret>";
  return masked;
}

std::string masked_urls(std::string_view text) {
  constexpr std::string_view kQuotes = "\"'`";
  std::string masked;
  while (true) {
    const std::size_t middle = text.find("://");
    if (middle == std::string_view::npos) return masked.append(text);
    std::size_t begin = middle;
    while (begin > 0 && is_alphanumeric(text[begin - 1]))
      --begin;
    // Up to the quote that it began with: a password may hold anything else. Without one, to the end of the line.
    const bool is_quoted = begin > 0 && kQuotes.find(text[begin - 1]) != std::string_view::npos;
    const std::size_t quote = is_quoted ? text.find(text[begin - 1], middle) : text.find_first_of(kQuotes, middle);
    const std::size_t end = std::min({quote, text.find('\n', middle), text.size()});
    masked.append(text.substr(0, begin)).append(masked_url(text.substr(begin, end - begin)));
    text.remove_prefix(end);
  }
}

}  // namespace ecmp
