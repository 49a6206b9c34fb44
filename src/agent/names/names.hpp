#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/tracing/tracing.hpp"
#include "config/config.hpp"
#include "net/dns/name_cache.hpp"
#include "net/dns/resolver.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Names both ways: the addresses of destinations, and the reverse names of responders. The probing loop asks and
/// learns; any thread reads table().
class Names {
 public:
  Names(const config::Dns& options, std::unique_ptr<net::Resolver> resolver);

  void set_options(const config::Dns& options);

  void ask_addresses(const std::string& host, config::FamilyChoice family,
                     net::NameUse use = net::NameUse::destination);

  /// Once for each time that other name servers were taken up.
  bool take_server_change();

  /// Somebody answered from this address: its name may be told soon.
  void want(const IpAddress& address, Instant now);

  /// Learns what has come back, asks for what is due. Returns the answers to ask_addresses().
  std::vector<HostAnswer> take_answers(Instant now);

  /// Reverse look-ups that failed, but for those that were told that there is no name.
  [[nodiscard]] std::uint64_t errors() const { return errors_; }

  /// The names known now; valid as long as it is held.
  [[nodiscard]] std::shared_ptr<const render::HopNames> table() const;

  void stop() { resolver_->stop(); }

 private:
  void learn(const net::NameAnswer& answer, Instant now);

  bool reverse_;  ///< whether responders' names are wanted at all
  std::unique_ptr<net::Resolver> resolver_;
  net::NameCache cache_;
  std::vector<HostAnswer> refused_;
  std::uint64_t errors_ = 0;
  std::uint64_t server_changes_ = 0;  ///< taken
  mutable std::mutex mutex_;
  std::shared_ptr<const render::HopNames> table_;
};

}  // namespace ecmp
