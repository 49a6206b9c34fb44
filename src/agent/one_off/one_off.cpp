#include "agent/one_off/one_off.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "agent/tracing/histogram_bounds.hpp"
#include "config/host.hpp"

namespace ecmp {
namespace {

/// Lines of a trace's log: enough for some rounds of hundreds of flows.
constexpr std::size_t kMostLines = 4096;
/// Rounds that would come faster say nothing new, and only press on ICMP limits.
constexpr Duration kShortestInterval = std::chrono::milliseconds(100);
/// Between the end of the last round and the deadline, for what the loop has to do.
constexpr Duration kSlack = std::chrono::milliseconds(200);
constexpr std::uint32_t kFirstPort = 1024;  // below there are other people's services
constexpr std::uint32_t kPortsEnd = 65536;

struct PortRun {
  Protocol protocol;
  std::uint32_t first;
  std::uint32_t end;
};

/// The first of `count` ports from `wanted` on, and then from the lowest on, that nobody has.
std::optional<std::uint32_t> free_run(const std::vector<PortRun>& taken, Protocol protocol, std::uint32_t wanted,
                                      std::uint32_t count) {
  for (const std::uint32_t start : {std::max(wanted, kFirstPort), kFirstPort}) {
    for (std::uint32_t first = start; first + count <= kPortsEnd;) {
      const auto in_the_way = std::ranges::find_if(taken, [&](const PortRun& run) {
        return run.protocol == protocol && run.first < first + count && first < run.end;
      });
      if (in_the_way == taken.end()) return first;
      first = in_the_way->end;
    }
  }
  return std::nullopt;
}

/// RFC 4291 section 2.5.5.2: ::ffff:0:0/96. Such an address would be an IPv4 host to the kernel, past a list of IPv6
/// networks.
bool is_mapped(const IpAddress& address) {
  if (address.is_v4()) return false;
  const ByteView bytes = address.bytes();
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

/// Whether the destination has shown that it limits its answers, to this trace or to any other of this exporter.
bool is_limited(const Round& round) {
  return round.distance >= 1 && round.distance <= round.hops.size() &&
         round.hops[round.distance - 1u].limiting != Limiting::none;
}

std::string_view outcome_text(const Round& round) {
  switch (round.end_to_end) {
    case EndToEnd::send_failed:
      return "could not be sent";
    case EndToEnd::unobserved:
      return "could not be observed";
    case EndToEnd::suppressed:
      return "not answered: the destination limits its answers";
    case EndToEnd::left_out:
      return is_limited(round) ? "not asked: the destination limits its answers"
                               : "not asked: all flows to it take turns until it is known how much it answers";
    case EndToEnd::undecided:
      return "not answered, which may be a limit of the destination: not judged";
    default:
      return "not reached";
  }
}

std::string milliseconds(Duration duration) {
  return fmt::format("{:.3f} ms", static_cast<double>(duration.count()) / 1e6);
}

}  // namespace

std::vector<OneOffPorts> choose_one_off_ports(const config::Config& config) {
  std::vector<PortRun> taken;
  taken.reserve(config.destinations.size());
  for (const config::Destination& destination : config.destinations) {
    if (const auto first = destination.source_port)
      taken.push_back({destination.protocol, *first, std::uint32_t{*first} + destination.flows});
  }
  // Ten thousand destinations mostly have the same few runs.
  const auto key = [](const PortRun& run) { return std::tuple(run.protocol, run.first, run.end); };
  std::ranges::sort(taken, {}, key);
  const auto [from, to] = std::ranges::unique(taken, {}, key);
  taken.erase(from, to);
  std::vector<OneOffPorts> ports;
  for (const config::Module& module : config.modules) {
    const Protocol protocol = module.probe.protocol;
    OneOffPorts chosen{.kept = kept_ports(module.probe), .flows = module.probe.flows};
    const std::uint32_t count = std::uint32_t{module.probe.flows} * OneOffDesk::places(config.one_off);
    if (!module.probe.source_port) {
      chosen.spread = true;
    } else if (const auto first = free_run(taken, protocol, *module.probe.source_port, count)) {
      chosen.first = static_cast<std::uint16_t>(*first);
      chosen.count = static_cast<std::uint16_t>(count);
      chosen.kept.source_ports = {chosen.first, static_cast<std::uint16_t>(*first + count - 1)};
      taken.push_back({protocol, *first, *first + count});
    }
    ports.push_back(chosen);
  }
  return ports;
}

bool one_off_allowed(const IpAddress& address, std::span<const config::Network> allowed) {
  if (address.is_unspecified() || address.is_multicast() || is_mapped(address)) return false;
  if (address == IpAddress::v4(0xffffffff)) return false;
  return std::ranges::any_of(allowed, [&](const config::Network& network) { return network.contains(address); });
}

struct OneOffTraces::Trace {
  explicit Trace(std::shared_ptr<OneOffTicket> of, const config::Module& with)
      : ticket(std::move(of)), request(ticket->request()), module(with) {}

  void say(Instant at, std::string_view words) {
    if (lines.size() == kMostLines) lines.emplace_back("and more, which is left out");
    if (lines.size() > kMostLines) return;
    // The turn of the loop may have begun before the request came.
    const Duration passed = std::max<Duration>(at - request.begun, Duration{0});
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
    lines.push_back(fmt::format("+{}.{:03}s {}", since / 1000, since % 1000, words));
  }

  std::shared_ptr<OneOffTicket> ticket;
  const OneOffRequest& request;
  const config::Module& module;
  std::size_t slot = 0;
  bool resolving = false;
  bool over = false;
  std::shared_ptr<const DestinationFacts> facts;
  std::unique_ptr<DestinationModel> model;
  std::optional<std::uint32_t> first_flow;
  std::vector<std::uint32_t> rounds;  ///< finished, by flow
  std::size_t flows_left = 0;
  std::vector<std::string> lines;
};

OneOffTraces::OneOffTraces(const config::Config& config, Engine& engine, Routes& routes, OneOffDesk& desk,
                           RoundSink& next, Outputs outputs)
    : modules_(config.modules),
      limits_(config.one_off),
      max_paths_(config.limits.max_paths_per_destination),
      bounds_(with_bounds(nullptr, config.histograms)),
      engine_(engine),
      routes_(routes),
      desk_(desk),
      next_(next),
      outputs_(std::move(outputs)),
      ports_(choose_one_off_ports(config)),
      slots_(OneOffDesk::places(config.one_off)) {}

OneOffTraces::~OneOffTraces() = default;

OneOffTraces::Trace* OneOffTraces::of_flow(std::uint32_t flow) {
  for (const auto& trace : traces_) {
    if (trace->first_flow && flow >= *trace->first_flow && flow - *trace->first_flow < trace->module.probe.flows)
      return trace.get();
  }
  return nullptr;
}

void OneOffTraces::on_round(const Round& round) {
  Trace* const trace = traces_.empty() ? nullptr : of_flow(round.flow);
  if (trace == nullptr) {
    next_.on_round(round);
    return;
  }
  const std::uint32_t index = round.flow - *trace->first_flow;
  std::uint32_t& done = trace->rounds[index];
  if (done == trace->module.rounds) return;  // quicker than the others
  if (++done == trace->module.rounds) --trace->flows_left;
  trace->model->on_round(index, round, wall(round.started));
  std::string line = fmt::format("flow {}, round {}: ", trace->facts->source_ports[index], done);
  if (round.reached() && round.distance >= 1 && round.distance <= round.hops.size()) {
    line += fmt::format("reached at TTL {} in {}", round.distance, milliseconds(round.hops[round.distance - 1u].rtt));
  } else {
    line += outcome_text(round);
  }
  trace->say(round.finished, line);
  for (const HopResult& hop : round.hops)
    if (!hop.responder.is_unspecified() && outputs_.responder) outputs_.responder(hop.responder);
}

bool OneOffTraces::on_source(std::uint32_t flow, const std::optional<IpAddress>& source) {
  Trace* const trace = of_flow(flow);
  if (trace == nullptr) return false;
  const IpAddress address = source.value_or(IpAddress{});
  engine_.set_source(flow, address, routes_.error(flow));
  trace->model->set_source(flow - *trace->first_flow, address);
  return true;
}

void OneOffTraces::take(std::shared_ptr<OneOffTicket> ticket, Instant now) {
  const config::Module& module = modules_.at(ticket->request().module);
  auto owned = std::make_unique<Trace>(std::move(ticket), module);
  Trace& trace = *owned;
  // The desk lets in no more than there are slots.
  const auto slot = std::ranges::find(slots_, false);
  trace.slot = static_cast<std::size_t>(slot - slots_.begin());
  *slot = true;
  traces_.push_back(std::move(owned));
  if (trace.request.address) {
    begin(trace, *trace.request.address, now);
    return;
  }
  trace.say(now, "looking up " + trace.request.host);
  trace.resolving = true;
  outputs_.resolve(trace.request.host, module.probe.family);
}

void OneOffTraces::on_names(const HostAnswer& answer, Instant now) {
  for (const auto& trace : traces_) {
    if (!trace->resolving || trace->request.host != answer.host || trace->module.probe.family != answer.family)
      continue;
    trace->resolving = false;
    choose_address(*trace, answer, now);
  }
}

/// The name has been looked up before the address is judged: a name can be given any address by whoever serves it.
void OneOffTraces::choose_address(Trace& trace, const HostAnswer& answer, Instant now) {
  if (answer.addresses.empty()) {
    trace.say(now, "look-up failed: " + answer.error);
    trace.over = true;
    return;
  }
  for (const IpAddress& address : answer.addresses) {
    if (const auto wrong = config::wrong_with_link(address, trace.module.probe.interface); !wrong.empty()) {
      trace.say(now, address.to_string() + ": " + std::string(wrong));
      continue;
    }
    if (one_off_allowed(address, limits_.allowed_networks)) {
      begin(trace, address, now);
      return;
    }
    trace.say(now, address.to_string() + " is in none of allowed_networks");
  }
  refuse(trace, OneOffRefusal::network, "no address of the destination is in allowed_networks of [one_off]");
}

/// In its slot's ports or, should somebody have them, those of another slot.
std::optional<std::uint32_t> OneOffTraces::add(Trace& trace, DestinationPlan& plan, Instant now) {
  const OneOffPorts& ports = ports_[trace.request.module];
  if (ports.spread) {
    const PortOrder order(ports.kept.source_ports, trace.module.name + "/" + trace.request.host, plan.protocol,
                          plan.port);
    auto free = engine_.free_ports(order, plan.address, plan.protocol, plan.port, plan.flows);
    if (free.size() < plan.flows) return std::nullopt;
    plan.source_ports = SourcePorts(std::move(free));
    return engine_.add(plan, now);
  }
  if (ports.count == 0) return std::nullopt;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::size_t slot = (trace.slot + i) % slots_.size();
    plan.source_ports = static_cast<std::uint16_t>(ports.first + slot * ports.flows);
    if (const auto first = engine_.add(plan, now)) return first;
  }
  return std::nullopt;
}

void OneOffTraces::begin(Trace& trace, const IpAddress& address, Instant now) {
  if (!one_off_allowed(address, limits_.allowed_networks)) {
    refuse(trace, OneOffRefusal::network, "the destination is in none of allowed_networks of [one_off]");
    return;
  }
  const config::Destination& probe = trace.module.probe;
  // All rounds fit before the deadline, if it is not too near: the last one may have to wait for a timeout, and over
  // UDP for the burst that says whether silence is a limit.
  const Duration burst = probe.protocol == Protocol::udp ? Engine::kBurst + probe.timeout : Duration{};
  const Duration time = trace.request.deadline - now - probe.timeout - burst - kSlack;
  const Duration interval =
      std::clamp<Duration>(time / trace.module.rounds, kShortestInterval, std::max(kShortestInterval, probe.interval));
  DestinationPlan plan{.address = address,
                       .protocol = probe.protocol,
                       .port = probe.port,
                       .flows = probe.flows,
                       .interval = interval,
                       .timeout = probe.timeout,
                       .max_ttl = probe.max_ttl,
                       .packet_size = probe.packet_size,
                       .dscp = probe.dscp,
                       .ask_until_limited = true};
  const auto first = add(trace, plan, now);
  if (!first) {
    refuse(trace, OneOffRefusal::ports, "no source ports are left that no other flow to this address has");
    return;
  }
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = facts->host = trace.request.host;
  facts->address = address;
  facts->protocol = probe.protocol;
  facts->port = port_of(probe.protocol, probe.port);
  facts->source_ports = plan.source_ports;
  facts->flows = probe.flows;
  facts->interval = interval;
  trace.facts = facts;
  trace.model = std::make_unique<DestinationModel>(
      facts,
      ModelOptions{
          .confirm_rounds = probe.confirm_rounds, .max_paths = max_paths_, .wait_for_hops = false, .bounds = bounds_});
  trace.model->begin(wall(now));
  trace.first_flow = first;
  trace.rounds.assign(probe.flows, 0);
  trace.flows_left = probe.flows;
  trace.say(now,
            fmt::format("tracing {}: {} rounds of {} flows, one each {}, the first from port {}", address.to_string(),
                        trace.module.rounds, probe.flows, milliseconds(interval), plan.source_ports[0]));
  const RouteWish wish = wish_of(probe);
  bool routed = false;
  for (std::uint32_t flow = *first; flow < *first + probe.flows; ++flow) {
    const auto source = routes_.add_flow(flow, engine_.tuple(flow), wish);
    on_source(flow, source);
    routed = routed || source.has_value();
  }
  if (!routed) trace.say(now, why_unroutable(routes_.error(*first), wish, address));
}

void OneOffTraces::refuse(Trace& trace, OneOffRefusal refusal, std::string problem) {
  trace.over = true;
  slots_[trace.slot] = false;
  desk_.finish(trace.ticket,
               {.refusal = refusal, .problem = std::move(problem), .snapshot = nullptr, .log = std::move(trace.lines)});
  trace.ticket = nullptr;
}

void OneOffTraces::end(Trace& trace, Instant now) {
  OneOffResult result;
  if (trace.first_flow) {
    result.snapshot = trace.model->snapshot(now);
    engine_.remove(*trace.first_flow);
    for (std::uint32_t i = 0; i < trace.module.probe.flows; ++i)
      routes_.remove_flow(*trace.first_flow + i);
    trace.say(now, trace.flows_left == 0 ? "all rounds are over"
                                         : fmt::format("out of time: {} flows have rounds left", trace.flows_left));
  } else {
    result.problem = "the destination has no address";
    if (trace.resolving) trace.say(now, "out of time: the name has not been looked up");
  }
  result.log = std::move(trace.lines);
  slots_[trace.slot] = false;
  desk_.finish(trace.ticket, std::move(result));
}

void OneOffTraces::maintain(Instant now) {
  desk_.settle();
  for (auto& ticket : desk_.take())
    take(std::move(ticket), now);
  std::erase_if(traces_, [&](const std::unique_ptr<Trace>& trace) {
    if (trace->ticket == nullptr) return true;
    const bool complete = trace->first_flow && trace->flows_left == 0;
    if (!complete && !trace->over && now < trace->request.deadline) return false;
    end(*trace, now);
    return true;
  });
}

void OneOffTraces::stop() {
  desk_.stop();
  for (auto& ticket : desk_.take_last())
    desk_.finish(std::move(ticket),
                 {.refusal = OneOffRefusal::stopping, .problem = "stopping", .snapshot = nullptr, .log = {}});
  for (const auto& trace : traces_)
    if (trace->ticket != nullptr) refuse(*trace, OneOffRefusal::stopping, "stopping");
  traces_.clear();
  desk_.settle(true);
}

}  // namespace ecmp
