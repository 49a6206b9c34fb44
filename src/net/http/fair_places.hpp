#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "net/http/client_place.hpp"

namespace ecmp::net {

/// So many of something may be under way at once. Who comes when all places are taken waits for one, and clients take
/// turns: the one that has the fewest places goes first, then the one that had one the longest ago. A client that
/// stalls, as ClientPlace has it, loses its place to one that waits and has fewer, or that is itself; the slowest goes
/// first.
///
/// While no more than a quarter of the places is left, a client that has its share already gets one of those that it
/// lets stall, or none.
class FairPlaces {
 public:
  /// Free again when the last copy is gone.
  using Token = std::shared_ptr<const void>;

  struct Applicant {
    IpAddress client;                      ///< see client_of()
    std::shared_ptr<ClientPlace> place{};  ///< may be null: it is never made to give way
    bool stays = false;                    ///< the place is only to end a wait, and never taken away from here
  };

  /// `share` of one client while places are short; 0: no limit.
  explicit FairPlaces(std::size_t most, std::size_t share = 0) : most_(most), share_(share) {}

  void set_share(std::size_t share);

  /// Waits until `deadline`, or until `stop` is raised or the applicant's connection is over. Null: there is none.
  static Token take(const std::shared_ptr<FairPlaces>& places, const Applicant& applicant, Instant deadline,
                    const StopSignal* stop = nullptr);

  [[nodiscard]] std::uint64_t refused() const;
  /// Places that were taken away.
  [[nodiscard]] std::uint64_t evicted() const;

 private:
  struct Waiter {
    IpAddress client;
    std::uint64_t number = 0;
  };
  using Holders = std::list<Applicant>;

  // With the mutex held.
  [[nodiscard]] std::size_t held_by(const IpAddress& client) const;
  [[nodiscard]] bool goes_first(const Waiter& waiter) const;
  Holders::iterator hold(const Applicant& applicant);
  /// Of the places of `client`, and, unless `own_only`, of those of clients that have more. False: nobody stalls, or no
  /// more have to go.
  bool evict_slowest(const IpAddress& client, bool own_only);
  void give_back(Holders::iterator holder);

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t share_;
  Holders holders_;
  std::list<Waiter> waiters_;
  std::map<IpAddress, std::uint64_t> served_;  ///< when each client last had a place; bounded
  std::uint64_t next_ = 1;
  std::uint64_t refused_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace ecmp::net
