#include "agent/reload.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <utility>

#include "agent/config_file.hpp"
#include "agent/log.hpp"

namespace ecmp {
namespace {

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace

Result<std::unique_ptr<Reloader>> Reloader::open(ConfigOrigin origin, config::Config config) {
  net::FileDescriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return Error{"cannot make an event descriptor: " + std::generic_category().message(errno)};
  return std::unique_ptr<Reloader>(new Reloader(std::move(origin), std::move(config), std::move(wake)));
}

Reloader::Reloader(ConfigOrigin origin, config::Config config, net::FileDescriptor wake)
    : origin_(std::move(origin)),
      wake_(std::move(wake)),
      running_(std::make_shared<const config::Config>(std::move(config))),
      report_{.successful = true, .success = wall_now()} {}

void Reloader::start(Make make) {
  make_ = std::move(make);
  thread_ = std::thread([this] { run(); });
}

void Reloader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  finished_.notify_all();
  wake();
  if (thread_.joinable()) thread_.join();
}

void Reloader::wake() const {
  // A full counter wakes too. Nothing else here, for signal handlers.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Reloader::request() {
  signalled_.store(true);
  wake();
}

ReloadOutcome Reloader::reload() {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = ++asked_;
  wake();
  finished_.wait(lock, [&] { return answered_ >= ticket || stop_.load(); });
  if (answered_ < ticket) return {.successful = false, .lines = {"not reloaded: the program is stopping"}};
  return outcome_;
}

std::shared_ptr<const config::Config> Reloader::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

Reloader::Report Reloader::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void Reloader::wait() const {
  pollfd descriptor{.fd = wake_.get(), .events = POLLIN, .revents = 0};
  ::poll(&descriptor, 1, -1);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
}

void Reloader::run() {
  while (!stop_.load()) {
    wait();
    const bool signalled = signalled_.exchange(false);
    const bool asked = [this] {
      const std::lock_guard lock(mutex_);
      return asked_ > answered_;
    }();
    if ((signalled || asked) && !stop_.load()) reload_now();
  }
}

void Reloader::reload_now() {
  const std::uint64_t ticket = [this] {
    const std::lock_guard lock(mutex_);
    return asked_;
  }();
  ReloadOutcome outcome = load();
  for (const std::string& line : outcome.lines) {
    if (outcome.successful) {
      log::info(line);
    } else {
      log::error("configuration not reloaded", {{"problem", line}});
    }
  }
  {
    const std::lock_guard lock(mutex_);
    report_.successful = outcome.successful;
    if (outcome.successful) report_.success = wall_now();
    outcome_ = std::move(outcome);
    answered_ = ticket;
  }
  finished_.notify_all();
}

ReloadOutcome Reloader::load() {
  auto loaded = load_config(origin_.file);
  if (auto* problems = std::get_if<std::vector<std::string>>(&loaded)) {
    return {.successful = false, .lines = std::move(*problems)};
  }
  auto next = std::make_shared<config::Config>(std::move(std::get<config::Config>(loaded)));
  if (!origin_.listen_addresses.empty()) next->listen_addresses = origin_.listen_addresses;
  return adopt(next);
}

ReloadOutcome Reloader::adopt(const std::shared_ptr<const config::Config>& next) {
  const auto before = running();
  const auto changes = std::make_shared<const config::Changes>(config::plan_changes(*before, *next));
  if (changes->any() && !make_(changes)) {
    return {.successful = false, .lines = {"not reloaded: the program is stopping"}};
  }
  {
    const std::lock_guard lock(mutex_);
    running_ = next;
  }
  ReloadOutcome outcome{.successful = true, .lines = {}};
  outcome.lines.push_back(
      fmt::format("configuration reloaded: destinations: {} added, {} removed, {} changed, {} as before",
                  changes->added.size(), changes->removed.size(), changes->edited.size(), changes->unchanged));
  for (const std::string_view key : changes->need_restart)
    outcome.lines.push_back(fmt::format("{} has changed: that takes effect with a restart", key));
  return outcome;
}

}  // namespace ecmp
