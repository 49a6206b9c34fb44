#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/http/http_message.hpp"
#include "net/http/http_socket.hpp"
#include "net/http/tls_context.hpp"

namespace ecmp::net {

/// What stands between the clients of a server and its routes. Called by many threads at once; may change its mind
/// between two connections, and between two requests of one.
class HttpGate {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  struct Verdict {
    std::optional<HttpResponse> refusal;     ///< is sent instead of asking a route
    std::shared_ptr<const Headers> headers;  ///< for whatever is sent, in place of any of the same names; may be null
  };

  HttpGate() = default;
  HttpGate(const HttpGate&) = delete;
  HttpGate& operator=(const HttpGate&) = delete;
  virtual ~HttpGate() = default;

  /// What a connection that begins now is to speak; null: plain HTTP. May read files.
  virtual std::shared_ptr<const TlsContext> tls() = 0;

  /// Whether connections are encrypted at present. Does not wait.
  [[nodiscard]] virtual bool encrypts() const = 0;

  /// May take as long as a password hash does; returns soon after `stop` is raised.
  virtual Verdict judge(const HttpRequest& request, const StopSignal& stop) = 0;
};

}  // namespace ecmp::net
