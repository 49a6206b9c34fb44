#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/reload.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace ecmp {

/// The exporter, wired: one probing loop on the calling thread, HTTP connections and the resolver on threads of their
/// own.
class Agent {
 public:
  /// Opens what needs privileges (capture, sockets) and listens. The error is one line for the user. `origin` is where
  /// the configuration is read again.
  static Result<std::unique_ptr<Agent>> open(config::Config config, ConfigOrigin origin);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Probes until stop() is called, then takes everything down.
  void run();

  /// Reads the configuration again and goes over to it, if nothing is wrong with it. May be called by any thread and by
  /// a signal handler.
  void reload();

  /// Ends run(). May be called by any thread and by a signal handler.
  void stop();

 private:
  class State;
  explicit Agent(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ecmp
