#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "config/config.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// Why a one-off trace was not made.
enum class OneOffRefusal : std::uint8_t {
  none,
  rate,      ///< more requests than requests_per_second
  busy,      ///< max_concurrent are under way
  network,   ///< the address is in none of allowed_networks
  ports,     ///< its flows could not be told from others to the same address
  stopping,  ///< the exporter is
  count_
};
/// "rate", "busy", "network", "ports", "stopping".
std::string_view to_string(OneOffRefusal refusal);

struct OneOffRequest {
  std::size_t module = 0;            ///< its place in the configuration
  std::string host;                  ///< as asked for: an address or a name
  std::optional<IpAddress> address;  ///< when host is one
  IpAddress client;                  ///< that asks, see net::client_of()
  Instant begun{};
  Instant deadline{};  ///< then the answer is what has been found out
};

struct OneOffResult {
  OneOffRefusal refusal = OneOffRefusal::none;
  std::string problem;                                  ///< one line, where there is no snapshot
  std::shared_ptr<const DestinationSnapshot> snapshot;  ///< null: refused, or no address to trace
  std::vector<std::string> log;                         ///< lines about what happened when, for debug=true
};

/// Where a request waits for its result: made by the desk, filled by the probing loop.
class OneOffTicket {
 public:
  explicit OneOffTicket(OneOffRequest request) : request_(std::move(request)) {}

  [[nodiscard]] const OneOffRequest& request() const { return request_; }
  /// Takes the result and wakes who waits; false where who waits holds the lock, unless this may `wait` for it.
  bool complete(OneOffResult& result, bool wait);
  /// Waits for the result, until `limit`; then what is told is that nothing came.
  OneOffResult wait(Instant limit);

 private:
  const OneOffRequest request_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<OneOffResult> result_;
};

struct OneOffCounters {
  std::uint64_t traced = 0;
  std::uint64_t reached = 0;  ///< of these, those whose destination answered
  std::array<std::uint64_t, static_cast<std::size_t>(OneOffRefusal::count_)> refused{};
};

/// Between threads that answer GET /probe and the probing loop: lets in what the limits allow, in a queue that holds no
/// more than max_concurrent and one more.
///
/// One client cannot use up what there is: one that has none under way gets that further place when the others are
/// taken, and one that has asked for nothing lately, a quarter of the rate and of the burst besides.
class OneOffDesk {
 public:
  explicit OneOffDesk(const config::OneOffLimits& limits);

  /// Counts and begins a request, or says why not. Any thread.
  OneOffRefusal admit(OneOffRequest request, std::shared_ptr<OneOffTicket>& ticket);
  /// Counts a refusal that was found elsewhere. Any thread.
  void count(OneOffRefusal refusal);

  /// The requests that came in since the last call. The probing loop; each of them ends in finish().
  std::vector<std::shared_ptr<OneOffTicket>> take();
  /// The same, and waits for the lock: what it leaves would never be finished.
  std::vector<std::shared_ptr<OneOffTicket>> take_last();
  /// Hands the result to who waits and lets another request in, now or in settle(). The probing loop.
  void finish(std::shared_ptr<OneOffTicket> ticket, OneOffResult result);
  /// Hands over what could not be: who waits may hold the lock and have no processor just then. The probing loop, each
  /// turn. `wait`: at the end, where nothing may be left.
  void settle(bool wait = false);

  /// Nothing is let in any more. Any thread.
  void stop();

  [[nodiscard]] OneOffCounters counters() const;

  /// Traces under way at once, at most.
  static constexpr std::uint32_t places(const config::OneOffLimits& limits) { return limits.max_concurrent + 1; }

 private:
  /// With the mutex held.
  OneOffRefusal judge(const IpAddress& client, Instant now);
  void end_one_of(const IpAddress& client);
  void count(const OneOffTicket& ticket, const OneOffResult& result);

  struct Finished {
    std::shared_ptr<OneOffTicket> ticket;
    OneOffResult result;
    bool counted = false;
  };
  std::vector<Finished> finished_;  ///< not handed over yet; of the probing loop

  const std::uint32_t max_concurrent_;
  const Duration lately_;  ///< the time in which a burst is used up and filled again
  mutable std::mutex mutex_;
  TokenBucket tokens_;
  TokenBucket guest_tokens_;                      ///< of clients that have not asked lately
  std::map<IpAddress, Instant> asked_;            ///< lately; bounded
  std::map<IpAddress, std::uint32_t> of_client_;  ///< under way
  std::vector<std::shared_ptr<OneOffTicket>> waiting_;
  std::uint32_t under_way_ = 0;  ///< waiting or being traced
  bool stopping_ = false;
  OneOffCounters counters_;
};

}  // namespace ecmp
