#include "net/http/http_head.hpp"

#include <algorithm>
#include <charconv>

namespace ecmp::net {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kMethodOfNoRoute = "TRACE";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  const auto fits = [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(character) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, fits);
}

/// Whether what a Host header says has a port of digits, or none: RFC 9110 section 7.2. Who it names is up to others.
bool is_authority(std::string_view text) {
  const std::size_t host = text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0;
  const std::size_t colon = text.find(':', host);
  if (text.find_first_of(" \t,@/") != std::string_view::npos) return false;
  return colon == std::string_view::npos || text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

void append_to_list(std::string& list, std::string_view element) {
  if (!list.empty()) list += ", ";
  list += element;
}

/// Reads one head line by line and fills in a RequestHead.
class Inspection {
 public:
  Inspection(RequestHead& head, std::size_t max_body_bytes) : head_(head), max_body_bytes_(max_body_bytes) {}

  void read(std::string_view text) {
    std::size_t lines = 0;
    while (head_.refusal == 0 && !text.empty()) {
      const std::size_t end = text.find(kLineEnd);
      if (end == std::string_view::npos) return refuse(400, "bad line end in the request");
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end + kLineEnd.size());
      if (line.empty()) break;
      if (lines++ == 0) {
        request_line(line);
      } else if (lines > kMaxHeaderLines + 1) {
        refuse(431, "too many request headers");
      } else {
        header_line(line);
      }
    }
    if (lines == 0) return refuse(400, "a request without a request line");
    if (head_.refusal == 0) finish();
  }

 private:
  void refuse(int status, std::string_view reason) {
    head_.refusal = status;
    head_.reason = reason;
  }

  void forward(std::string_view line) {
    head_.forwarded += line;
    head_.forwarded += kLineEnd;
  }

  void request_line(std::string_view line) {
    if (line.size() > kMaxRequestLine) return refuse(414, "request line too long");
    // RFC 3986 knows visible ASCII only; whatever else a client means it has to escape.
    const bool visible = std::ranges::all_of(line, [](char character) { return character >= ' ' && character <= '~'; });
    if (!visible) return refuse(400, "bad character in the request line");
    if (line.ends_with(" HTTP/1.0")) {
      head_.close = true;  // its keep-alive was never standardised
    } else if (!line.ends_with(" HTTP/1.1")) {
      return refuse(505, "HTTP version not supported");
    } else {
      needs_host_ = true;
    }
    const std::string_view before_version = line.substr(0, line.rfind(' '));
    const std::size_t blank = before_version.find(' ');
    const bool three_parts = blank != std::string_view::npos && blank + 1 < before_version.size() &&
                             before_version.find(' ', blank + 1) == std::string_view::npos;
    const std::string_view method = line.substr(0, blank);
    if (!three_parts || !is_token(method)) return refuse(400, "bad request line");
    // What the library does not know it calls a bad request; it is a method that no route has.
    forward(is_known_method(method) ? std::string(line)
                                    : std::string(kMethodOfNoRoute) + std::string(line.substr(blank)));
  }

  static bool is_known_method(std::string_view method) {
    constexpr std::string_view kKnown[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                           "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    return std::ranges::find(kKnown, method) != std::end(kKnown);
  }

  void header_line(std::string_view line) {
    const std::size_t colon = line.find(':');
    // No blank between name and colon, no folded lines: RFC 9112 sections 5.1 and 5.2.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return refuse(400, "bad request header");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_field_value(value)) return refuse(400, "bad character in a request header");
    if (line.size() > kMaxRequestLine) return refuse(431, "request header too long");
    header(name, value);
    if (head_.refusal == 0 && !withheld(name)) forward(line);
  }

  static bool withheld(std::string_view name) {
    constexpr std::string_view kWithheld[] = {"range", "if-range", "accept-encoding", "expect", "connection"};
    return std::ranges::any_of(kWithheld, [name](std::string_view other) { return equals_ignoring_case(name, other); });
  }

  void header(std::string_view name, std::string_view value) {
    if (equals_ignoring_case(name, "host")) {
      if (hosts_++ > 0) return refuse(400, "more than one Host header");
      if (!is_authority(value)) refuse(400, "bad Host header");
    } else if (equals_ignoring_case(name, "content-length")) {
      content_length(value);
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
      refuse(411, "request bodies need a Content-Length");
    } else if (equals_ignoring_case(name, "content-encoding")) {
      refuse(415, "compressed request bodies are not supported");
    } else if (equals_ignoring_case(name, "accept-encoding")) {
      append_to_list(head_.accept_encoding, value);
    } else if (equals_ignoring_case(name, "expect")) {
      if (!equals_ignoring_case(value, "100-continue")) return refuse(417, "unknown expectation");
      head_.expects_continue = true;
    } else if (equals_ignoring_case(name, "connection")) {
      const auto options = split_list(value);
      head_.close = head_.close || std::ranges::any_of(options, [](std::string_view option) {
                      return equals_ignoring_case(option, "close");
                    });
    }
  }

  void content_length(std::string_view value) {
    if (lengths_++ > 0) return refuse(400, "more than one Content-Length header");
    const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return refuse(400, "bad Content-Length");
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc{} || length > max_body_bytes_) return refuse(413, "request body too large");
    head_.body_bytes = length;
  }

  void finish() {
    if (needs_host_ && hosts_ == 0) return refuse(400, "Host header missing");  // RFC 9112 section 3.2
    if (head_.body_bytes == 0) head_.expects_continue = false;
    head_.forwarded += kLineEnd;
  }

  RequestHead& head_;
  std::size_t max_body_bytes_;
  std::size_t hosts_ = 0;
  std::size_t lengths_ = 0;
  bool needs_host_ = false;
};

int hex_digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_blank) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    char character = text[at];
    if (character == '%') {
      if (text.size() - at < 3) return std::nullopt;
      const int high = hex_digit(text[at + 1]);
      const int low = hex_digit(text[at + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      character = static_cast<char>(high * 16 + low);
      at += 2;
    } else if (character == '+' && plus_is_blank) {
      character = ' ';
    }
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    plain += character;
  }
  return plain;
}

/// Length of "http://" or "https://" in front; 0 for any other form.
std::size_t scheme_of(std::string_view target) {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (target.size() >= scheme.size() && equals_ignoring_case(target.substr(0, scheme.size()), scheme))
      return scheme.size();
  }
  return 0;
}

std::string_view without_authority(std::string_view target) {
  const std::size_t scheme = scheme_of(target);
  if (scheme == 0) return target;
  const std::size_t path = target.find_first_of("/?", scheme);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

}  // namespace

std::size_t find_head_end(std::string_view received, std::size_t from) {
  const std::size_t blank = received.find("\r\n\r\n", from < 3 ? 0 : from - 3);
  return blank == std::string_view::npos ? blank : blank + 4;
}

RequestHead inspect_head(std::string_view head, std::size_t max_body_bytes) {
  RequestHead inspected;
  inspected.forwarded.reserve(head.size());
  Inspection(inspected, max_body_bytes).read(head);
  return inspected;
}

std::string field_values(std::string_view head, std::string_view name) {
  std::string list;
  for (std::size_t end = head.find(kLineEnd); end != std::string_view::npos; end = head.find(kLineEnd)) {
    head.remove_prefix(end + kLineEnd.size());  // the request line first
    const std::size_t colon = head.find(':');
    if (colon == std::string_view::npos || !equals_ignoring_case(head.substr(0, colon), name)) continue;
    append_to_list(list, trimmed(head.substr(colon + 1, head.find(kLineEnd, colon) - colon - 1)));
  }
  return list;
}

std::optional<std::string_view> authority_of(std::string_view target) {
  const std::size_t scheme = scheme_of(target);
  if (scheme == 0) return std::nullopt;
  return target.substr(scheme, std::min(target.find_first_of("/?#", scheme), target.size()) - scheme);
}

std::optional<RequestTarget> parse_target(std::string_view target) {
  target = without_authority(target);
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  RequestTarget parsed;

  auto path = decoded(target.substr(0, mark), false);
  if (!path) return std::nullopt;
  parsed.path = path->empty() ? "/" : std::move(*path);
  if (mark == std::string_view::npos) return parsed;

  std::string_view query = target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto key = decoded(pair.substr(0, equals), true);
    auto value = decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!key || !value) return std::nullopt;
    parsed.query.emplace_back(std::move(*key), std::move(*value));
  }
  return parsed;
}

std::vector<std::string_view> split_list(std::string_view value) {
  std::vector<std::string_view> elements;
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view element = trimmed(value.substr(0, comma));
    if (!element.empty()) elements.push_back(element);
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
  }
  return elements;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
  };
  return std::ranges::equal(left, right, {}, lower, lower);
}

}  // namespace ecmp::net
