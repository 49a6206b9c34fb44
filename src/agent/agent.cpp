#include "agent/agent.hpp"

#include <atomic>
#include <mutex>
#include <sys/random.h>

#include "agent/event_log.hpp"
#include "agent/log.hpp"
#include "agent/names.hpp"
#include "agent/own_metrics.hpp"
#include "agent/raw_routes.hpp"
#include "agent/round_log.hpp"
#include "agent/tracing.hpp"
#include "agent/version.hpp"
#include "agent/web.hpp"
#include "net/http_server.hpp"
#include "net/raw_transport.hpp"
#include "probe/engine.hpp"

namespace ecmp {
namespace {

/// The loop sleeps at least so long when nothing arrives: probes that are due close to each other leave together.
constexpr Duration kQuantum = std::chrono::milliseconds(1);
/// And at most so long, so that the housekeeping below is on time.
constexpr Duration kLongestTurn = std::chrono::milliseconds(100);
constexpr Duration kHousekeeping = std::chrono::milliseconds(50);
/// Some ten thousand events.
constexpr std::size_t kEventBytes = std::size_t{4} << 20;

SipKey random_secret() {
  SipKey key{};
  // 16 bytes never come short, and after boot never wait (getrandom(2)).
  if (getrandom(key.data(), sizeof key, 0) != static_cast<ssize_t>(sizeof key)) std::abort();
  return key;
}

/// What the probing loop tells of itself, for threads that answer scrapes.
struct LoopReport {
  EngineCounters engine;
  net::RawTransportCounters transport;
  std::uint64_t dns_errors = 0;
};

render::HistogramForm form_of(config::HistogramForm form) {
  switch (form) {
    case config::HistogramForm::classic:
      return render::HistogramForm::classic;
    case config::HistogramForm::native:
      return render::HistogramForm::native;
    case config::HistogramForm::both:
      return render::HistogramForm::both;
    case config::HistogramForm::off:
      return render::HistogramForm::off;
  }
  return render::HistogramForm::both;
}

render::HistogramOptions options_of(const config::Histograms& histograms) {
  return {.paths = form_of(histograms.paths),
          .hops = form_of(histograms.hops),
          .rtt = histograms.rtt,
          .jitter = histograms.jitter,
          .loss = histograms.loss};
}

}  // namespace

class Agent::State {
 public:
  State(const config::Config& config, std::unique_ptr<net::RawTransport> transport,
        std::unique_ptr<net::Resolver> resolver);

  std::optional<Error> listen();
  void run();
  void stop() {
    stop_.store(true);
    transport_->wake();
  }

 private:
  Tracing::Outputs outputs();
  Web::Sources web_sources();
  void housekeeping(Instant now);
  void own_metrics(std::string& out, render::Format format, const render::FamilyFilter& filter);

  const config::Config config_;
  const WallTime loaded_ = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  std::unique_ptr<net::RawTransport> transport_;
  Names names_;
  RawRoutes routes_;
  Engine engine_;
  Board board_;
  RoundLog log_;
  EventLog events_{kEventBytes};
  Tracing tracing_;
  OwnMetrics own_metrics_;
  ProcessReader process_;
  Web web_;

  std::mutex report_mutex_;
  LoopReport report_;
  Instant turn_{};  ///< when the loop's turn began
  Instant housekeeping_at_{};
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ready_ = false;

  net::HttpServer server_;  // last: its threads use what stands above
};

Agent::State::State(const config::Config& config, std::unique_ptr<net::RawTransport> transport,
                    std::unique_ptr<net::Resolver> resolver)
    : config_(config),
      transport_(std::move(transport)),
      names_(config.dns, std::move(resolver)),
      routes_(*transport_),
      engine_({.secret = random_secret(),
               .probes_per_second = config.limits.probes_per_second,
               .probes_per_second_per_responder = config.limits.probes_per_second_per_responder}),
      log_(config.history_memory),
      tracing_(config_, engine_, routes_, outputs()),
      web_(web_sources()) {}

Tracing::Outputs Agent::State::outputs() {
  return {
      .round =
          [this](std::shared_ptr<const RoundRecord> record) {
            events_.on_round(*record);
            log_.add(std::move(record));
          },
      .snapshots = [this](std::shared_ptr<const Snapshots> snapshots) { board_.put(std::move(snapshots)); },
      .resolve = [this](const std::string& host, config::FamilyChoice family) { names_.ask_addresses(host, family); },
      .warn = [](std::string_view destination,
                 std::string_view message) { log::warn(message, {{"destination", destination}}); },
      .responder = [this](const IpAddress& address) { names_.want(address, turn_); },
      .gone =
          [this](const std::string& destination) {
            log_.drop_destination(destination);
            events_.drop_destination(destination);
          }};
}

Web::Sources Agent::State::web_sources() {
  return {
      .board = &board_,
      .log = &log_,
      .events = &events_,
      .names = [this] { return names_.table(); },
      .ready = [this] { return ready_.load(); },
      .own_metrics = [this](std::string& out, render::Format format,
                            const render::FamilyFilter& filter) { own_metrics(out, format, filter); },
      .scraped = [this](const render::RenderOutcome& outcome, Duration took) { own_metrics_.on_scrape(outcome, took); },
      .max_series = config_.limits.max_series,
      .histograms = options_of(config_.histograms)};
}

std::optional<Error> Agent::State::listen() {
  for (const std::string& text : config_.listen_addresses) {
    const auto address = net::parse_listen_address(text);
    if (!address.ok()) return Error{address.error()};
    if (auto error = server_.listen(*address)) return error;
  }
  for (const auto& bound : server_.bound()) {
    log::info("listening", {{"address", bound.address.to_string()}, {"port", bound.port}});
  }
  web_.add_routes(server_);
  return std::nullopt;
}

void Agent::State::run() {
  server_.start();
  turn_ = transport_->now();
  tracing_.set_wall_offset(transport_->wall_offset());
  tracing_.start(turn_);
  while (!stop_.load()) {
    turn_ = transport_->now();
    tracing_.set_wall_offset(transport_->wall_offset());
    drive_once(engine_, *transport_, tracing_, turn_ + kLongestTurn, kQuantum);
    for (const auto& change : transport_->take_source_changes())
      tracing_.on_source(change.flow, change.source);
    if (turn_ >= housekeeping_at_) {
      housekeeping_at_ = turn_ + kHousekeeping;
      housekeeping(turn_);
    }
    tracing_.maintain(turn_);
  }
  log::info("stopping");
  server_.stop();
  names_.stop();
}

void Agent::State::housekeeping(Instant now) {
  for (const HostAnswer& answer : names_.take_answers(now))
    tracing_.on_names(answer, now);
  events_.maintain(now);
  {
    const LoopReport report{engine_.counters(), transport_->counters(), tracing_.dns_errors() + names_.errors()};
    const std::lock_guard lock(report_mutex_);
    report_ = report;
  }
  if (!ready_.load() && tracing_.settled()) {
    ready_.store(true);
    log::info("ready", {{"destinations", config_.destinations.size()}});
  }
}

void Agent::State::own_metrics(std::string& out, render::Format format, const render::FamilyFilter& filter) {
  OwnMetricsInput input{.version = version(), .revision = revision()};
  {
    const std::lock_guard lock(report_mutex_);
    input.engine = report_.engine;
    input.capture_dropped = report_.transport.capture_dropped;
    input.dns_errors = report_.dns_errors;
  }
  input.config_reload_successful = true;
  input.config_reload_success = loaded_;
  const auto history = log_.size();
  input.history_rounds = history.rounds;
  input.history_bytes = history.bytes;
  input.history_forgotten = history.forgotten;
  const auto events = events_.size();
  input.events = events.events;
  input.events_forgotten = events.forgotten;
  const auto http = server_.counters();
  input.http_connections_refused = {{"full", http.refused_full},
                                    {"address", http.refused_address},
                                    {"accept_failed", http.accept_failures},
                                    {"read_timeout", http.read_timeouts},
                                    {"write_timeout", http.write_timeouts}};
  input.process = process_.read();
  own_metrics_.append(out, format, input, filter);
}

Result<std::unique_ptr<Agent>> Agent::open(const config::Config& config) {
  auto transport = net::RawTransport::open();
  if (!transport.ok()) return Error{transport.error()};
  auto resolver = net::Resolver::make({});
  if (!resolver.ok()) return Error{resolver.error()};
  auto state = std::make_unique<State>(config, std::move(*transport), std::move(*resolver));
  if (auto error = state->listen()) return *error;
  return std::unique_ptr<Agent>(new Agent(std::move(state)));
}

Agent::Agent(std::unique_ptr<State> state) : state_(std::move(state)) {}
Agent::~Agent() = default;
void Agent::run() {
  state_->run();
}
void Agent::stop() {
  state_->stop();
}

}  // namespace ecmp
