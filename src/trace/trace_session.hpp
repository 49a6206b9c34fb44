#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/tracing/tracing.hpp"
#include "probe/engine.hpp"
#include "trace/round_queue.hpp"
#include "trace/trace_network.hpp"
#include "trace/trace_options.hpp"

namespace ecmp {

/// One destination, probed on a thread of its own until it is stopped or the rounds asked for are over. What it finds
/// comes out of rounds(); nothing that happens to it there ever holds up a probe.
class TraceSession {
 public:
  /// `request.host` is what is traced, `request.address` its address if that is known.
  TraceSession(const TraceRequest& request, std::unique_ptr<TraceNetwork> network, RoundQueue::WhenFull when_full);
  ~TraceSession();
  TraceSession(const TraceSession&) = delete;
  TraceSession& operator=(const TraceSession&) = delete;

  void start();
  /// Asks the thread to end. rounds() is closed when it does.
  void stop();

  RoundQueue& rounds() { return rounds_; }
  [[nodiscard]] std::shared_ptr<const render::HopNames> names() const { return network_->names(); }

  /// What the user should know, one line each, since the last call.
  std::vector<std::string> take_warnings();

  /// After rounds() was closed: why nothing could be traced at all.
  [[nodiscard]] std::optional<std::string> failure() const;
  /// The destination as it was at the end; null if it never had an address. Only after rounds() was closed.
  [[nodiscard]] std::shared_ptr<const DestinationSnapshot> snapshot() const;

  /// What the request asks for, as a configuration says it.
  static config::Destination destination_of(const TraceRequest& request);

 private:
  static config::Config config_of(const TraceRequest& request);
  Tracing::Outputs outputs();
  void run();
  void turn();
  void housekeeping(Instant now);
  void take_round(std::shared_ptr<const RoundRecord> record);
  void look_for_obstacle(const RoundRecord& record);
  void warn(std::string message);

  const TraceRequest request_;
  std::unique_ptr<TraceNetwork> network_;
  RoundQueue rounds_;
  Engine engine_;
  Tracing tracing_;

  // Of the probing thread.
  std::vector<std::uint32_t> rounds_done_;  ///< by flow index
  std::uint32_t flows_done_ = 0;
  std::string obstacle_;  ///< last told of
  Instant now_{};
  Instant housekeeping_at_{};
  bool begun_ = false;
  std::atomic<bool> stop_ = false;

  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::optional<std::string> failure_;
  std::shared_ptr<const DestinationSnapshot> snapshot_;

  std::thread thread_;  // last: it uses what stands above
};

}  // namespace ecmp
