#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "agent/board.hpp"
#include "agent/round_log.hpp"
#include "net/http_message.hpp"
#include "net/http_server.hpp"
#include "render/hop_names.hpp"
#include "render/text.hpp"

namespace ecmp {

/// The answers of the exporter's HTTP server. Called by many threads at once; reads the board and the log, and nothing
/// that the probing loop writes.
class Web {
 public:
  struct Sources {
    const Board* board = nullptr;
    const RoundLog* log = nullptr;
    std::function<std::shared_ptr<const render::HopNames>()> names;
    std::function<bool()> ready;
    std::function<std::string(const render::FamilyFilter&)> own_metrics;  ///< the exporter's own families, as text
    std::function<void(const render::RenderOutcome&, Duration took)> scraped;
    std::uint64_t max_series = 0;
  };

  explicit Web(Sources sources) : sources_(std::move(sources)) {}

  /// Before the server starts. The server must not outlive this object.
  void add_routes(net::HttpServer& server);

 private:
  net::HttpResponse metrics(const net::HttpRequest& request);
  net::HttpResponse paths(const net::HttpRequest& request) const;
  net::HttpResponse page(const net::HttpRequest& request) const;
  [[nodiscard]] std::shared_ptr<const std::string> render(const render::FamilyFilter& filter) const;

  Sources sources_;
  std::mutex scrape_mutex_;
  std::shared_ptr<const std::string> scrape_;  ///< the newest whole scrape, shared by who comes at the same time
  std::chrono::steady_clock::time_point scrape_time_;
};

}  // namespace ecmp
