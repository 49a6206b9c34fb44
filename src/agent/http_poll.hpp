#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "base/time.hpp"
#include "base/url.hpp"
#include "net/http_socket.hpp"

namespace ecmp {

/// Fetches a document of JSON again and again, on a thread of its own.
class HttpPoll {
 public:
  /// `wake` is called by that thread when there is something to take.
  HttpPoll(Url url, Duration interval, Duration timeout, std::function<void()> wake);
  HttpPoll(const HttpPoll&) = delete;
  HttpPoll& operator=(const HttpPoll&) = delete;
  /// Stops it, soon, whatever the server does.
  ~HttpPoll();

  /// The newest outcome, once.
  std::optional<Result<std::string>> take();

 private:
  void run();

  const Url url_;
  const Duration interval_;
  const Duration timeout_;
  const std::function<void()> wake_;
  net::StopSignal stop_;
  std::mutex mutex_;
  std::optional<Result<std::string>> outcome_;
  std::thread thread_;
};

}  // namespace ecmp
