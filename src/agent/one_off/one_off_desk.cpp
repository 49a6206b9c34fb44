#include "agent/one_off/one_off_desk.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/names.hpp"

namespace ecmp {

std::string_view to_string(OneOffRefusal refusal) {
  constexpr auto kNames = std::to_array<std::string_view>({"", "rate", "busy", "network", "ports", "stopping"});
  return name_at(kNames, refusal);
}

bool OneOffTicket::complete(OneOffResult& result, bool wait) {
  {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (wait) {
      lock.lock();
    } else if (!lock.try_lock()) {
      return false;
    }
    if (!result_) result_ = std::move(result);
  }
  done_.notify_all();
  return true;
}

OneOffResult OneOffTicket::wait(Instant limit) {
  std::unique_lock lock(mutex_);
  const std::chrono::steady_clock::time_point until{limit.time_since_epoch()};
  if (!done_.wait_until(lock, until, [this] { return result_.has_value(); }))
    return {.problem = "the probing loop has not answered in time", .snapshot = nullptr, .log = {}};
  return std::move(*result_);
}

OneOffDesk::OneOffDesk(const config::OneOffLimits& limits)
    : max_concurrent_(limits.max_concurrent),
      lately_(std::chrono::ceil<Duration>(std::chrono::duration<double>(limits.burst / limits.requests_per_second))),
      tokens_(limits.requests_per_second, limits.burst),
      guest_tokens_(limits.requests_per_second / 4, std::max(1.0, limits.burst / 4.0)) {}

OneOffRefusal OneOffDesk::judge(const IpAddress& client, Instant now) {
  if (stopping_) return OneOffRefusal::stopping;
  const bool has_any = of_client_.contains(client);
  if (under_way_ >= (has_any ? max_concurrent_ : max_concurrent_ + 1)) return OneOffRefusal::busy;
  std::erase_if(asked_, [&](const auto& one) { return now - one.second > lately_; });
  const bool guest = !asked_.contains(client);
  TokenBucket* const tokens = tokens_.available(now) <= now                  ? &tokens_
                              : guest && guest_tokens_.available(now) <= now ? &guest_tokens_
                                                                             : nullptr;
  if (tokens == nullptr) return OneOffRefusal::rate;
  tokens->take(now);
  asked_[client] = now;  // no more of them than there were tokens lately
  return OneOffRefusal::none;
}

void OneOffDesk::end_one_of(const IpAddress& client) {
  --under_way_;
  const auto found = of_client_.find(client);
  if (found != of_client_.end() && --found->second == 0) of_client_.erase(found);
}

OneOffRefusal OneOffDesk::admit(OneOffRequest request, std::shared_ptr<OneOffTicket>& ticket) {
  const std::lock_guard lock(mutex_);
  const OneOffRefusal refusal = judge(request.client, request.begun);
  if (refusal != OneOffRefusal::none) {
    ++counters_.refused[static_cast<std::size_t>(refusal)];
    return refusal;
  }
  ++under_way_;
  ++of_client_[request.client];
  ticket = std::make_shared<OneOffTicket>(std::move(request));
  waiting_.push_back(ticket);
  return OneOffRefusal::none;
}

void OneOffDesk::count(OneOffRefusal refusal) {
  const std::lock_guard lock(mutex_);
  ++counters_.refused[static_cast<std::size_t>(refusal)];
}

std::vector<std::shared_ptr<OneOffTicket>> OneOffDesk::take() {
  // Whoever asks holds it and may have no processor just now: with the next turn, then.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return {};
  return std::exchange(waiting_, {});
}

std::vector<std::shared_ptr<OneOffTicket>> OneOffDesk::take_last() {
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

void OneOffDesk::finish(std::shared_ptr<OneOffTicket> ticket, OneOffResult result) {
  finished_.push_back({std::move(ticket), std::move(result)});
  settle();
}

void OneOffDesk::settle(bool wait) {
  if (finished_.empty()) return;
  {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (wait) {
      lock.lock();
    } else if (!lock.try_lock()) {
      return;
    }
    for (Finished& one : finished_)
      if (!std::exchange(one.counted, true)) count(*one.ticket, one.result);
  }
  std::erase_if(finished_, [wait](Finished& one) { return one.ticket->complete(one.result, wait); });
}

/// With the mutex held.
void OneOffDesk::count(const OneOffTicket& ticket, const OneOffResult& result) {
  end_one_of(ticket.request().client);
  if (result.refusal != OneOffRefusal::none) {
    ++counters_.refused[static_cast<std::size_t>(result.refusal)];
    return;
  }
  ++counters_.traced;
  if (result.snapshot != nullptr && result.snapshot->up) ++counters_.reached;
}

void OneOffDesk::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
}

OneOffCounters OneOffDesk::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace ecmp
