#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ecmp {

/// An http or https URL (RFC 3986), taken apart.
struct Url {
  bool tls = false;
  std::string credentials;  ///< "user:password", decoded; empty: none
  std::string host;         ///< an address, without brackets, or a name
  std::uint16_t port = 0;
  std::string target;  ///< path and query as they are sent; begins with '/'

  /// As in a Host header: with brackets, and the port where it is not that of the scheme.
  [[nodiscard]] std::string authority() const;
};

/// Errors follow "expected" or stand for themselves, in one line. At most 2048 characters; a fragment is refused.
Result<Url> parse_url(std::string_view text);

/// What may be shown of a URL: scheme, host and port. "<secret>" stands for user and password, and for all that follows
/// the host but a lone '/': tokens stand in paths and queries. So also where it is not a good URL.
std::string masked_url(std::string_view text);

/// A text that may hold URLs, such as a line of a file in an error message, with each of them masked.
std::string masked_urls(std::string_view text);

}  // namespace ecmp
