#include "agent/http_poll.hpp"

#include <poll.h>
#include <utility>

#include "net/http_fetch.hpp"

namespace ecmp {

HttpPoll::HttpPoll(Url url, Duration interval, Duration timeout, std::function<void()> wake)
    : url_(std::move(url)), interval_(interval), timeout_(timeout), wake_(std::move(wake)), thread_([this] {
        run();
      }) {}

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
    auto outcome =
        net::fetch_json(url_, {.timeout = timeout_, .refresh_interval = interval_, .stop = stop_.descriptor()});
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
