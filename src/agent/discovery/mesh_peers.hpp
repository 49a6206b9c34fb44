#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/discovery/discovery.hpp"
#include "config/mesh.hpp"
#include "net/dns/resolver.hpp"

namespace ecmp {

/// Where the agents of a mesh are: looks up their names again and again, and knows this host's own addresses. The last
/// addresses of a name stay while it cannot be resolved. One thread uses it.
class MeshPeers {
 public:
  using Clock = std::chrono::steady_clock;

  /// From now on refresh() asks name servers, where there are names. `wake` is called by another thread when it has
  /// something to take.
  void start(std::function<void()> wake) { wake_ = std::move(wake); }
  void stop() {
    wake_ = {};
    resolver_.reset();
  }

  /// These are the agents now; `refresh` as [dns] has it. Names that are new are asked for with the next refresh().
  void want(std::span<const config::Found> peers, std::optional<Duration> refresh);

  /// Asks for what is due, and takes what was answered. True if any address has changed, of agents or of this host.
  bool refresh(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_look() const;

  [[nodiscard]] const config::HostAddresses& known() const { return known_; }
  [[nodiscard]] const std::vector<IpAddress>& own() const { return own_; }
  /// As one source of destinations; nullopt: there are no agents.
  [[nodiscard]] std::optional<SourceReport> report() const;

 private:
  struct Name {
    bool asked = false;
    bool failing = false;
    std::uint32_t failures = 0;  ///< in a row
    Clock::time_point ask_at{};
  };

  bool take(const net::AddressAnswer& answer, Clock::time_point now);
  bool look_at_own(Clock::time_point now);
  bool may_ask();

  std::function<void()> wake_;               ///< empty: not started, or stopped
  std::unique_ptr<net::Resolver> resolver_;  ///< null: nothing was to be asked yet
  bool failed_ = false;                      ///< it cannot be made
  std::optional<Duration> refresh_;
  std::map<std::string, Name, std::less<>> names_;
  config::HostAddresses known_;
  std::vector<IpAddress> own_;
  Clock::time_point own_at_{};
  std::uint64_t failures_ = 0;
  std::size_t peers_ = 0;
};

}  // namespace ecmp
