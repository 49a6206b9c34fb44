#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/tracing/clock_watch.hpp"
#include "config/config.hpp"
#include "net/probe_io/datagram_socket.hpp"
#include "net/probe_io/expiry_socket.hpp"
#include "stamp/reflector.hpp"
#include "stamp/reverse_tracer.hpp"

namespace ecmp {

/// The Session-Reflector on a thread of its own, below the probing loop in priority, which knows nothing of it. It also
/// traces the way back to senders of ours that `allow` lists, out of the socket that answers them.
class ReflectorThread {
 public:
  /// Binds the sockets that the configuration names and takes over those that systemd passed for it, as long as the
  /// process may: before privileges are dropped. Null: there is nothing to listen on. An address that systemd has bound
  /// is not bound again.
  static Result<std::unique_ptr<ReflectorThread>> open(const config::Reflector& config,
                                                       std::vector<net::PassedSocket> passed);
  ~ReflectorThread() { stop(); }
  ReflectorThread(const ReflectorThread&) = delete;
  ReflectorThread& operator=(const ReflectorThread&) = delete;

  /// `clock` outlives it.
  void start(ClockWatch& clock);
  void stop();
  /// What a reload changes, with the key as it stands in its file now. With a key that cannot be read everything stays
  /// as it is, which the log says. An address that is not among those to listen at any more answers nobody, though its
  /// socket stays until the end. By any thread.
  void set(const config::Reflector& config);

  struct Report {
    std::uint64_t reflected = 0;
    std::array<std::uint64_t, static_cast<std::size_t>(stamp::Refusal::count_)> refused{};
    std::uint64_t sessions = 0;
  };
  /// By any thread.
  [[nodiscard]] Report report() const;

 private:
  ReflectorThread(std::vector<net::DatagramSocket> sockets, std::size_t passed, stamp::ReflectorSettings settings,
                  std::size_t max_sessions);
  void run();
  void take_settings();
  void serve(net::DatagramSocket& socket, bool wanted);
  void use(stamp::ReflectorSettings settings);
  void trace_back();
  [[nodiscard]] int turn_milliseconds() const;
  void refuse(stamp::Refusal refusal, std::uint64_t count = 1);
  void explain(stamp::Refusal refusal, const IpAddress& source);

  std::vector<net::DatagramSocket> sockets_;
  std::size_t passed_;  ///< so many of them, the first ones, are systemd's
  net::StopSignal stop_;

  // Of the thread.
  stamp::ReverseTracer tracer_;
  net::ExpirySocket expiry_;
  stamp::Reflector reflector_;
  net::DatagramBatch batch_;
  std::vector<std::uint8_t> reply_;
  std::vector<bool> wanted_;  ///< by socket: it is to be answered there
  std::array<bool, static_cast<std::size_t>(stamp::Refusal::count_)> explained_{};

  std::mutex mutex_;
  std::optional<stamp::ReflectorSettings> next_;  ///< under mutex_
  std::vector<bool> next_wanted_;                 ///< with it
  std::atomic<bool> has_next_ = false;

  std::atomic<std::uint64_t> reflected_ = 0;
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(stamp::Refusal::count_)> refused_{};
  std::atomic<std::uint64_t> sessions_ = 0;
  ClockWatch* clock_ = nullptr;
  std::thread thread_;
};

/// The key in this file; empty for "". The error names the file.
Result<std::vector<std::uint8_t>> read_key_file(const std::string& path);

}  // namespace ecmp
