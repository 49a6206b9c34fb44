#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <sys/eventfd.h>
#include <unordered_map>

#include "net/host/file_descriptor.hpp"
#include "sim/network.hpp"
#include "sim/scenario.hpp"
#include "trace/trace_network.hpp"

namespace ecmp {

namespace {

/// Routers and destinations have the names that the scenario calls them by.
class NodeNames final : public render::HopNames {
 public:
  NodeNames() = default;
  explicit NodeNames(const sim::Topology& topology) {
    for (const sim::Node& node : topology.nodes) {
      add(node.addresses, node.name);
      if (node.nat) add(node.nat->address, node.name);
    }
    for (const sim::Link& link : topology.links)
      add(link.ingress, topology.nodes[link.to].name);
  }
  [[nodiscard]] std::string_view name(const IpAddress& address) const override {
    const auto found = names_.find(address);
    return found == names_.end() ? std::string_view{} : std::string_view(found->second);
  }

 private:
  void add(const sim::Addresses& addresses, const std::string& name) {
    for (const IpAddress& address : {addresses.v4, addresses.v6}) {
      if (!address.is_unspecified()) names_.emplace(address, name);
    }
  }

  std::unordered_map<IpAddress, std::string> names_;
};

class SimulatedTraceNetwork final : public TraceNetwork, private Transport, private Routes {
 public:
  SimulatedTraceNetwork(const sim::Scenario& scenario, std::uint64_t seed, bool paced, bool names)
      : network_(scenario, seed),
        seed_(seed),
        paced_(paced),
        names_(names ? std::make_shared<const NodeNames>(scenario.topology) : std::make_shared<const NodeNames>()),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  Transport& transport() override { return *this; }
  Routes& routes() override { return *this; }
  /// The simulated network is switched on at 2026-01-01T00:00:00Z, so that two runs tell the same.
  [[nodiscard]] Duration wall_offset() const override {
    constexpr auto kBegin = std::chrono::sys_days{std::chrono::January / 1 / 2026};
    return kBegin.time_since_epoch() - sim::SimulatedNetwork::kStart.time_since_epoch();
  }
  [[nodiscard]] SipKey secret() const override { return {seed_, 0x73696d756c617465u}; }
  void wake() override {
    const std::uint64_t once = 1;
    (void)!::write(wake_.get(), &once, sizeof once);
  }

  void ask_addresses(const std::string&, config::FamilyChoice) override {}
  void want_name(const IpAddress&, Instant) override {}
  std::vector<HostAnswer> take_answers(Instant) override { return {}; }
  void pass_sources(Tracing&) override {}
  [[nodiscard]] std::shared_ptr<const render::HopNames> names() const override { return names_; }
  [[nodiscard]] std::optional<std::string> obstacle(std::uint32_t) override { return std::nullopt; }
  void stop() override {}

 private:
  // Routes
  std::optional<IpAddress> add_flow(std::uint32_t, const FiveTuple& tuple, const RouteWish& wish) override {
    if (wish.source_address) return wish.source_address;
    const sim::Topology& topology = network_.topology();
    const IpAddress& source = topology.nodes[topology.agent()].addresses.of(tuple.destination.family());
    if (source.is_unspecified()) return std::nullopt;
    return source;
  }
  void remove_flow(std::uint32_t) override {}

  // Transport
  Instant now() override { return network_.now(); }
  void send(std::span<Outgoing> batch) override { network_.send(batch); }
  void receive(Instant deadline, CaptureSink& sink) override {
    network_.receive(deadline, sink);
    if (paced_) sleep_until(begin_ + (network_.now() - sim::SimulatedNetwork::kStart));
  }
  void sleep_until(std::chrono::steady_clock::time_point until) {
    const auto left = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
    if (left <= Duration{}) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec timeout{seconds.count(), (left - seconds).count()};
    pollfd woken{wake_.get(), POLLIN, 0};
    ::ppoll(&woken, 1, &timeout, nullptr);
  }

  sim::SimulatedNetwork network_;
  const std::uint64_t seed_;
  const bool paced_;
  const std::shared_ptr<const NodeNames> names_;
  net::FileDescriptor wake_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<std::unique_ptr<TraceNetwork>> open_simulated_network(std::string_view text, const std::string& file,
                                                             std::uint64_t seed, bool paced, bool names) {
  const auto scenario = sim::parse_scenario(text, file);
  if (!scenario.ok()) return Error{scenario.error()};
  return std::unique_ptr<TraceNetwork>(std::make_unique<SimulatedTraceNetwork>(*scenario, seed, paced, names));
}

Result<SimulatedDestination> simulated_destination(std::string_view text, const std::string& file,
                                                   const std::string& host, config::FamilyChoice family) {
  const auto scenario = sim::parse_scenario(text, file);
  if (!scenario.ok()) return Error{scenario.error()};
  const sim::Topology& topology = scenario->topology;
  if (const auto address = IpAddress::parse(host)) {
    if (topology.owner(*address) == sim::kNone) return Error{host + " is no destination of " + file};
    return SimulatedDestination{host, *address};
  }
  for (const sim::NodeId id : topology.destinations) {
    const sim::Node& node = topology.nodes[id];
    if (!host.empty() && node.name != host) continue;
    const bool six = family == config::FamilyChoice::ipv6 ||
                     (family == config::FamilyChoice::any && node.addresses.v4.is_unspecified());
    const IpAddress& address = six ? node.addresses.v6 : node.addresses.v4;
    if (address.is_unspecified())
      return Error{node.name + " of " + file + " has no " + (six ? "IPv6" : "IPv4") + " address"};
    return SimulatedDestination{node.name, address};
  }
  return Error{"\"" + host + "\" is no destination of " + file};
}

}  // namespace ecmp
