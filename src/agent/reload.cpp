#include "agent/reload.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <utility>

#include "agent/config_file.hpp"
#include "agent/log.hpp"

namespace ecmp {
namespace {

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

/// Longer than any pause between two looks; a bound for poll().
constexpr long kLongestWait = 3'600'000;

/// What the configuration and the sources have, agents of the mesh and others apart.
struct Sources {
  std::vector<config::Found> own;
  std::vector<config::Found> peers;
  std::vector<std::vector<config::Found>> parted;  ///< of sources with agents among others, those others
  std::vector<const std::vector<config::Found>*> found;
};

Sources sources_of(const config::Config& base, const Discovery& discovery) {
  Sources sources;
  for (std::size_t i = 0; i < base.destinations.size(); ++i)
    sources.own.push_back({base.destinations[i], base.origins.at(i)});
  for (std::size_t i = 0; i < base.mesh_peers.size(); ++i)
    sources.peers.push_back({base.mesh_peers[i], base.mesh_origins.at(i)});
  const auto lists = discovery.found();
  sources.parted.reserve(lists.size());  // pointed at
  for (const auto* list : lists) {
    const auto is_peer = [](const config::Found& found) { return found.destination.mesh; };
    if (!base.mesh.enabled() || std::ranges::none_of(*list, is_peer)) {
      sources.found.push_back(list);
      continue;
    }
    std::vector<config::Found>& others = sources.parted.emplace_back();
    for (const config::Found& found : *list)
      (is_peer(found) ? sources.peers : others).push_back(found);
    sources.found.push_back(&others);
  }
  return sources;
}

/// What is traced; `mesh` are the agents among it.
config::Selection select_from(const config::Config& base, const Sources& sources, const config::MeshPlan& mesh) {
  std::vector<const std::vector<config::Found>*> all = {&sources.own, &mesh.found};
  all.insert(all.end(), sources.found.begin(), sources.found.end());
  config::Selection selection = config::select_destinations(all, base.shard, base.limits);
  selection.problems.insert(selection.problems.begin(), mesh.problems.begin(), mesh.problems.end());
  return selection;
}

bool names_nothing(const config::Config& config) {
  return config.destinations.empty() && config.modules.empty() && config.discovery.files.empty() &&
         config.discovery.http.empty() && config.reflector.listen_addresses.empty();
}

/// What of the reflector the file in force keeps closed and this one does not; empty: nothing. An address to listen at
/// that is gone closes it.
std::string_view opens_reflector(const config::Reflector& before, const config::Reflector& after) {
  if (after.listen_addresses.empty() && !before.listen_addresses.empty()) return {};
  if (!before.key_file.empty() && after.key_file.empty()) return "reflector.key_file is gone";
  const bool had_list = !before.allow.empty() || before.only_allowed;
  if (had_list && after.allow.empty() && !after.only_allowed) return "reflector.allow is gone";
  return {};
}

void tell_of_source(bool bad, std::string_view source, std::string_view line) {
  if (bad) {
    log::warn("discovery: the last good destinations stay", {{"source", source}, {"problem", line}});
  } else {
    log::info("discovery: the source is good again", {{"source", source}});
  }
}

}  // namespace

std::optional<std::string> ConfigOrigin::apply(config::Config& config) const {
  if (!listen_addresses.empty()) config.listen_addresses = listen_addresses;
  if (!web_config_file.empty()) config.web_config_file = web_config_file;
  config.systemd_socket = systemd_socket;
  if (shard_index) config.shard.index = *shard_index;
  if (shard_count) config.shard.count = *shard_count;
  if (config.shard.index < config.shard.count) return std::nullopt;
  return fmt::format("shard index {}: expected one below the shard count, {}", config.shard.index, config.shard.count);
}

std::vector<FileProblem> check_discovery(const std::string& config_file, const config::Config& config) {
  auto discovery = Discovery::open(config_file, {.wake = [] {}, .tell = [](bool, auto, auto) {}});
  if (!discovery.ok()) return {{"", discovery.error()}};
  (*discovery)->configure(std::make_shared<const config::Config>(config));
  std::vector<FileProblem> problems = (*discovery)->problems();
  const Sources sources = sources_of(config, **discovery);
  const auto selection = select_from(config, sources, config::plan_mesh(sources.peers, {}, {}, config.mesh));
  for (const std::string& line : selection.problems)
    problems.push_back({"", line});
  return problems;
}

Result<std::unique_ptr<Reloader>> Reloader::open(ConfigOrigin origin, config::Config config) {
  net::FileDescriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return Error{"cannot make an event descriptor: " + std::generic_category().message(errno)};
  std::unique_ptr<Reloader> reloader(new Reloader(std::move(origin), std::move(wake)));
  auto discovery = Discovery::open(reloader->origin_.file,
                                   {.wake = [made = reloader.get()] { made->wake(); }, .tell = &tell_of_source});
  if (!discovery.ok()) return Error{discovery.error()};
  reloader->discovery_ = std::move(*discovery);
  reloader->base_ = std::make_shared<const config::Config>(std::move(config));
  reloader->discovery_->configure(reloader->base_);
  reloader->running_ = reloader->select();
  reloader->report_.success = wall_now();
  return reloader;
}

void Reloader::start(Make make) {
  make_ = std::move(make);
  discovery_->start();
  mesh_.start([this] { wake(); });
  thread_ = std::thread([this] { run(); });
}

void Reloader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  finished_.notify_all();
  wake();
  if (thread_.joinable()) thread_.join();
}

void Reloader::wake() const {
  // A full counter wakes too. Nothing else here, for signal handlers.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Reloader::request() {
  signalled_.store(true);
  wake();
}

ReloadOutcome Reloader::reload() {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = ++asked_;
  wake();
  finished_.wait(lock, [&] { return answered_ >= ticket || stop_.load(); });
  if (answered_ < ticket) return {.successful = false, .lines = {"not reloaded: the program is stopping"}};
  return outcome_;
}

std::shared_ptr<const config::Config> Reloader::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

Reloader::Report Reloader::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

Discovery::Clock::time_point Reloader::next_look() const {
  return std::min(discovery_->next_look(), mesh_.next_look());
}

void Reloader::wait(bool pending) {
  std::array<pollfd, 2> descriptors{{{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = discovery_->descriptor(), .events = POLLIN, .revents = 0}}};
  const auto until = pending ? std::min(reload_at_, next_look()) : next_look();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Discovery::Clock::now()).count();
  ::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::clamp<long>(left, 0, kLongestWait)));
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  if (descriptors[1].revents != 0) discovery_->on_event();
}

void Reloader::run() {
  bool pending = false;
  while (!stop_.load()) {
    wait(pending);
    pending = signalled_.load() || [this] {
      const std::lock_guard lock(mutex_);
      return asked_ > answered_;
    }();
    if (stop_.load()) break;
    if (pending && Discovery::Clock::now() >= reload_at_) {
      signalled_.store(false);  // before the file is read: a signal from here on may be about a newer one
      reload_now();
      reload_at_ = Discovery::Clock::now() + kPause;
      pending = false;
    } else {
      follow_discovery();
    }
  }
  discovery_->stop();
  mesh_.stop();
}

void Reloader::reload_now() {
  const std::uint64_t ticket = [this] {
    const std::lock_guard lock(mutex_);
    return asked_;
  }();
  ReloadOutcome outcome = load();
  for (const std::string& line : outcome.lines) {
    if (!outcome.successful) log::error("configuration not reloaded", {{"problem", line}});
  }
  {
    const std::lock_guard lock(mutex_);
    report_.successful = outcome.successful;
    if (outcome.successful) report_.success = wall_now();
    outcome_ = std::move(outcome);
    answered_ = ticket;
  }
  finished_.notify_all();
}

ReloadOutcome Reloader::load() {
  auto loaded = load_config(origin_.file, ConfigSource::file);
  if (auto* problems = std::get_if<std::vector<std::string>>(&loaded)) {
    return {.successful = false, .lines = std::move(*problems)};
  }
  config::Config& config = std::get<config::Config>(loaded);
  if (const auto problem = origin_.apply(config)) {
    return {.successful = false, .lines = {*problem}};
  }
  // As a full disk or an editor that was killed leaves it: well-formed, and nothing in it.
  if (names_nothing(config) && !names_nothing(*base_)) {
    return {
        .successful = false,
        .lines = {fmt::format("{}: no destinations and no discovery in it, as in a file that was cut short: what is "
                              "traced stays (a restart takes the file as it is)",
                              origin_.file)}};
  }
  if (const auto gone = opens_reflector(base_->reflector, config.reflector); !gone.empty()) {
    return {.successful = false,
            .lines = {fmt::format("{}: {}, as in a file that was cut short: everything stays as it is (a restart takes "
                                  "the file as it is and opens the reflector)",
                                  origin_.file, gone)}};
  }
  base_ = std::make_shared<const config::Config>(std::move(config));
  discovery_->configure(base_);
  config::Changes changes;
  if (!adopt(changes, true)) return {.successful = false, .lines = {"the program is stopping"}};
  log::info("configuration reloaded", {{"added", changes.added.size()},
                                       {"removed", changes.removed.size()},
                                       {"changed", changes.edited.size()},
                                       {"unchanged", changes.unchanged}});
  ReloadOutcome outcome{.successful = true, .lines = {}};
  outcome.lines.push_back(
      fmt::format("configuration reloaded: destinations: {} added, {} removed, {} changed, {} as before",
                  changes.added.size(), changes.removed.size(), changes.edited.size(), changes.unchanged));
  for (const std::string_view key : changes.need_restart) {
    log::warn("a changed key takes effect with a restart", {{"key", key}});
    outcome.lines.push_back(fmt::format("{} has changed: that takes effect with a restart", key));
  }
  for (const FileProblem& problem : discovery_->problems())
    outcome.lines.push_back(problem.line);
  outcome.lines.insert(outcome.lines.end(), untraced_.begin(), untraced_.end());
  return outcome;
}

void Reloader::follow_discovery() {
  const bool moved = mesh_.refresh(Discovery::Clock::now());
  if (!discovery_->refresh() && !moved) {
    report_sources();
    return;
  }
  config::Changes changes;
  if (!adopt(changes) || !changes.any()) return;
  log::info("destinations changed", {{"added", changes.added.size()},
                                     {"removed", changes.removed.size()},
                                     {"changed", changes.edited.size()},
                                     {"unchanged", changes.unchanged}});
}

void Reloader::report_sources() {
  auto sources = discovery_->report();
  if (auto mesh = mesh_.report()) sources.push_back(std::move(*mesh));
  const std::lock_guard lock(mutex_);
  report_.sources = std::move(sources);
}

std::shared_ptr<const config::Config> Reloader::select() {
  const Sources sources = sources_of(*base_, *discovery_);
  mesh_.want(sources.peers, base_->dns.refresh);
  const config::MeshPlan mesh = config::plan_mesh(sources.peers, mesh_.known(), mesh_.own(), base_->mesh);
  config::Selection selection = select_from(*base_, sources, mesh);
  if (selection.problems != untraced_) {
    untraced_ = selection.problems;
    for (const std::string& line : untraced_)
      log::warn("destinations are left out", {{"problem", line}});
  }
  auto next = std::make_shared<config::Config>(*base_);
  next->destinations.clear();
  next->origins.clear();
  next->reflector.allow.insert(next->reflector.allow.end(), mesh.allow.begin(), mesh.allow.end());
  for (config::Found& found : selection.found) {
    next->destinations.push_back(std::move(found.destination));
    next->origins.push_back(std::move(found.origin));
  }
  report_sources();
  const std::lock_guard lock(mutex_);
  report_.left_out = selection.left_out;
  report_.elsewhere = selection.elsewhere;
  return next;
}

/// Goes over to what is wanted now. False: nobody does that any more.
bool Reloader::adopt(config::Changes& changes, bool files_too) {
  const auto next = select();
  const auto planned = std::make_shared<config::Changes>(config::plan_changes(*running(), *next));
  // A key file that is named as before may hold another key.
  if (files_too && !next->reflector.key_file.empty()) planned->settings = true;
  if (planned->any() && !make_(planned)) return false;
  changes = std::move(*planned);
  const std::lock_guard lock(mutex_);
  running_ = next;
  return true;
}

}  // namespace ecmp
