#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "base/url.hpp"

namespace ecmp::net {

struct FetchOptions {
  Duration timeout = std::chrono::seconds(10);  ///< for all of it: name, connection, answer
  std::size_t largest = 16u << 20;              ///< body, in bytes
  Duration refresh_interval{};                  ///< told the server as Prometheus does
  int stop = -1;                                ///< descriptor; readable: give up at once
  std::string authorization = {};               ///< value of the header; empty: what the URL says
};

/// The value of an Authorization header for "user:password" (RFC 7617 section 2).
std::string basic_authorization(std::string_view credentials);

/// GETs a document of JSON as Prometheus' http_sd does. An answer with another status than 200, another content type
/// than application/json, or a body that is too large, cut off or compressed is an error, as is a redirection. https
/// needs a certificate that the system's authorities vouch for (or those of SSL_CERT_FILE and SSL_CERT_DIR) and that
/// is for this host. Waits, but never longer than told. The error is one line.
Result<std::string> fetch_json(const Url& url, const FetchOptions& options);

}  // namespace ecmp::net
