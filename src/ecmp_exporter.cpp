#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "agent/agent.hpp"
#include "agent/command_line.hpp"
#include "agent/config_file.hpp"
#include "agent/http/web_config_file.hpp"
#include "agent/log.hpp"
#include "agent/memory.hpp"
#include "agent/process_usage.hpp"
#include "agent/tracing/reflector_thread.hpp"
#include "agent/version.hpp"
#include "net/host/privilege.hpp"
#include "net/host/sandbox.hpp"

namespace {

constexpr int kRuntimeFailure = 1;

// A signal handler has no other way to what it acts upon. Set before the handlers are, gone after them.
ecmp::Agent* running = nullptr;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void on_stop_signal(int) {
  running->stop();
}

/// Before there is anything to stop: nothing was promised yet, and what is half open bears the end of the program at
/// any moment. Waiting for what is being read (a large configuration, a history) would take longer than a stop may.
void on_early_stop_signal(int) {
  _exit(0);
}

void on_reload_signal(int) {
  running->reload();
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

int print(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems)
    std::fprintf(stderr, "%s\n", problem.c_str());
  return problems.empty() ? 0 : kRuntimeFailure;
}

/// Everything wrong with the files that the configuration names.
std::vector<std::string> check_further(const std::string& config_file, const ecmp::config::Config& config) {
  auto problems = ecmp::check_discovery(config_file, config);
  if (const auto key = ecmp::read_key_file(config.reflector.key_file); !key.ok())
    problems.push_back({config.reflector.key_file, key.error()});
  if (!config.web_config_file.empty()) {
    ecmp::WebFiles files(config.web_config_file);
    const auto outcome = ecmp::load_web_config(files);
    if (const auto* more = std::get_if<std::vector<ecmp::FileProblem>>(&outcome))
      problems.insert(problems.end(), more->begin(), more->end());
  }
  std::vector<std::string> lines;
  for (const ecmp::FileProblem& problem : problems)
    lines.push_back(ecmp::placed_problem(config_file, config.named_files, problem));
  return lines;
}

int run(const ecmp::CommandLine& command_line) {
  // A reader of the log that has gone away ends nothing.
  handle(SIGPIPE, SIG_IGN);
  // Whoever asks for a reload before there is something to reload must not end the program.
  if (!command_line.check_only) {
    handle(SIGHUP, SIG_IGN);
    handle(SIGTERM, on_early_stop_signal);
    handle(SIGINT, on_early_stop_signal);
  }
  auto loaded = ecmp::load_config(command_line.config_file, ecmp::ConfigSource::file_or_pipe);
  if (const auto* problems = std::get_if<std::vector<std::string>>(&loaded)) return print(*problems);
  auto& config = std::get<ecmp::config::Config>(loaded);
  const ecmp::ConfigOrigin origin{.file = command_line.config_file,
                                  .listen_addresses = command_line.listen_addresses,
                                  .web_config_file = command_line.web_config_file,
                                  .systemd_socket = command_line.systemd_socket,
                                  .lifecycle = command_line.lifecycle,
                                  .shard_index = command_line.shard_index,
                                  .shard_count = command_line.shard_count};
  if (const auto problem = origin.apply(config)) return print({*problem});
  if (command_line.check_only) return print(check_further(command_line.config_file, config));

  ecmp::log::configure(command_line.log_level, command_line.log_format);
  ecmp::log::never_wait();
  ecmp::log::info("starting", {{"version", ecmp::version()},
                               {"revision", ecmp::revision()},
                               {"config", command_line.config_file},
                               {"destinations", config.destinations.size()}});
  const auto agent = ecmp::Agent::open(std::move(config), origin);
  if (!agent.ok()) {
    std::fprintf(stderr, "ecmp_exporter: %s\n", agent.error().c_str());
    return kRuntimeFailure;
  }
  // Everything that takes a privilege is open, and there is one thread as yet.
  auto refused = ecmp::net::drop_privileges(command_line.user);
  if (!refused) refused = ecmp::net::enter_sandbox(command_line.sandbox);
  if (refused) {
    std::fprintf(stderr, "ecmp_exporter: %s\n", refused->message.c_str());
    return kRuntimeFailure;
  }
  ecmp::log::start_writer();
  running = agent->get();
  handle(SIGTERM, on_stop_signal);
  handle(SIGINT, on_stop_signal);
  handle(SIGHUP, on_reload_signal);
  running->run();
  handle(SIGHUP, SIG_IGN);
  handle(SIGTERM, SIG_DFL);
  handle(SIGINT, SIG_DFL);
  ecmp::log::stop_writer();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ecmp::hold_standard_descriptors();
  ecmp::settle_memory();
  ecmp::raise_descriptor_limit();
  const auto command_line = ecmp::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<ecmp::EarlyExit>(&command_line)) return ecmp::take_leave(*exit);
  return run(std::get<ecmp::CommandLine>(command_line));
}
