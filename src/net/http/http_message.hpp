#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace ecmp::net {

class ClientPlace;

/// A request after all checks: sizes bounded, escapes decoded, no control characters in path and query.
struct HttpRequest {
  std::string method;                                      ///< "GET", "HEAD", "POST", ...
  std::string path;                                        ///< decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in the order given; keys may repeat
  std::string accept;                                      ///< all Accept lines, joined by commas
  std::string accept_encoding;             ///< likewise; compression is the server's business, not the route's
  std::string if_none_match;               ///< as given
  std::optional<Duration> scrape_timeout;  ///< X-Prometheus-Scrape-Timeout-Seconds
  std::string authorization;
  std::string content_type;
  std::string body;
  IpAddress remote_address;
  std::uint16_t remote_port = 0;
  bool cross_site = false;             ///< a browser sends it for a page of another site, see is_cross_site()
  std::shared_ptr<ClientPlace> place;  ///< of its connection; null: made by hand

  /// The first value of a parameter.
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view key) const {
    for (const auto& [name, value] : query) {
      if (name == key) return value;
    }
    return std::nullopt;
  }
};

/// A body that is made piece by piece while it is sent. Used by one thread, that of its connection.
class BodyStream {
 public:
  enum class Next : std::uint8_t {
    more,  ///< something was appended, or can be at once: ask again
    idle,  ///< nothing more for the moment: what was appended so far is sent now
    end,   ///< that was the last piece
  };

  BodyStream() = default;
  BodyStream(const BodyStream&) = delete;
  BodyStream& operator=(const BodyStream&) = delete;
  virtual ~BodyStream() = default;

  /// Appends the next piece to `out` (some 64 KiB at most, since a piece is held in memory). Where there is none it may
  /// wait for one, but not beyond `deadline` (CLOCK_MONOTONIC): between calls the server looks whether the reader is
  /// still there and whether it is told to stop. Throwing breaks the answer off.
  virtual Next next(std::string& out, Instant deadline) = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::shared_ptr<const std::string> shared_body;  ///< instead of `body`, when set: one rendering for many readers
  std::unique_ptr<BodyStream> stream;              ///< instead of both, when set
  std::vector<std::pair<std::string, std::string>> headers;  ///< further ones

  /// One line of plain text; the newline is added.
  static HttpResponse text(int status, std::string_view line) {
    HttpResponse response;
    response.status = status;
    response.body = std::string(line) + "\n";
    return response;
  }
};

/// Called by many threads at once. What it throws becomes a bare 500.
using HttpRoute = std::function<HttpResponse(const HttpRequest&)>;

}  // namespace ecmp::net
