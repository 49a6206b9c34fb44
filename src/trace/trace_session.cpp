#include "trace/trace_session.hpp"

#include <algorithm>
#include <csignal>
#include <pthread.h>
#include <utility>

#include "agent/log.hpp"

namespace ecmp {

namespace {

/// As in the exporter: probes that are due close to each other leave together, and the housekeeping is on time.
constexpr Duration kQuantum = std::chrono::milliseconds(1);
constexpr Duration kLongestTurn = std::chrono::milliseconds(100);
constexpr Duration kHousekeeping = std::chrono::milliseconds(20);
/// The first rounds of the flows are spread over this at most: somebody is watching.
constexpr Duration kStartSpread = std::chrono::seconds(1);
constexpr std::size_t kMostWarnings = 100;

/// Of one responder, in probes a second. Here a person has asked for this rate: the limit only takes the bursts off.
double responder_limit(const TraceRequest& request) {
  const double seconds = std::chrono::duration<double>(request.interval).count();
  return std::max(500.0, 2 * request.flows / seconds);
}

}  // namespace

TraceSession::TraceSession(const TraceRequest& request, std::unique_ptr<TraceNetwork> network,
                           RoundQueue::WhenFull when_full)
    : request_(request),
      network_(std::move(network)),
      rounds_(when_full),
      // Its few rounds are to show the paths of all flows to their end.
      engine_({.secret = network_->secret(),
               .probes_per_second_per_responder = responder_limit(request),
               .ask_until_limited = true}),
      tracing_(config_of(request), engine_, network_->routes(), outputs()),
      rounds_done_(request.flows) {}

TraceSession::~TraceSession() {
  stop();
  rounds_.abandon();
  if (thread_.joinable()) thread_.join();
}

config::Destination TraceSession::destination_of(const TraceRequest& request) {
  return {.name = request.host,
          .host = request.host,
          .address = request.address,
          .protocol = request.protocol,
          .family = request.family,
          .port = request.port,
          .flows = request.flows,
          .auto_flows = request.auto_flows,
          .source_port = request.source_port,
          .source_address = request.source_address,
          .interface = request.interface,
          .fwmark = request.fwmark,
          .interval = request.interval,
          .timeout = request.timeout,
          .max_ttl = request.max_ttl,
          .stamp = request.stamp,
          .packet_interval = std::min<Duration>(request.interval, config::Destination().packet_interval)};
}

config::Config TraceSession::config_of(const TraceRequest& request) {
  config::Config config;
  config.destinations.push_back(destination_of(request));
  return config;
}

Tracing::Outputs TraceSession::outputs() {
  return {.round = [this](std::shared_ptr<const RoundRecord> record) { take_round(std::move(record)); },
          .snapshots =
              [this](const std::shared_ptr<const Snapshots>& snapshots) {
                const std::lock_guard lock(mutex_);
                if (!snapshots->empty()) snapshot_ = snapshots->front();
              },
          .resolve = [this](const std::string& host,
                            config::FamilyChoice family) { network_->ask_addresses(host, family); },
          .warn = [this](std::string_view, std::string_view message) { warn(std::string(message)); },
          .responder = [this](const IpAddress& address) { network_->want_name(address, now_); },
          .gone = [](const std::string&) {},
          .adjust =
              [this](DestinationPlan& plan) {
                begun_ = true;
                network_->want_name(plan.address, now_);
                plan.ttl_gap = request_.ttl_gap;
                plan.start_spread = kStartSpread;
                // After a new address of the name only what is missing. Flows are at most a round apart.
                if (request_.rounds != 0 && !request_.auto_flows)
                  plan.rounds = request_.rounds - std::ranges::min(rounds_done_);
              },
          .wait_for_hops = false};
}

void TraceSession::start() {
  // Signals are the main thread's: they would cut short what this thread waits for.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void TraceSession::stop() {
  stop_.store(true);
  network_->wake();
}

void TraceSession::run() {
  now_ = network_->transport().now();
  tracing_.set_wall_offset(network_->wall_offset());
  tracing_.start(now_);
  while (!stop_.load())
    turn();
  if (begun_) tracing_.publish_all(now_);
  network_->stop();
  rounds_.close();
}

void TraceSession::turn() {
  Transport& transport = network_->transport();
  now_ = transport.now();
  tracing_.set_wall_offset(network_->wall_offset());
  drive_once(engine_, transport, tracing_, now_ + kLongestTurn, kQuantum);
  network_->pass_sources(tracing_);
  if (now_ >= housekeeping_at_) {
    housekeeping_at_ = now_ + kHousekeeping;
    housekeeping(now_);
  }
  tracing_.maintain(now_);
}

void TraceSession::housekeeping(Instant now) {
  for (const HostAnswer& answer : network_->take_answers(now)) {
    tracing_.on_names(answer, now);
    if (begun_) continue;
    // At a terminal a name that cannot be resolved is a mistake to be told at once, not to be tried again for ever.
    const std::lock_guard lock(mutex_);
    failure_ = warnings_.empty() ? "cannot resolve " + answer.host + ": " + answer.error : warnings_.back();
    warnings_.clear();
    stop_.store(true);
  }
}

void TraceSession::take_round(std::shared_ptr<const RoundRecord> record) {
  if (request_.rounds != 0) {
    std::uint32_t& done = rounds_done_[record->flow_index];
    if (done == request_.rounds) return;
    if (!request_.auto_flows) {
      if (++done == request_.rounds && ++flows_done_ == request_.flows) stop_.store(true);
    } else if (record->search->finished > 0) {
      // Those that are kept once the paths are found; until then nobody knows which.
      ++done;
      const auto& steady = *record->destination->steady;
      const auto complete = [this](std::uint16_t flow) { return rounds_done_[flow] == request_.rounds; };
      if (std::ranges::all_of(steady, complete)) stop_.store(true);
    }
  }
  look_for_obstacle(*record);
  log::debug("round", {{"source_port", record->source_port},
                       {"number", record->round.number},
                       {"reached", record->round.reached()},
                       {"path", record->verdict.ordinal}});
  rounds_.push(std::move(record));
}

void TraceSession::look_for_obstacle(const RoundRecord& record) {
  const bool answered =
      std::ranges::any_of(record.round.hops, [](const HopResult& hop) { return !hop.responder.is_unspecified(); });
  if (answered) {
    if (!obstacle_.empty()) warn("probes are answered again");
    obstacle_.clear();
    return;
  }
  auto found = network_->obstacle(record.round.flow);
  if (found && found->empty()) {
    const RouteWish wish = wish_of(config_of(request_).destinations.front());
    found = why_unroutable(network_->routes().error(record.round.flow), wish, record.destination->address);
  }
  if (!found || *found == obstacle_) return;
  obstacle_ = std::move(*found);
  warn(obstacle_ + "; trying again");
}

void TraceSession::warn(std::string message) {
  log::warn(message);
  const std::lock_guard lock(mutex_);
  if (warnings_.size() < kMostWarnings) warnings_.push_back(std::move(message));
}

std::vector<std::string> TraceSession::take_warnings() {
  const std::lock_guard lock(mutex_);
  return std::exchange(warnings_, {});
}

std::optional<std::string> TraceSession::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::shared_ptr<const DestinationSnapshot> TraceSession::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

}  // namespace ecmp
