#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "base/time.hpp"
#include "base/url.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp {

/// How to log in at a server; all empty: as the URL says.
struct HttpLogin {
  std::string username;
  std::string password_file;      ///< read for each request; empty: no password
  std::string bearer_token_file;  ///< likewise

  /// The value of an Authorization header (RFC 7617, RFC 6750), empty for none. The error names the file.
  [[nodiscard]] Result<std::string> authorization() const;
};

/// Fetches a document of JSON again and again, on a thread of its own.
class HttpPoll {
 public:
  /// `wake` is called by that thread when there is something to take.
  HttpPoll(Url url, HttpLogin login, Duration interval, Duration timeout, std::function<void()> wake);
  HttpPoll(const HttpPoll&) = delete;
  HttpPoll& operator=(const HttpPoll&) = delete;
  /// Stops it, soon, whatever the server does.
  ~HttpPoll();

  /// The newest outcome, once.
  std::optional<Result<std::string>> take();

 private:
  void run();

  const Url url_;
  const HttpLogin login_;
  const Duration interval_;
  const Duration timeout_;
  const std::function<void()> wake_;
  net::StopSignal stop_;
  std::mutex mutex_;
  std::optional<Result<std::string>> outcome_;
  std::thread thread_;
};

}  // namespace ecmp
