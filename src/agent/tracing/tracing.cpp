#include "agent/tracing/tracing.hpp"

#include <algorithm>
#include <iterator>

#include "agent/tracing/histogram_bounds.hpp"
#include "agent/tracing/tracing_state.hpp"
#include "base/siphash.hpp"
#include "config/host.hpp"

namespace ecmp {
namespace {

/// The name of a responder that answers on and on is wanted so often: those that nobody wants are forgotten first.
constexpr Duration kWantAgain = std::chrono::minutes(1);
constexpr Duration kLeastRefresh = std::chrono::seconds(5);
constexpr Duration kMostRefresh = std::chrono::hours(1);
/// After a name could not be resolved. A second time as well, then twice as long each time, up to the longest.
constexpr Duration kRetry = std::chrono::seconds(15);
constexpr Duration kLongestRetry = std::chrono::minutes(5);
/// Flows begin within this time after the start, however long the interval is.
constexpr Duration kStartSpread = std::chrono::seconds(10);

/// Any number that differs between names and is the same after a restart.
std::uint64_t phase_of(std::string_view name) {
  constexpr SipKey kKey{0x65636d705f706861u, 0x73655f6f665f6e61u};
  return siphash(kKey, ByteView(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
}

/// A name may be given any address by whoever serves it: those that a configuration may not hold are left out here too.
HostAnswer usable_by(const config::Destination& destination, HostAnswer answer) {
  std::erase_if(answer.addresses, [&destination](const IpAddress& address) {
    return !config::can_be_traced(address, destination.interface);
  });
  if (answer.addresses.empty() && answer.error.empty()) answer.error = "no address of it can be traced";
  return answer;
}

}  // namespace

SourcePorts ports_of(const config::Destination& destination, std::string_view name) {
  if (destination.source_port) return *destination.source_port;
  return {PortOrder(destination.source_ports, name, destination.protocol, destination.port), destination.flows};
}

PortsToKeep kept_ports(const config::Destination& destination) {
  PortBlock block = destination.source_ports;
  if (const auto first = destination.source_port)
    block = {*first, static_cast<std::uint16_t>(*first + destination.flows - 1)};
  return {.protocol = destination.protocol,
          .destination_port = port_of(destination.protocol, destination.port),
          .source_ports = block};
}

void tell_of(DestinationFacts& facts, const config::Destination& destination) {
  facts.host = destination.host;
  facts.protocol = destination.protocol;
  facts.stamp = destination.stamp;
  facts.port = port_of(destination.protocol, destination.port);
  facts.source_ports = ports_of(destination, facts.name);
  facts.flows = destination.flows;
  facts.steady = first_steady(destination);
  facts.interval = destination.interval;
  facts.expected_paths = destination.expected_paths;
  facts.labels = destination.labels;
}

Tracing::Tracing(const config::Config& config, Engine& engine, Routes& routes, Outputs outputs)
    : limits_(config.limits),
      window_(config.window),
      hop_histograms_(config.histograms.hops != config::HistogramForm::off),
      bounds_(with_bounds(nullptr, config.histograms)),
      refresh_(config.dns.refresh),
      engine_(engine),
      routes_(routes),
      outputs_(std::move(outputs)) {
  for (const config::Destination& destination : config.destinations)
    make(insert(destination), destination.name);
}

Tracing::~Tracing() = default;

ModelOptions Tracing::model_options(const config::Destination& destination) const {
  return {.confirm_rounds = destination.confirm_rounds,
          .max_paths = limits_.max_paths_per_destination,
          .window = window_,
          .hop_histograms = hop_histograms_,
          .wait_for_hops = outputs_.wait_for_hops,
          .bounds = bounds_};
}

Tracing::Configured& Tracing::insert(const config::Destination& destination) {
  const auto place =
      std::ranges::lower_bound(configured_, destination.name, {},
                               [](const auto& other) -> const std::string& { return other->destination.name; });
  auto configured = std::make_unique<Configured>();
  configured->destination = destination;
  if (configured->is_name()) names_.push_back(configured.get());
  return **configured_.insert(place, std::move(configured));
}

Tracing::Traced& Tracing::make(Configured& configured, std::string name) {
  const config::Destination& destination = configured.destination;
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = std::move(name);
  tell_of(*facts, destination);
  auto traced = std::make_unique<Traced>(configured, std::move(facts), model_options(destination));
  traced->sources.resize(destination.flows);
  ++unsettled_;
  configured.traced.push_back(traced.get());
  const auto place = std::ranges::lower_bound(
      traced_, traced->facts->name, {}, [](const auto& other) -> const std::string& { return other->facts->name; });
  return **traced_.insert(place, std::move(traced));
}

/// What is to be known before it begins, and what it is called: from now on it is told.
void Tracing::introduce(Traced& traced, Instant now) {
  traced.model.begin(wall(now));
  if (!outputs_.path_names) return;
  if (const DestinationPathNames* const names = outputs_.path_names(traced.facts->name))
    traced.model.restore(*names, now);
}

void Tracing::start(Instant now) {
  for (const auto& traced : traced_)
    introduce(*traced, now);
  // Spread ports step round those that are taken, fixed ones cannot.
  for (const bool fixed : {true, false}) {
    for (const auto& configured : configured_)
      if (configured->destination.source_port.has_value() == fixed) begin(*configured, now);
  }
  publish_at_ = resolve_at_ = now;
}

void Tracing::begin(Configured& configured, Instant now) {
  configured.ask_at = now;
  if (!configured.is_name()) begin(*configured.traced.front(), *configured.destination.address, now);
}

/// Those of the destination's order that no flow of another one to the same address has.
SourcePorts Tracing::free_ports(const config::Destination& destination, const DestinationFacts& facts) const {
  if (destination.source_port) return *destination.source_port;
  const PortOrder order(destination.source_ports, facts.name, destination.protocol, destination.port);
  auto ports = engine_.free_ports(order, facts.address, destination.protocol, destination.port, destination.flows);
  if (ports.size() < destination.flows) return ports_of(destination, facts.name);  // which the engine refuses
  return SourcePorts(std::move(ports));
}

/// As after a restart, fixed ports have precedence: who has ports of a block can step round them.
std::vector<Tracing::Traced*> Tracing::end_spread_in_the_way(const Traced& fixed) {
  const config::Destination& destination = fixed.configured.destination;
  std::vector<Traced*> ended;
  for (const auto& other : traced_) {
    const DestinationFacts& facts = *other->facts;
    if (!other->first_flow || other->configured.destination.source_port || facts.address != fixed.facts->address ||
        facts.protocol != fixed.facts->protocol || facts.port != fixed.facts->port)
      continue;
    const std::uint32_t first = *destination.source_port;
    const auto in_the_way = [&](std::uint16_t port) { return port >= first && port < first + destination.flows; };
    if (std::ranges::none_of(facts.source_ports.list(), in_the_way)) continue;
    end(*other);
    ended.push_back(other.get());
  }
  return ended;
}

/// The address is a copy: it may come from the facts that are replaced here.
void Tracing::begin(Traced& traced, IpAddress address, Instant now) {
  const config::Destination& destination = traced.configured.destination;
  auto facts = std::make_shared<DestinationFacts>(*traced.facts);
  facts->address = address;
  facts->steady = first_steady(destination);
  facts->source_ports = free_ports(destination, *facts);
  traced.facts = std::move(facts);
  traced.model.set_facts(traced.facts, wall(now));
  traced.changed = true;
  DestinationPlan plan{.address = address,
                       .protocol = destination.protocol,
                       .port = destination.port,
                       .source_ports = traced.facts->source_ports,
                       .flows = destination.flows,
                       .interval = destination.interval,
                       .timeout = destination.timeout,
                       .max_ttl = destination.max_ttl,
                       .packet_size = destination.packet_size,
                       .dscp = destination.dscp,
                       .start_spread = kStartSpread,
                       .phase = phase_of(traced.facts->name)};
  if (destination.stamp) {
    if (!destination.key_file.empty() && destination.key.empty()) {
      settle(traced);
      complain(traced, "not traced: key_file is read for destinations of the configuration file itself only");
      return;
    }
    plan.stamp = true;
    plan.packet_interval = destination.packet_interval;
    if (!destination.key.empty())
      plan.key = std::make_shared<const std::vector<std::uint8_t>>(destination.key.begin(), destination.key.end());
    traced.oneway =
        std::make_unique<OnewayModel>(destination.flows, window_, destination.packet_interval, destination.timeout);
    traced.flow_paths.assign(destination.flows, 0);
  }
  if (traced.facts->steady != nullptr) plan.awake = static_cast<std::uint16_t>(traced.facts->steady->size());
  if (outputs_.adjust) outputs_.adjust(plan);
  traced.first_flow = engine_.add(plan, now);
  std::vector<Traced*> aside;
  if (!traced.first_flow && destination.source_port) {
    aside = end_spread_in_the_way(traced);
    if (!aside.empty()) traced.first_flow = engine_.add(plan, now);
  }
  for (Traced* const other : aside)
    begin(*other, other->facts->address, now);
  traced.refused = !traced.first_flow;
  if (traced.refused) {
    settle(traced);
    complain(traced, "not traced: another destination has address " + address.to_string() +
                         " with the same protocol and source ports");
    return;
  }
  const std::uint32_t first = *traced.first_flow;
  if (by_flow_.size() < first + destination.flows) by_flow_.resize(first + destination.flows);
  traced.routed.assign(destination.flows, false);
  for (std::uint32_t index = 0; index < destination.flows; ++index) {
    by_flow_[first + index] = &traced;
    if (is_steady(*traced.facts, index)) follow_route(traced, index);
  }
  if (destination.auto_flows) begin_searching(traced, now);
  if (traced.sources.front().is_unspecified()) {
    complain(traced, why_unroutable(routes_.error(first), wish_of(destination), address));
  } else {
    traced.complaint.clear();
  }
}

void Tracing::complain(Traced& traced, std::string message) {
  if (traced.complaint == message) return;
  traced.complaint = std::move(message);
  outputs_.warn(traced.facts->name, traced.complaint);
}

void Tracing::end(Traced& traced) {
  if (!traced.first_flow) return;
  end_searching(traced);
  engine_.remove(*traced.first_flow);
  for (std::uint32_t i = 0; i < traced.facts->flows; ++i) {
    if (traced.routed[i]) routes_.remove_flow(*traced.first_flow + i);
    by_flow_[*traced.first_flow + i] = nullptr;
  }
  traced.first_flow.reset();
  traced.oneway.reset();
}

/// Nothing of it is told any more.
void Tracing::drop(Traced& traced) {
  end(traced);
  settle(traced);
  outputs_.gone(traced.facts->name);
  std::erase_if(traced_, [&](const auto& owned) { return owned.get() == &traced; });
  publish_changed_ = true;
}

void Tracing::settle(Traced& traced) {
  if (traced.settled) return;
  traced.settled = true;
  --unsettled_;
}

void Tracing::on_source(std::uint32_t flow, const std::optional<IpAddress>& source) {
  Traced* traced = by_flow_[flow];
  if (traced == nullptr) return;
  const IpAddress address = source.value_or(IpAddress{});
  const std::uint32_t index = flow - *traced->first_flow;
  traced->sources[index] = address;
  engine_.set_source(flow, address, routes_.error(flow));
  traced->model.set_source(index, address);
  traced->changed = true;
}

void Tracing::on_round(const Round& round) {
  Traced& traced = *by_flow_[round.flow];
  const std::uint32_t index = round.flow - *traced.first_flow;
  if (traced.searching != nullptr && traced.searching->search != nullptr)
    traced.searching->search->on_round(index, round);
  if (!is_steady(*traced.facts, index)) return;  // asked for its path, which is all that is told of it
  auto record = outputs_.spare ? outputs_.spare() : nullptr;
  if (record == nullptr) record = std::make_shared<RoundRecord>();
  record->search = traced.searching != nullptr ? traced.searching->progress : nullptr;
  record->destination = traced.facts;
  record->flow_index = index;
  record->source_port = traced.facts->source_ports[index];
  record->source = traced.sources[index];
  record->round = round;
  record->wall_offset = wall_offset_;
  record->verdict = traced.model.on_round(index, round, record->wall(round.started));
  record->oneway = nullptr;
  if (traced.oneway != nullptr) {
    traced.flow_paths[index] = record->verdict.path;
    record->oneway = traced.oneway->round(index, record->verdict.path, round.finished);
  }
  if (traced.searching != nullptr) note_search(traced, record);
  traced.changed = true;
  settle(traced);
  if (outputs_.responder) want_names(traced, index, round);
  outputs_.round(std::move(record));
}

/// Nearly every round is answered by the same as the one before: their names are wanted already.
void Tracing::want_names(Traced& traced, std::uint32_t index, const Round& round) const {
  std::uint64_t sum = round.hops.size();
  for (const HopResult& hop : round.hops)
    sum += hop.responder.hash() * (2u * hop.ttl + 1u);
  if (traced.wanted.size() <= index) traced.wanted.resize(traced.facts->flows);
  Traced::Wanted& before = traced.wanted[index];
  if (sum == before.responders && round.finished - before.at < kWantAgain) return;
  before = {sum, round.finished};
  for (const HopResult& hop : round.hops)
    if (!hop.responder.is_unspecified()) outputs_.responder(hop.responder);
}

void Tracing::on_stream(const StreamReport& report) {
  Traced& traced = *by_flow_[report.flow];
  const std::uint32_t index = report.flow - *traced.first_flow;
  if (traced.oneway == nullptr || !is_steady(*traced.facts, index)) return;
  traced.oneway->on_report(index, traced.flow_paths[index], report);
  traced.changed = true;
}

void Tracing::on_names(const HostAnswer& answer, Instant now) {
  for (Configured* const name : names_) {
    const config::Destination& destination = name->destination;
    if (destination.host != answer.host || destination.family != answer.family || !name->asked) continue;
    name->asked = false;
    const HostAnswer usable = usable_by(destination, answer);
    if (usable.addresses.empty()) {
      fail(*name, usable, now);
      continue;
    }
    name->failing = false;
    name->failures = 0;
    // The user's own period is taken as it is, a server's only within reason.
    const Duration ttl = std::clamp(answer.ttl.value_or(kMostRefresh), kLeastRefresh, kMostRefresh);
    name->ask_at = now + refresh_.value_or(ttl);
    if (destination.all) {
      apply_all(*name, usable, now);
    } else {
      apply(*name, usable, now);
    }
  }
}

void Tracing::fail(Configured& name, const HostAnswer& answer, Instant now) {
  ++dns_errors_;
  ++name.failures;
  constexpr std::uint32_t kMostDoublings = 8;
  const std::uint32_t doublings = std::min(name.failures < 2 ? 0 : name.failures - 2, kMostDoublings);
  name.ask_at = now + std::min<Duration>(kRetry * (1 << doublings), kLongestRetry);
  // The last address stays: a name server that is down must not end the measuring.
  if (!name.failing) outputs_.warn(name.destination.name, "cannot resolve " + answer.host + ": " + answer.error);
  name.failing = true;
  for (Traced* traced : name.traced) {
    if (traced->first_flow) continue;
    traced->changed = true;
    settle(*traced);
  }
}

void Tracing::apply(Configured& name, const HostAnswer& answer, Instant now) {
  Traced& traced = *name.traced.front();
  // As long as the address in use is still one of the name's it is kept: answers often come in changing order.
  if (traced.first_flow && std::ranges::find(answer.addresses, traced.facts->address) != answer.addresses.end()) return;
  end(traced);
  begin(traced, answer.addresses.front(), now);
}

void Tracing::apply_all(Configured& name, const HostAnswer& answer, Instant now) {
  std::erase_if(name.traced, [&](Traced* traced) {
    if (std::ranges::find(answer.addresses, traced->facts->address) != answer.addresses.end()) return false;
    drop(*traced);
    return true;
  });
  std::size_t left_out = 0;
  for (const IpAddress& address : answer.addresses) {
    const auto known =
        std::ranges::find(name.traced, address, [](const Traced* traced) { return traced->facts->address; });
    if (known != name.traced.end()) {
      // Another destination had this address the last time: it may have left it.
      if (!(*known)->first_flow) begin(**known, address, now);
      continue;
    }
    if (traced_.size() >= limits_.max_destinations) {
      ++left_out;
      continue;
    }
    Traced& made = make(name, name.destination.name + "/" + address.to_string());
    introduce(made, now);
    begin(made, address, now);
  }
  if (left_out > 0 && !name.too_many) {
    outputs_.warn(name.destination.name, "limits.max_destinations is reached: " + std::to_string(left_out) +
                                             " addresses of " + answer.host + " are left out");
  }
  name.too_many = left_out > 0;
}

void Tracing::ask_failing_names(Instant now) {
  for (Configured* const name : names_) {
    if (!name->failing) continue;
    name->ask_at = now;
    name->failures = 0;
  }
}

void Tracing::ask_for_names(Instant now) {
  resolve_at_ = now + std::chrono::milliseconds(200);
  for (Configured* const name : names_) {
    if (name->asked || name->ask_at > now) continue;
    name->asked = true;
    outputs_.resolve(name->destination.host, name->destination.family);
  }
}

void Tracing::maintain(Instant now) {
  if (changing_ != nullptr) change_a_slice(now);
  if (now >= resolve_at_) ask_for_names(now);
  if (!automatic_.empty()) search(now);
  retire_a_slice();
  look_for_readers(now);
  if (now >= publish_at_) publish(now);
}

}  // namespace ecmp
