#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/discovery/discovery.hpp"
#include "agent/discovery/mesh_peers.hpp"
#include "base/result.hpp"
#include "config/changes.hpp"
#include "config/config.hpp"
#include "config/selection.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp {

/// Where the configuration comes from, and what the command line says instead of it, also after a reload.
struct ConfigOrigin {
  std::string file;
  std::vector<std::string> listen_addresses;  ///< empty: those of the file
  std::string web_config_file;                ///< empty: that of the file
  bool systemd_socket = false;
  bool lifecycle = true;  ///< POST /-/reload is served
  std::optional<std::uint32_t> shard_index;
  std::optional<std::uint32_t> shard_count;

  /// Puts in what the command line says. What is wrong with that, or nothing.
  [[nodiscard]] std::optional<std::string> apply(config::Config& config) const;
};

/// What came of a reload: lines for people, those of the problems if it was not successful.
struct ReloadOutcome {
  bool successful = false;
  std::vector<std::string> lines;
};

/// Everything wrong with the files of [discovery], and with what they have beside the configuration: for
/// --config.check, which asks no server.
std::vector<FileProblem> check_discovery(const std::string& config_file, const config::Config& config);

/// Keeps the running configuration, on a thread of its own: reads and checks the file again when it is told to, follows
/// what [discovery] finds, works out what has changed, and has that made. A configuration with a problem changes
/// nothing.
class Reloader {
 public:
  /// Has changes made. Returns when they are, or false if they never will be.
  using Make = std::function<bool(const std::shared_ptr<const config::Changes>&)>;

  /// The error is one line for the user.
  static Result<std::unique_ptr<Reloader>> open(ConfigOrigin origin, config::Config config);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  ~Reloader() { stop(); }

  void start(Make make);
  void stop();

  /// From one reload to the next at least; those who ask meanwhile share the next.
  static constexpr Duration kPause = std::chrono::seconds(1);

  /// Asks for a reload. Any thread, and signal handlers.
  void request();

  /// Reloads and waits for the outcome; several who ask at the same time share one. Any thread.
  ReloadOutcome reload();

  /// Whether POST /-/reload is served.
  [[nodiscard]] bool lifecycle() const { return origin_.lifecycle; }

  /// All that is traced, and how. Any thread.
  [[nodiscard]] std::shared_ptr<const config::Config> running() const;

  struct Report {
    bool successful = true;  ///< the last attempt
    WallTime success{};      ///< when one last was
    std::vector<SourceReport> sources;
    std::array<std::uint64_t, static_cast<std::size_t>(config::LeftOut::count_)> left_out{};
    std::uint64_t elsewhere = 0;  ///< destinations of other shards
  };
  [[nodiscard]] Report report() const;

 private:
  Reloader(ConfigOrigin origin, net::FileDescriptor wake) : origin_(std::move(origin)), wake_(std::move(wake)) {}

  void run();
  /// `pending`: a reload was asked for, which must wait until `reload_at_`.
  void wait(bool pending);
  void reload_now();
  ReloadOutcome load();
  void follow_discovery();
  void report_sources();
  [[nodiscard]] Discovery::Clock::time_point next_look() const;
  /// What the configuration and the sources come to. Leaves the report of it.
  std::shared_ptr<const config::Config> select();
  bool adopt(config::Changes& changes, bool files_too = false);
  void wake() const;

  const ConfigOrigin origin_;
  net::FileDescriptor wake_;
  std::unique_ptr<Discovery> discovery_;
  MeshPeers mesh_;
  std::shared_ptr<const config::Config> base_;  ///< as the file has it
  std::vector<std::string> untraced_;           ///< what was told last of destinations that are left out
  Make make_;
  Discovery::Clock::time_point reload_at_{};  ///< not before
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> signalled_ = false;

  mutable std::mutex mutex_;
  std::condition_variable finished_;
  std::uint64_t asked_ = 0;     ///< by callers of reload()
  std::uint64_t answered_ = 0;  ///< all up to this one
  ReloadOutcome outcome_;
  std::shared_ptr<const config::Config> running_;
  Report report_;
};

}  // namespace ecmp
