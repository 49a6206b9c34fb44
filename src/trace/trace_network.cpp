#include "trace/trace_network.hpp"

#include "agent/names/names.hpp"
#include "agent/secret.hpp"
#include "agent/tracing/raw_routes.hpp"
#include "net/dns/resolver.hpp"
#include "net/host/privilege.hpp"
#include "net/probe_io/raw_transport.hpp"

namespace ecmp {

namespace {

class RealNetwork final : public TraceNetwork {
 public:
  RealNetwork(std::unique_ptr<net::RawTransport> transport, std::unique_ptr<net::Resolver> resolver, bool names)
      : transport_(std::move(transport)), routes_(*transport_), names_({.names = names}, std::move(resolver)) {}

  Transport& transport() override { return *transport_; }
  Routes& routes() override { return routes_; }
  [[nodiscard]] Duration wall_offset() const override { return transport_->wall_offset(); }
  [[nodiscard]] SipKey secret() const override { return random_secret(); }
  void wake() override { transport_->wake(); }

  void ask_addresses(const std::string& host, config::FamilyChoice family) override {
    names_.ask_addresses(host, family);
  }
  void want_name(const IpAddress& address, Instant now) override { names_.want(address, now); }
  std::vector<HostAnswer> take_answers(Instant now) override { return names_.take_answers(now); }
  void pass_sources(Tracing& tracing) override {
    for (const auto& change : transport_->take_source_changes())
      tracing.on_source(change.flow, change.source);
  }
  [[nodiscard]] std::shared_ptr<const render::HopNames> names() const override { return names_.table(); }

  [[nodiscard]] std::optional<std::string> obstacle(std::uint32_t flow) override {
    const auto route = transport_->route(flow);
    if (!route) return "";  // the session knows what was wished for
    const std::uint64_t unresolved = transport_->counters().sent_unresolved;
    if (unresolved == std::exchange(unresolved_, unresolved) || route->local) return std::nullopt;
    const std::string interface = transport_->interface_name(route->interface);
    return "the gateway " + route->gateway.to_string() + " on " + interface + " does not resolve to a link address";
  }
  void stop() override { names_.stop(); }

 private:
  std::unique_ptr<net::RawTransport> transport_;
  RawRoutes routes_;
  Names names_;
  std::uint64_t unresolved_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceNetwork>> open_real_network(bool names) {
  auto transport = net::RawTransport::open();
  if (!transport.ok()) return Error{transport.error()};
  auto resolver = net::Resolver::make({});
  if (!resolver.ok()) return Error{resolver.error()};
  // Nobody has been asked anything yet, so there is one thread; the sockets are all that took a privilege.
  if (auto error = net::drop_privileges()) return *error;
  return std::unique_ptr<TraceNetwork>(
      std::make_unique<RealNetwork>(std::move(*transport), std::move(*resolver), names));
}

}  // namespace ecmp
