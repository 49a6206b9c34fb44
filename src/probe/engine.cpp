#include "probe/engine.hpp"

#include <algorithm>
#include <utility>

#include "packet/probe_datagram.hpp"
#include "probe/engine_state.hpp"

namespace ecmp {
namespace {

/// A number in [0, 1) that is spread evenly over consecutive `phase`s.
double fraction(std::uint64_t phase) {
  return static_cast<double>((phase * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

/// A burst of 20 ms: less and a late wake-up of the loop would cost rate.
double burst_of(double probes_per_second) {
  return std::max(1.0, probes_per_second / 50);
}

Duration scaled(Duration duration, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

}  // namespace

Engine::State::State(const EngineOptions& options)
    : options_(options),
      bucket_(options.probes_per_second, burst_of(options.probes_per_second)),
      pacing_(options.probes_per_second_per_responder, options.adapt_to_responders) {}

std::optional<std::uint32_t> Engine::State::add(const DestinationPlan& plan, Instant now) {
  for (std::uint16_t i = 0; i < plan.flows; ++i) {
    if (find(plan.address, plan.protocol, plan.source_ports[i], plan.port) != nullptr) return std::nullopt;
  }
  std::uint32_t first = static_cast<std::uint32_t>(flows_.size());
  if (auto& free = free_ranges_[plan.flows]; !free.empty()) {
    first = free.back();
    free.pop_back();
  } else {
    flows_.resize(flows_.size() + plan.flows);
  }
  ranges_[first] = plan.flows;
  const auto shared = std::make_shared<const DestinationPlan>(plan);
  const auto refusers = std::make_shared<Refusers>();
  const auto least = plan.stamp ? packet::minimum_stamp_size(plan.address.family(), plan.key != nullptr)
                                : packet::minimum_size(plan.address.family(), plan.protocol);
  const auto size = static_cast<std::uint16_t>(std::max<std::size_t>(plan.packet_size, least));
  // And of an echo request (engine_check.cpp).
  largest_ = std::max<std::size_t>({largest_, size, packet::minimum_size(plan.address.family(), Protocol::icmp)});
  const std::uint16_t port = port_of(plan.protocol, plan.port);
  const Duration spread = plan.start_spread > Duration{} ? std::min(plan.start_spread, plan.interval) : plan.interval;
  End* end = nullptr;
  if (plan.protocol == Protocol::udp && !plan.stamp) end = &take_end(plan);
  const std::uint16_t awake = plan.awake == 0 ? plan.flows : std::min(plan.awake, plan.flows);
  for (std::uint16_t i = 0; i < plan.flows; ++i) {
    const std::uint32_t number = first + i;
    const FiveTuple tuple{.source = {},
                          .destination = plan.address,
                          .protocol = plan.protocol,
                          .source_port = plan.source_ports[i],
                          .destination_port = port};
    const SipKey secret = derive_flow_secret(options_.secret, tuple);
    auto flow = std::make_unique<Flow>(
        number, tuple,
        plan.stamp
            ? FlowCodec(plan.protocol, secret, packet::stamp_tag_at(plan.address.family(), plan.key != nullptr, size))
            : FlowCodec(plan.protocol, secret));
    flow->plan = shared;
    flow->refusers = refusers;
    flow->end = end;
    flow->packet_size = size;
    // Flows of a destination are spaced evenly; destinations are shifted against each other.
    const double share = (i + fraction(plan.phase)) / awake;
    flow->next_round = now + scaled(spread, share);
    flow->steady = now + scaled(plan.interval, share);
    if (i >= awake) {
      flow->resting = true;
      flow->next_round = Instant::max();
    }
    index_.insert(FlowIndex::hash(flow->name()), number);
    flows_[number] = std::move(flow);
    schedule(*flows_[number]);
    if (plan.stamp) add_stream(*flows_[number], now, share);
  }
  return first;
}

std::vector<std::uint16_t> Engine::State::free_ports(const PortOrder& order, const IpAddress& address,
                                                     Protocol protocol, std::uint16_t port, std::uint32_t count) {
  std::vector<std::uint16_t> ports;
  ports.reserve(count);
  for (std::uint32_t place = 0; place < order.size() && ports.size() < count; ++place) {
    const std::uint16_t source_port = order[place];
    // From a port of this host to the same one: a probe would look like its own answer.
    if (source_port == port && has_ports(protocol) && address.is_loopback()) continue;
    if (find(address, protocol, source_port, port) == nullptr) ports.push_back(source_port);
  }
  return ports;
}

void Engine::State::remove(std::uint32_t first_flow) {
  const auto range = ranges_.find(first_flow);
  if (range == ranges_.end()) return;
  if (flows_[first_flow]->end != nullptr) give_back_end(flows_[first_flow]->tuple.destination, Instant{}, false);
  for (std::uint32_t number = first_flow; number < first_flow + range->second; ++number) {
    const Flow& flow = *flows_[number];
    for (const auto& round : flow.live)
      counters.probes_sent[static_cast<std::size_t>(flow.tuple.protocol)] += round->open();
    index_.erase(FlowIndex::hash(flow.name()), number);
    remove_stream(flow);
    flows_[number].reset();
  }
  resets_.forget(first_flow, range->second);
  departures_.clear();                // numbers of flows are used again
  for (Departed& handed : handed_) {  // a batch that is still on its way out
    if (handed.flow - first_flow < range->second) handed.flow = kNoFlow;
  }
  free_ranges_[range->second].push_back(first_flow);
  ranges_.erase(range);
}

void Engine::State::set_schedule(std::uint32_t first_flow, Duration interval, Duration timeout, Instant now) {
  const auto range = ranges_.find(first_flow);
  if (range == ranges_.end()) return;
  DestinationPlan plan = *flows_[first_flow]->plan;
  const bool other_interval = plan.interval != interval;
  plan.interval = interval;
  plan.timeout = timeout;
  const auto shared = std::make_shared<const DestinationPlan>(plan);
  const auto own = std::span(flows_).subspan(first_flow, range->second);
  const auto awake = std::ranges::count_if(own, [](const auto& flow) { return !flow->resting; });
  std::uint32_t place = 0;
  for (const auto& each : own) {
    Flow& flow = *each;
    flow.plan = shared;
    streams_.set_timeout(flow.number, timeout);
    if (!other_interval || flow.resting) continue;
    flow.steady = flow.next_round =
        now + scaled(interval, (place++ + fraction(plan.phase)) / static_cast<double>(awake));
    schedule(flow);
  }
}

void Engine::State::rest(std::uint32_t number) {
  Flow& flow = *flows_[number];
  if (flow.resting) return;
  flow.resting = true;
  streams_.set_resting(number, true);
  flow.asked = 0;
  flow.next_round = Instant::max();
}

void Engine::State::wake(std::uint32_t number, Instant at) {
  Flow& flow = *flows_[number];
  if (!flow.resting) return;
  flow.resting = false;
  streams_.set_resting(number, false);
  flow.asked = 0;
  flow.next_round = flow.steady = at;
  schedule(flow);
}

void Engine::State::ask(std::uint32_t number, std::uint32_t rounds, Instant at, Duration apart) {
  Flow& flow = *flows_[number];
  if (!flow.resting || rounds == 0) return;
  flow.asked += rounds;
  flow.apart = apart;
  flow.next_round = std::min(flow.next_round, at);
  schedule(flow);
}

void Engine::State::set_rates(double probes_per_second, double probes_per_second_per_responder,
                              bool adapt_to_responders) {
  options_.probes_per_second = probes_per_second;
  bucket_.set_rate(probes_per_second, burst_of(probes_per_second));
  pacing_.set_rules(probes_per_second_per_responder, adapt_to_responders);
}

Instant Engine::State::next_due() const {
  const Instant due = std::min({timers_.empty() ? Instant::max() : timers_.top().at, resets_.next_due(),
                                streams_.next_due(), controls_.empty() ? Instant::max() : controls_.top().due});
  return std::max(due, blocked_until_);
}

/// Puts the flow into the timer queue for the next thing that has to be done for it.
void Engine::State::schedule(Flow& flow) {
  Instant next = flow.next_round;
  if (flow.end != nullptr && flow.end->burst == End::Burst::resting && flow.end->burst_flow == flow.number)
    next = std::min(next, flow.end->burst_at);
  if (flow.end != nullptr && flow.end->check.waits_for(flow.number)) next = std::min(next, flow.end->check.at);
  for (const auto& round : flow.live) {
    if (round->over()) continue;
    const auto due = round->due();
    next = std::min(next, due ? due->at : round->deadline());
  }
  if (next >= flow.timer) return;  // an earlier entry stands: the flow is looked at then and comes back here
  flow.timer = next;
  timers_.push(next, flow.number);
}

std::span<Outgoing> Engine::State::poll(Instant now, std::size_t maximum, RoundSink& rounds) {
  batch_.clear();
  handed_.clear();
  maximum_ = maximum;
  bytes_used_ = 0;
  if (bytes_.size() < maximum * largest_) bytes_.resize(maximum * largest_);
  blocked_until_ = Instant{};
  if (resets_.next_due() <= now) send_resets(now);
  if (!controls_.empty()) send_controls(now);
  while (!timers_.empty() && timers_.top().at <= now && batch_.size() < maximum && blocked_until_ <= now) {
    const auto entry = timers_.top();
    timers_.pop();
    Flow* flow = flows_[entry.flow].get();
    if (flow == nullptr || flow->timer != entry.at) continue;
    flow->timer = Instant::max();
    step(*flow, now, rounds);
    schedule(*flow);
  }
  if (blocked_until_ <= now) send_streams(now, rounds);
  return batch_;
}

void Engine::State::step(Flow& flow, Instant now, RoundSink& rounds) {
  if (flow.next_round <= now) begin_round(flow, now);
  begin_burst(flow, now);
  begin_check(flow, now);
  for (const auto& live : flow.live) {
    LiveRound& round = *live;
    if (round.over()) continue;
    if (const auto due = round.due()) {
      if (resets_.any() && due->at <= now) resets_.hurry(flow.number, now);
      if (resets_.next_due() <= now) send_resets(now);  // what ends a SYN leaves before the flow's next one
      if (due->at <= now && batch_.size() < maximum_) try_to_send(flow, round, *due, now);
    } else if (round.quiet() || round.deadline() <= now) {
      settle(flow, round, now);
    }
  }
  hand_over(flow, now, rounds);
}

void Engine::State::settle(Flow& flow, LiveRound& round, Instant now) {
  if (round.is_burst()) return round.is_check() ? end_check(flow, round, now) : end_burst(flow, round, now);
  if (check_silence(flow, round, now)) return;
  if (round.ask_early(now)) return;
  recognise_destination(flow, round);
  if (wait_for_burst(flow, round, now)) return;
  doubt_search(flow, round);
  look_for_limit(flow, round, now);
  doubt_first_silences(flow, round);
  round.settle(now);
  end_unanswered(flow, round, now);
  const std::uint32_t never_left = round.take_never_left();
  counters.send_errors[static_cast<std::size_t>(SendError::never_left)] += never_left;
  counters.probes_sent[static_cast<std::size_t>(flow.tuple.protocol)] += round.take_unanswered();
}

/// The oldest round of the flow is over: another one may have its memory. More are under way after a start, and in an
/// outage, than there will be later.
void Engine::State::put_by(Flow& flow) {
  constexpr std::size_t kMostSpare = 128;
  if (spare_rounds_.size() < kMostSpare) spare_rounds_.push_back(std::move(flow.live.front()));
  flow.live.erase(flow.live.begin());
}

/// Tells the rounds that are over, in the order of their numbers: one that ended early waits for those before it, since
/// whoever follows a path or computes jitter needs them in sequence.
void Engine::State::hand_over(Flow& flow, Instant now, RoundSink& rounds) {
  while (!flow.live.empty() && flow.live.front()->over()) {
    const LiveRound& round = *flow.live.front();
    if (round.is_burst()) {
      put_by(flow);
      continue;
    }
    report_.flow = flow.number;
    round.report(now, report_);
    flow.first_round_over = flow.first_round_over || report_.counts() || is_unjudged(report_.end_to_end);
    if (report_.unobserved != Unobserved::none) ++counters.unobserved[static_cast<std::size_t>(report_.unobserved)];
    if (round.distance() != 0) hold_distance(flow, round.distance(), round.number());
    note_end(flow, round, now);
    if (round.end_to_end() == EndToEnd::reached) flow.lost_streak = 0;
    if (round.end_to_end() == EndToEnd::lost) ++flow.lost_streak;
    flow.suspicions = round.suspected() == 0 ? std::uint8_t{0}
                      : round.suspected() == flow.suspected
                          ? static_cast<std::uint8_t>(std::min(flow.suspicions + 1, 100))
                          : std::uint8_t{1};
    flow.suspected = round.suspected();
    flow.last_over = round.number();
    flow.last_answered.reset();
    std::uint8_t furthest = 0;
    for (HopResult& hop : report_.hops) {
      if (hop.outcome != HopOutcome::left_out && round.end_to_end() == EndToEnd::lost)
        pacing_.lost(flow.paces[hop.ttl - 1u].responder);
      hop.limiting = pacing_.limiting(flow.paces[hop.ttl - 1u].responder);
      if (hop.responder.is_unspecified()) continue;
      flow.last_answered.set(hop.ttl);
      furthest = hop.ttl;
    }
    flow.length.take(furthest);
    put_by(flow);
    rounds.on_round(report_);
  }
}

Flow* Engine::State::find(const IpAddress& destination, Protocol protocol, std::uint16_t source_port,
                          std::uint16_t destination_port) {
  const std::uint16_t port = port_of(protocol, destination_port);
  const FlowName name{destination, protocol, source_port, port};
  const std::uint32_t found =
      index_.find(FlowIndex::hash(name), [&](std::uint32_t number) { return flows_[number]->name() == name; });
  return found == FlowIndex::kNone ? nullptr : flows_[found].get();
}

Engine::Engine(const EngineOptions& options) : state_(std::make_unique<State>(options)) {}
Engine::~Engine() = default;
std::optional<std::uint32_t> Engine::add(const DestinationPlan& plan, Instant now) {
  return state_->add(plan, now);
}
std::vector<std::uint16_t> Engine::free_ports(const PortOrder& order, const IpAddress& address, Protocol protocol,
                                              std::uint16_t port, std::uint32_t count) const {
  return state_->free_ports(order, address, protocol, port, count);
}
void Engine::remove(std::uint32_t first_flow) {
  state_->remove(first_flow);
}
void Engine::set_schedule(std::uint32_t first_flow, Duration interval, Duration timeout, Instant now) {
  state_->set_schedule(first_flow, interval, timeout, now);
}
void Engine::rest(std::uint32_t flow) {
  state_->rest(flow);
}
void Engine::wake(std::uint32_t flow, Instant at) {
  state_->wake(flow, at);
}
void Engine::ask(std::uint32_t flow, std::uint32_t rounds, Instant at, Duration apart) {
  state_->ask(flow, rounds, at, apart);
}
void Engine::set_rates(double probes_per_second, double probes_per_second_per_responder, bool adapt_to_responders) {
  state_->set_rates(probes_per_second, probes_per_second_per_responder, adapt_to_responders);
}
void Engine::set_source(std::uint32_t flow, const IpAddress& source, SendError why) {
  state_->set_source(flow, source, why);
}
void Engine::set_wall_offset(Duration offset) {
  state_->set_wall_offset(offset);
}
FiveTuple Engine::tuple(std::uint32_t flow) const {
  return state_->flow(flow).tuple;
}
Instant Engine::next_due() const {
  return state_->next_due();
}
std::span<Outgoing> Engine::poll(Instant now, std::size_t maximum, RoundSink& rounds) {
  return state_->poll(now, maximum, rounds);
}
void Engine::on_sent(std::span<const Outgoing> batch) {
  state_->on_sent(batch);
}
void Engine::on_captured(const Captured& datagram, RoundSink& rounds) {
  state_->on_captured(datagram, rounds);
}
void Engine::on_gap(const Gap& gap) {
  state_->on_gap(gap);
}
const EngineCounters& Engine::counters() const {
  return state_->counters;
}

}  // namespace ecmp
