#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/family_choice.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace ecmp::net {

enum class DnsFailure : std::uint8_t {
  none,
  not_found,  ///< NXDOMAIN
  no_data,    ///< the name exists, without records of the type asked for
  timeout,
  server_failure,  ///< SERVFAIL, REFUSED, or nobody listens there: c-ares 1.18 does not tell them apart
  bad_reply,
  bad_name,
  other,
  count_
};
/// One word or two, for logs and the label of a counter.
std::string_view to_string(DnsFailure failure);

struct AddressAnswer {
  std::string name;
  FamilyChoice family = FamilyChoice::any;
  DnsFailure failure = DnsFailure::none;
  std::vector<IpAddress> addresses;  ///< the best first (RFC 6724); not empty without failure
  Duration ttl{};                    ///< the smallest of all records; zero when the name is from /etc/hosts
};

struct NameAnswer {
  IpAddress address;
  DnsFailure failure = DnsFailure::none;
  std::string name;  ///< cleaned, see clean_name(); not empty without failure
  Duration ttl{};
};

struct DnsAnswers {
  std::vector<AddressAnswer> addresses;
  std::vector<NameAnswer> names;
};

struct DnsCounters {
  std::uint64_t queries = 0;  ///< requests sent on their way
  std::uint64_t refused = 0;  ///< requests that found the queue full
  std::array<std::uint64_t, static_cast<std::size_t>(DnsFailure::count_)> failures{};  ///< by DnsFailure
};

/// Who asks: each kind has a queue of its own, and none waits for another.
enum class NameUse : std::uint8_t { destination, one_off };

struct ResolverOptions {
  Duration timeout = std::chrono::seconds(2);  ///< of the first try; c-ares doubles it with every further one
  int tries = 2;
  std::size_t max_in_flight = 1024;   ///< of each kind: so many names may be silent at once and hold up no other
  std::size_t max_waiting = 16384;    ///< requests of each kind, and answers not taken yet
  double names_per_second = 100;      ///< reverse look-ups: a new path brings dozens of them at once
  double addresses_per_second = 500;  ///< other look-ups, those of one-off traces left out
  std::string servers;                ///< "127.0.0.1:5353,...": instead of those of resolv.conf
  std::string resolv_conf = "/etc/resolv.conf";  ///< followed; it is read by c-ares, which knows this path alone
  /// Called by the resolver's thread with a line about name servers that cannot be used.
  std::function<void(const std::string& problem)> warn = {};
};

/// Asks the DNS on a thread of its own, so that nobody else ever waits for it: requests go into a queue, answers come
/// out of another. All functions may be called from any thread and return at once, but for stop().
class Resolver {
 public:
  /// `wake` is called by the resolver's thread when there are answers to take; it must not call back.
  /// Fails when the resolver library cannot be set up.
  static Result<std::unique_ptr<Resolver>> make(ResolverOptions options, std::function<void()> wake = {});

  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  /// Stops it.
  ~Resolver();

  /// Asks for all addresses of a name, /etc/hosts first, which waits for nothing. Equal requests under way become one.
  /// False: the queue is full.
  bool request_addresses(std::string_view name, FamilyChoice family, NameUse use = NameUse::destination);
  /// Asks for the reverse name of an address.
  bool request_name(const IpAddress& address);

  /// Everything that was answered since the last call. Each request gets exactly one answer.
  DnsAnswers take_answers();

  /// How often other name servers were taken up than there were: what failed before may work now.
  [[nodiscard]] std::uint64_t server_changes() const;

  [[nodiscard]] DnsCounters counters() const;

  /// Returns when the thread has ended. What is under way gets no answer any more.
  void stop();

 private:
  class Worker;
  explicit Resolver(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace ecmp::net
