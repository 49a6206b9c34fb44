#include "agent/discovery/http_poll.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "net/host/file_descriptor.hpp"
#include "net/http/http_fetch.hpp"

namespace ecmp {

namespace {

/// The secret that a file holds, without the line break that editors leave.
Result<std::string> read_secret(const std::string& path) {
  constexpr std::size_t kLargest = 64u << 10;
  // Not waiting: it may be a pipe.
  const net::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::string text(kLargest, '\0');
  const ssize_t got = file.valid() ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got < 0) return Error{path + ": " + std::generic_category().message(errno)};
  text.resize(static_cast<std::size_t>(got));
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(text.find_last_not_of(kSpace) + 1);
  text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  if (text.empty()) return Error{path + ": there is nothing in it"};
  const auto control = [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; };
  if (std::ranges::any_of(text, control)) return Error{path + ": a line break or control character within the secret"};
  return text;
}

}  // namespace

Result<std::string> HttpLogin::authorization() const {
  if (!bearer_token_file.empty()) {
    auto token = read_secret(bearer_token_file);
    if (!token.ok()) return Error{"bearer_token_file: " + token.error()};
    return "Bearer " + *token;
  }
  if (username.empty()) return std::string();
  std::string password;
  if (!password_file.empty()) {
    auto read = read_secret(password_file);
    if (!read.ok()) return Error{"password_file: " + read.error()};
    password = std::move(*read);
  }
  return net::basic_authorization(username + ":" + password);
}

HttpPoll::HttpPoll(Url url, HttpLogin login, Duration interval, Duration timeout, std::function<void()> wake)
    : url_(std::move(url)),
      login_(std::move(login)),
      interval_(interval),
      timeout_(timeout),
      wake_(std::move(wake)),
      thread_([this] { run(); }) {}

HttpPoll::~HttpPoll() {
  stop_.raise();
  thread_.join();
}

std::optional<Result<std::string>> HttpPoll::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcome_, std::nullopt);
}

void HttpPoll::run() {
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(interval_).count();
  while (!stop_.raised()) {
    auto authorization = login_.authorization();
    Result<std::string> outcome = authorization.ok() ? net::fetch_json(url_, {.timeout = timeout_,
                                                                              .refresh_interval = interval_,
                                                                              .stop = stop_.descriptor(),
                                                                              .authorization = *authorization})
                                                     : Result<std::string>(Error{authorization.error()});
    if (stop_.raised()) return;
    {
      const std::lock_guard lock(mutex_);
      outcome_ = std::move(outcome);
    }
    wake_();
    pollfd stop{.fd = stop_.descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&stop, 1, static_cast<int>(pause));
  }
}

}  // namespace ecmp
