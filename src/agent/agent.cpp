#include "agent/agent.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "agent/change_slot.hpp"
#include "agent/history/event_log.hpp"
#include "agent/history/history_store.hpp"
#include "agent/history/rollup_keeper.hpp"
#include "agent/history/rollup_log.hpp"
#include "agent/history/round_log.hpp"
#include "agent/http/config_routes.hpp"
#include "agent/http/web.hpp"
#include "agent/http/web_access.hpp"
#include "agent/log.hpp"
#include "agent/names/asn_file.hpp"
#include "agent/names/names.hpp"
#include "agent/one_off/one_off.hpp"
#include "agent/one_off/probe_answers.hpp"
#include "agent/own_metrics.hpp"
#include "agent/secret.hpp"
#include "agent/tracing/clock_watch.hpp"
#include "agent/tracing/histogram_bounds.hpp"
#include "agent/tracing/localiser.hpp"
#include "agent/tracing/raw_routes.hpp"
#include "agent/tracing/reflector_thread.hpp"
#include "agent/tracing/tracing.hpp"
#include "agent/version.hpp"
#include "net/host/privilege.hpp"
#include "net/host/service_notice.hpp"
#include "net/http/http_server.hpp"
#include "net/http/http_socket.hpp"
#include "net/probe_io/raw_transport.hpp"
#include "probe/engine.hpp"

namespace ecmp {
namespace {

/// The loop sleeps at least so long when nothing arrives: probes that are due close to each other leave together.
constexpr Duration kQuantum = std::chrono::milliseconds(1);
/// And at most so long, so that the housekeeping below is on time.
constexpr Duration kLongestTurn = std::chrono::milliseconds(100);
/// While the configuration changes, so that the next slice of that is soon.
constexpr Duration kChangingTurn = std::chrono::milliseconds(1);
constexpr Duration kHousekeeping = std::chrono::milliseconds(50);
/// Some ten thousand events.
constexpr std::size_t kEventBytes = std::size_t{4} << 20;
constexpr std::size_t kEventsFromDisk = 2000;  ///< of an earlier run

/// What the probing loop tells of itself, for threads that answer scrapes.
struct LoopReport {
  EngineCounters engine;
  net::RawTransportCounters transport;
  std::uint64_t dns_errors = 0;
};

}  // namespace

class Agent::State {
 public:
  State(std::unique_ptr<Reloader> reloader, std::unique_ptr<net::RawTransport> transport,
        std::unique_ptr<net::Resolver> resolver, std::unique_ptr<HistoryStore> store);

  std::optional<Error> listen();
  void run();
  void stop() {
    stop_.store(true);
    transport_->wake();
  }
  void reload() { reloader_->request(); }

 private:
  std::optional<Error> open_listeners(std::vector<net::PassedSocket> passed);
  Tracing::Outputs outputs();
  Web::Sources web_sources();
  OneOffTraces::Outputs one_off_outputs();
  ProbeAnswers::Sources probe_sources();
  void start_threads();
  void housekeeping(Instant now);
  void take_changes();
  bool make_changes(const std::shared_ptr<const config::Changes>& changes);
  void set_web_limits(const config::WebLimits& limits);
  void own_metrics(std::string& out, render::Format format, const render::FamilyFilter& filter);

  std::unique_ptr<Reloader> reloader_;
  const std::shared_ptr<const config::Config> first_config_;  ///< what was begun with
  ChangeSlot changes_;
  std::shared_ptr<const Statistics::Bounds> bounds_;  ///< all classic ones there ever were; under bounds_mutex_
  SeriesSettings series_;
  std::unique_ptr<net::RawTransport> transport_;
  Names names_;
  AddressWatches addresses_;
  RawRoutes routes_;
  Engine engine_;
  Board board_;
  const std::unique_ptr<HistoryStore> store_;  ///< null: nothing is kept on disk
  RoundLog log_;
  EventLog events_{kEventBytes};
  Localiser localiser_;
  RollupLog rollups_;
  RollupKeeper rollup_keeper_;
  Tracing tracing_;
  OneOffDesk one_off_desk_;
  OneOffTraces one_off_;
  OwnMetrics own_metrics_;
  ProcessReader process_;
  /// Read once: what was given up does not come back. Under report_mutex_.
  std::optional<net::Privileges> privileges_;
  net::ServiceNotice notice_;
  Web web_;
  ProbeAnswers probe_answers_;

  std::mutex bounds_mutex_, report_mutex_;  ///< the first is never held by a thread of lower priority than the loop's
  LoopReport report_;
  Instant turn_{};                       ///< when the loop's turn began
  std::atomic<std::int64_t> begun_ = 0;  ///< the same for others
  Instant housekeeping_at_{};
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ready_ = false;

  ClockWatch clock_;
  std::unique_ptr<ReflectorThread> reflector_;  ///< null: nothing is reflected
  std::unique_ptr<WebAccess> access_;           ///< null: everybody may come, without TLS
  net::HttpServer server_;                      // last: its threads use what stands above
};

Agent::State::State(std::unique_ptr<Reloader> reloader, std::unique_ptr<net::RawTransport> transport,
                    std::unique_ptr<net::Resolver> resolver, std::unique_ptr<HistoryStore> store)
    : reloader_(std::move(reloader)),
      first_config_(reloader_->running()),
      bounds_(with_bounds(nullptr, first_config_->histograms)),
      series_(series_of(*first_config_, bounds_)),
      transport_(std::move(transport)),
      names_(first_config_->dns, std::move(resolver)),
      routes_(*transport_),
      engine_({.secret = random_secret(),
               .probes_per_second = first_config_->limits.probes_per_second,
               .probes_per_second_per_responder = first_config_->limits.probes_per_second_per_responder,
               .adapt_to_responders = first_config_->limits.adapt_to_responders}),
      store_(std::move(store)),
      log_(first_config_->history_memory, store_ != nullptr ? store_->first_round() : 0),
      localiser_(first_config_->localisation, first_config_->window,
                 {.board = &board_, .log = &log_, .events = &events_}),
      rollups_(rollup_budget(first_config_->history_memory)),
      rollup_keeper_({.rounds = &log_, .log = &rollups_, .store = store_.get()}),
      tracing_(*first_config_, engine_, routes_, outputs()),
      one_off_desk_(first_config_->one_off),
      one_off_(*first_config_, engine_, routes_, one_off_desk_, tracing_, one_off_outputs()),
      web_(web_sources()),
      probe_answers_(first_config_->modules, first_config_->one_off, probe_sources()) {
  if (store_ != nullptr) {
    events_.begin(store_->newest_events(kEventsFromDisk), store_->first_event());
    events_.set_on_event([this](std::uint64_t number, const EventLog::Event& event) { store_->add(number, event); });
  }
  addresses_.watch(first_config_->dns.asn_database, first_config_->dns.city_database);
  // Once and for all: to set another filter whenever somebody asks could lose replies of the steady tracing.
  for (const OneOffPorts& ports : one_off_.ports())
    if (ports.spread || ports.count > 0) routes_.keep_ports(ports.kept);
}

OneOffTraces::Outputs Agent::State::one_off_outputs() {
  return {.resolve = [this](const std::string& host,
                            config::FamilyChoice family) { names_.ask_addresses(host, family, net::NameUse::one_off); },
          .responder = [this](const IpAddress& address) { names_.want(address, turn_); }};
}

ProbeAnswers::Sources Agent::State::probe_sources() {
  return {.desk = &one_off_desk_,
          .wake = [this] { transport_->wake(); },
          .names = [this] { return addresses_.with(names_.table()); },
          .series = &series_};
}

Tracing::Outputs Agent::State::outputs() {
  return {
      .round =
          [this](std::shared_ptr<const RoundRecord> record) {
            events_.on_round(*record);
            if (const auto number = log_.add(record); store_ != nullptr) store_->add(number, std::move(record));
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
          },
      .path_names = [this](const std::string& destination) -> const DestinationPathNames* {
        if (store_ == nullptr) return nullptr;
        const auto found = store_->path_names().find(destination);
        return found != store_->path_names().end() ? &found->second : nullptr;
      },
      .figures_read = [this] { return board_.take_read(); },
      .spare = [this] { return log_.take_spare(); }};
}

Web::Sources Agent::State::web_sources() {
  return {
      .board = &board_,
      .log = &log_,
      .events = &events_,
      .rollups = &rollups_,
      .store = store_.get(),
      .window = [this] { return reloader_->running()->window; },
      .names = [this] { return addresses_.with(names_.table()); },
      .localisation = [this] { return first_config_->localisation.enabled ? localiser_.report() : nullptr; },
      .ready = [this] { return ready_.load(); },
      .since_turn = [this] { return net::monotonic_now() - Instant(Duration(begun_.load(std::memory_order_relaxed))); },
      .own_metrics = [this](std::string& out, render::Format format,
                            const render::FamilyFilter& filter) { own_metrics(out, format, filter); },
      .scraped = [this](const render::RenderOutcome& outcome, Duration took) { own_metrics_.on_scrape(outcome, took); },
      .series = &series_};
}

std::optional<Error> Agent::State::open_listeners(std::vector<net::PassedSocket> passed) {
  if (first_config_->systemd_socket) {
    auto listeners = net::listeners_of_systemd(std::move(passed));
    if (!listeners.ok()) return Error{listeners.error()};
    server_.adopt(std::move(*listeners));
    return std::nullopt;
  }
  for (const std::string& text : first_config_->listen_addresses) {
    const auto address = config::parse_listen_address(text);
    if (!address.ok()) return Error{text + ": " + address.error()};
    if (auto error = server_.listen(*address)) return error;
  }
  return std::nullopt;
}

std::optional<Error> Agent::State::listen() {
  if (!first_config_->web_config_file.empty()) {
    auto access = WebAccess::open(first_config_->web_config_file);
    if (!access.ok()) return Error{access.error()};
    access_ = std::move(*access);
    server_.guard(*access_);
  }
  auto passed = net::sockets_of_systemd();
  const auto first_reflector =
      std::stable_partition(passed.begin(), passed.end(), [](const auto& one) { return one.name != "reflector"; });
  std::vector<net::PassedSocket> for_reflector(std::make_move_iterator(first_reflector),
                                               std::make_move_iterator(passed.end()));
  passed.erase(first_reflector, passed.end());
  if (auto error = open_listeners(std::move(passed))) return error;
  auto reflector = ReflectorThread::open(first_config_->reflector, std::move(for_reflector));
  if (!reflector.ok()) return Error{reflector.error()};
  reflector_ = std::move(*reflector);
  for (const auto& bound : server_.bound()) {
    if (bound.path.empty())
      log::info("listening", {{"address", bound.address.to_string()}, {"port", bound.port}});
    else
      log::info("listening", {{"address", "unix:" + bound.path}});
  }
  server_.check_hosts(net::own_host_names());
  set_web_limits(first_config_->web);
  web_.add_routes(server_);
  probe_answers_.add_routes(server_);
  add_config_routes(server_, *reloader_, reloader_->lifecycle());
  return std::nullopt;
}

/// All of them begin here, with what the process may do by now.
void Agent::State::start_threads() {
  if (store_ != nullptr) store_->start([this] { return board_.get(); });
  addresses_.start();
  server_.start();
  localiser_.start();
  clock_.start();
  if (reflector_ != nullptr) reflector_->start(clock_);
  rollup_keeper_.start();
  reloader_->start([this](const auto& changes) { return make_changes(changes); });
  const auto privileges = net::read_privileges();
  if (!privileges) return;
  log::info("privileges", {{"user", privileges->user},
                           {"capabilities", privileges->capabilities},
                           {"no_new_privs", privileges->no_new_privs ? "1" : "0"},
                           {"seccomp", privileges->seccomp}});
  const std::lock_guard lock(report_mutex_);
  privileges_ = privileges;
}

void Agent::State::run() {
  begun_.store(transport_->now().time_since_epoch().count());
  start_threads();
  turn_ = transport_->now();
  tracing_.set_wall_offset(transport_->wall_offset());
  tracing_.start(turn_);
  notice_.ready();
  while (!stop_.load()) {
    turn_ = transport_->now();
    begun_.store(turn_.time_since_epoch().count(), std::memory_order_relaxed);
    notice_.alive(turn_);
    tracing_.set_wall_offset(transport_->wall_offset());
    one_off_.set_wall_offset(transport_->wall_offset());
    if (engine_.has_streams()) engine_.set_clock(clock_.estimate());
    const Duration turn = tracing_.changing() ? kChangingTurn : kLongestTurn;
    drive_once(engine_, *transport_, one_off_, turn_ + turn, kQuantum);
    for (const auto& change : transport_->take_source_changes())
      if (!one_off_.on_source(change.flow, change.source)) tracing_.on_source(change.flow, change.source);
    if (turn_ >= housekeeping_at_) {
      housekeeping_at_ = turn_ + kHousekeeping;
      housekeeping(turn_);
    }
    take_changes();
    const bool was_changing = tracing_.changing();
    tracing_.maintain(turn_);
    if (was_changing && !tracing_.changing()) changes_.made();
    one_off_.maintain(turn_);
    board_.settle(tracing_.figures_are_new());
    log_.settle();
  }
  notice_.stopping();
  log::info("stopping");
  changes_.stop();
  reloader_->stop();
  localiser_.stop();
  if (reflector_ != nullptr) reflector_->stop();
  clock_.stop();
  rollup_keeper_.stop();
  one_off_.stop();
  server_.stop();
  if (store_ != nullptr) {
    tracing_.publish_all(turn_);  // how the newest paths are called
    store_->stop();
  }
  names_.stop();
}

void Agent::State::set_web_limits(const config::WebLimits& limits) {
  server_.set_allowed_hosts(limits.allowed_hosts);
  server_.set_share(limits.connections_per_address);
  server_.budget().set_limit(limits.answer_memory);
  web_.set_share(limits.connections_per_address);
}

/// On the reloader's thread.
bool Agent::State::make_changes(const std::shared_ptr<const config::Changes>& changes) {
  {
    const std::lock_guard lock(bounds_mutex_);
    bounds_ = with_bounds(bounds_.get(), changes->histograms);
  }
  set_web_limits(changes->web);
  series_.set(series_of(*changes, bounds_));
  log_.set_budget(changes->history_memory);
  rollups_.set_budget(rollup_budget(changes->history_memory));
  if (store_ != nullptr) {
    const config::HistoryDisk& disk = changes->history_disk;
    store_->set_limits(disk.retention, disk.max_size);
    store_->set_rollup_limits(disk.rollup_retention, disk.rollup_max_size);
  }
  localiser_.set_window(changes->window);
  if (changes->settings) addresses_.watch(changes->dns.asn_database, changes->dns.city_database);
  if (reflector_ != nullptr) reflector_->set(changes->reflector);
  return changes_.hand_over(changes, [this] { transport_->wake(); });
}

/// On the probing loop: begins what was handed over.
void Agent::State::take_changes() {
  const auto changes = changes_.take();
  if (changes == nullptr) return;
  if (changes->settings) {
    engine_.set_rates(changes->limits.probes_per_second, changes->limits.probes_per_second_per_responder,
                      changes->limits.adapt_to_responders);
    names_.set_options(changes->dns);
  }
  {
    const std::lock_guard lock(bounds_mutex_);
    tracing_.set_bounds(bounds_);
    one_off_.set_bounds(bounds_);
  }
  tracing_.change(changes);
}

void Agent::State::housekeeping(Instant now) {
  if (names_.take_server_change()) {
    log::info("other name servers are asked from now on");
    tracing_.ask_failing_names(now);
  }
  for (const HostAnswer& answer : names_.take_answers(now)) {
    tracing_.on_names(answer, now);
    one_off_.on_names(answer, now);
  }
  events_.maintain(now);
  server_.budget().set_kept(tracing_.kept_bytes());
  {
    const LoopReport report{engine_.counters(), transport_->counters(), tracing_.dns_errors() + names_.errors()};
    // A scrape that reads the last one may have no processor just now: the next one will do.
    const std::unique_lock lock(report_mutex_, std::try_to_lock);
    if (lock.owns_lock()) report_ = report;
  }
  if (!ready_.load() && tracing_.settled()) {
    ready_.store(true);
    log::info("ready", {{"destinations", tracing_.size()}});
  }
}

void Agent::State::own_metrics(std::string& out, render::Format format, const render::FamilyFilter& filter) {
  OwnMetricsInput input{.version = version(), .revision = revision()};
  {
    const std::lock_guard lock(report_mutex_);
    input.engine = report_.engine;
    input.capture_dropped = report_.transport.capture_dropped;
    input.clock_steps = report_.transport.clock_steps;
    input.socket_list_failures = report_.transport.socket_list_failures;
    input.dns_errors = report_.dns_errors;
    input.privileges = privileges_;
  }
  input.log_dropped = log::dropped();
  const Reloader::Report reloads = reloader_->report();
  input.config_reload_successful = reloads.successful;
  if (access_ != nullptr) input.web_config_current = access_->current();
  input.config_reload_success = reloads.success;
  input.sources = reloads.sources;
  input.destinations_left_out = reloads.left_out;
  input.destinations_elsewhere = reloads.elsewhere;
  const auto history = log_.size();
  input.history_rounds = history.rounds;
  input.history_bytes = history.bytes;
  input.history_forgotten = history.forgotten;
  if (store_ != nullptr) input.history_disk = store_->report();
  const auto events = events_.size();
  input.events = events.events;
  input.events_forgotten = events.forgotten;
  const auto http = server_.counters();
  input.http_connections_refused = {{"full", http.refused_full},
                                    {"address", http.refused_address},
                                    {"accept_failed", http.accept_failures},
                                    {"read_timeout", http.read_timeouts},
                                    {"write_timeout", http.write_timeouts},
                                    {"idle", http.idle_cut},
                                    {"gave_way", http.evicted + web_.evicted()},
                                    {"answer_memory", http.refused_memory},
                                    {"scrapes", web_.refused_scrapes()},
                                    {"followers", web_.refused_followers()},
                                    {"memory", http.connections_failed},
                                    {"tls", http.tls_failures}};
  input.http_answer_bytes = http.answer_bytes;
  for (const auto& [status, count] : http.requests)
    input.http_requests.push_back({std::to_string(status), count});
  const OneOffCounters one_off = one_off_desk_.counters();
  input.one_off_traces = {{"reached", one_off.reached}, {"not_reached", one_off.traced - one_off.reached}};
  for (std::size_t i = 1; i < one_off.refused.size(); ++i)
    input.one_off_refused.push_back({std::string(to_string(static_cast<OneOffRefusal>(i))), one_off.refused[i]});
  if (first_config_->localisation.enabled) {
    input.localisation = localiser_.report();
    const auto findings = localiser_.findings();
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const auto kind = static_cast<EventKind>(static_cast<std::size_t>(EventKind::loss_verdict) + i);
      input.localisation_verdicts.push_back({std::string(to_string(kind)), findings[i]});
    }
  }
  if (reflector_ != nullptr) input.reflector = reflector_->report();
  input.process = process_.read();
  own_metrics_.append(out, format, input, filter);
}

Result<std::unique_ptr<Agent>> Agent::open(config::Config config, ConfigOrigin origin) {
  auto reloader = Reloader::open(std::move(origin), std::move(config));
  if (!reloader.ok()) return Error{reloader.error()};
  auto transport = net::RawTransport::open();
  if (!transport.ok()) return Error{transport.error()};
  net::ResolverOptions dns;
  dns.warn = [](const std::string& problem) { log::warn(problem); };
  auto resolver = net::Resolver::make(std::move(dns));
  if (!resolver.ok()) return Error{resolver.error()};
  const std::shared_ptr<const config::Config> running = (*reloader)->running();
  const config::HistoryDisk& disk = running->history_disk;
  std::unique_ptr<HistoryStore> store;
  if (!disk.directory.empty()) {
    auto opened = HistoryStore::open({.directory = disk.directory,
                                      .retention = disk.retention,
                                      .max_size = disk.max_size,
                                      .rollup_retention = disk.rollup_retention,
                                      .rollup_max_size = disk.rollup_max_size});
    if (!opened.ok()) return Error{opened.error()};
    store = std::move(*opened);
  }
  auto state =
      std::make_unique<State>(std::move(*reloader), std::move(*transport), std::move(*resolver), std::move(store));
  if (auto error = state->listen()) return *error;
  return std::unique_ptr<Agent>(new Agent(std::move(state)));
}

Agent::Agent(std::unique_ptr<State> state) : state_(std::move(state)) {}
Agent::~Agent() = default;
void Agent::run() {
  state_->run();
}
void Agent::reload() {
  state_->reload();
}
void Agent::stop() {
  state_->stop();
}

}  // namespace ecmp
