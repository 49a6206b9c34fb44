#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/http/web_config_file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "net/http/http_gate.hpp"
#include "net/http/http_password.hpp"

namespace ecmp {

/// Lets clients in as a web configuration says, and reads it again when one of its files has changed: it is looked at
/// for new connections and requests. One that is not good is logged once, and the last good one
/// stays. So it does when the new one would let in more than the one in force: a file that was cut short is a good one
/// with less in it. Only a restart opens the server.
class WebAccess : public net::HttpGate {
 public:
  /// The error has a line for each problem.
  static Result<std::unique_ptr<WebAccess>> open(const std::string& path);

  std::shared_ptr<const net::TlsContext> tls() override;
  [[nodiscard]] bool encrypts() const override { return encrypts_.load(); }
  Verdict judge(const net::HttpRequest& request, const net::StopSignal& stop) override;

  /// Whether the files are what is in force, as far as they have been looked at.
  [[nodiscard]] bool current() const { return current_.load(); }

 private:
  /// The token bucket of all clients together.
  class RateLimit {
   public:
    explicit RateLimit(const config::WebRateLimit& limit);
    /// How long to wait, or nullopt: one is taken.
    std::optional<Duration> take(Instant now);

   private:
    std::mutex mutex_;
    TokenBucket bucket_;
  };

  /// One configuration in force.
  struct Policy {
    std::shared_ptr<const net::TlsContext> tls;
    ClientCertificate client_certificate = ClientCertificate::none;  ///< what TLS asks of clients
    bool own_client_ca = false;                                      ///< not the system's
    bool allowed_names = false;                                      ///< client_allowed_sans holds some
    std::shared_ptr<const Headers> headers;
    std::optional<config::WebRateLimit> limit;
    std::shared_ptr<RateLimit> rate_limit;
    net::PasswordCheck::Users users;
    std::shared_ptr<net::PasswordCheck> passwords;
  };

  explicit WebAccess(const std::string& path) : files_(path) {}
  std::shared_ptr<const Policy> policy();
  void reread();
  void take(LoadedWebConfig loaded);
  /// What is in force and would be gone: one line each.
  [[nodiscard]] static std::vector<std::string> opened(const Policy& before, const LoadedWebConfig& loaded);
  [[nodiscard]] std::shared_ptr<const Policy> present() const;

  std::mutex reading_;  ///< over the next two; whoever finds it taken goes on with what is in force
  WebFiles files_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Policy> present_;
  std::atomic<bool> encrypts_ = false;
  std::atomic<bool> current_ = true;
};

}  // namespace ecmp
