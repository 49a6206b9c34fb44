#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ecmp::net {

constexpr std::size_t kMaxRequestLine = 8000;  ///< bytes; RFC 9112 section 3 asks for 8000 at least
constexpr std::size_t kMaxHeaderLines = 100;

/// The checked head of a request: what the HTTP parser behind may see, and what it must not decide by itself.
///
/// Our parser is lenient (it skips lines it cannot read, decodes escapes in header values, inflates bodies, multiplies
/// ranges), and leniency about where a message ends is how requests are smuggled (RFC 9112 section 11.2). So the
/// framing is settled here, strictly, before it sees a byte.
struct RequestHead {
  int refusal = 0;          ///< HTTP status; 0: the request is fine and the rest of the fields hold
  std::string_view reason;  ///< of the refusal: one line
  std::string forwarded;    ///< the head without Range, If-Range, Accept-Encoding, Expect and Connection
  std::string accept_encoding;
  std::size_t body_bytes = 0;
  bool expects_continue = false;
  bool close = false;  ///< the client wants the connection closed after the answer
};

/// Position after the blank line that ends a head, or npos. Looks only at what can end behind `from`.
std::size_t find_head_end(std::string_view received, std::size_t from = 0);

/// `head` runs through its blank line.
RequestHead inspect_head(std::string_view head, std::size_t max_body_bytes);

/// The values of the fields called `name` in a checked head, in their order, joined by commas (RFC 9110 section 5.3).
/// Of a field that must not come twice, two make a value that nothing takes. Parsers behind differ in both.
std::string field_values(std::string_view head, std::string_view name);

struct RequestTarget {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

/// Of a request target in absolute form its authority, which counts in place of Host (RFC 9112 section 3.2.2); nullopt
/// for any other.
std::optional<std::string_view> authority_of(std::string_view target);

/// Origin form or absolute form (RFC 9112 section 3.2), escapes decoded, "+" in the query read as a blank. Nullopt for
/// bad escapes and for anything that decodes to a control character.
std::optional<RequestTarget> parse_target(std::string_view target);

/// The comma-separated, trimmed elements of a header value, case kept.
std::vector<std::string_view> split_list(std::string_view value);

/// ASCII only, as all of HTTP's own words are.
bool equals_ignoring_case(std::string_view left, std::string_view right);

}  // namespace ecmp::net
