#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/tracing/tracing.hpp"
#include "catch.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::tracing_test {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

inline const IpAddress kSource = IpAddress::v4(0x0a000001);

inline IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

inline config::Destination destination(const std::string& host) {
  config::Destination made;
  made.name = made.host = host;
  made.address = IpAddress::parse(host);
  made.flows = 2;
  made.source_port = 50000;
  made.interval = 1s;
  made.timeout = 200ms;
  made.max_ttl = 2;
  return made;
}

/// Knows a way to everything but 198.51.100.0/24.
class FakeRoutes final : public Routes {
 public:
  std::optional<IpAddress> add_flow(std::uint32_t flow, const FiveTuple& tuple, const RouteWish&) override {
    CHECK(flows.emplace(flow, tuple).second);
    if (tuple.destination.to_string().starts_with("198.51.100.")) return std::nullopt;
    return kSource;
  }
  void remove_flow(std::uint32_t flow) override { CHECK(flows.erase(flow) == 1); }

  std::map<std::uint32_t, FiveTuple> flows;
};

/// Tracing over an engine whose probes are all lost, and everything it tells.
struct Traced {
  explicit Traced(std::vector<config::Destination> destinations, config::Limits limits = {})
      : tracing(configuration(std::move(destinations), limits), engine, routes,
                {.round = [this](auto record) { rounds.push_back(std::move(record)); },
                 .snapshots = [this](auto made) { snapshots = std::move(made); },
                 .resolve = [this](const std::string& host, auto) { asked.push_back(host); },
                 .warn =
                     [this](std::string_view name, std::string_view text) {
                       warnings.push_back(std::string(name) + ": " + std::string(text));
                     },
                 .responder = [this](const IpAddress& address) { responders.push_back(address); },
                 .gone = [this](const std::string& name) { gone.push_back(name); },
                 .figures_read = [this] { return read; }}) {
    tracing.start(now);
    pass(0s);
  }

  static config::Config configuration(std::vector<config::Destination> destinations, const config::Limits& limits) {
    config::Config config;
    config.destinations = std::move(destinations);
    config.limits = limits;
    return config;
  }

  /// Turns the loop for so long; at least once.
  void pass(Duration duration) {
    const Instant end = now + duration;
    do {
      now += 10ms;
      const auto batch = engine.poll(now, 1000, tracing);
      for (Outgoing& outgoing : batch) {
        const auto parsed = packet::parse_probe(outgoing.bytes);
        probed.insert(std::get<packet::Quote>(parsed).tuple.destination);
        outgoing.at = now;
      }
      engine.on_sent(batch);
      tracing.maintain(now);
    } while (now < end);
  }

  void answer(const std::string& host, const std::vector<const char*>& addresses, Duration ttl = 60s) {
    HostAnswer made{.host = host, .error = addresses.empty() ? "timeout" : "", .ttl = ttl};
    for (const char* address : addresses)
      made.addresses.push_back(ip(address));
    tracing.on_names(made, now);
  }

  std::set<IpAddress> traced() const {
    std::set<IpAddress> found;
    for (const auto& [flow, tuple] : routes.flows)
      found.insert(tuple.destination);
    return found;
  }

  std::set<std::string> told() const {
    std::set<std::string> names;
    for (const auto& snapshot : *snapshots)
      names.insert(snapshot->facts->name);
    return names;
  }

  std::shared_ptr<const DestinationSnapshot> told(const std::string& name) const {
    for (const auto& snapshot : *snapshots)
      if (snapshot->facts->name == name) return snapshot;
    FAIL("nothing is told of " << name);
    return nullptr;
  }

  Instant now{1000s};
  std::vector<std::shared_ptr<const RoundRecord>> rounds;
  std::shared_ptr<const Snapshots> snapshots = std::make_shared<Snapshots>();
  std::vector<std::string> asked, warnings, gone;
  std::vector<IpAddress> responders;
  std::set<IpAddress> probed;  ///< since somebody cleared it
  bool read = true;            ///< somebody reads figures all the time
  FakeRoutes routes;
  Engine engine{{.secret = {1, 2}}};
  Tracing tracing;
};

using Addresses = std::set<IpAddress>;
using Words = std::vector<std::string>;

}  // namespace ecmp::tracing_test
