#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "agent/board.hpp"
#include "agent/event_log.hpp"
#include "agent/round_log.hpp"
#include "net/http_message.hpp"
#include "net/http_server.hpp"
#include "render/exposition.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Memory of a scrape that nobody reads any more, for the next one: to get hundreds of megabytes of fresh memory from
/// the kernel takes as long as to fill them.
class SpareBody {
 public:
  /// An empty string, which comes back to `spare` when its last reader lets go of it.
  static std::shared_ptr<std::string> take(const std::shared_ptr<SpareBody>& spare);

 private:
  std::mutex mutex_;
  std::unique_ptr<std::string> body_;
};

/// The answers of the exporter's HTTP server. Called by many threads at once; reads the board and the log, and nothing
/// that the probing loop writes.
class Web {
 public:
  struct Sources {
    const Board* board = nullptr;
    const RoundLog* log = nullptr;
    const EventLog* events = nullptr;
    std::function<std::shared_ptr<const render::HopNames>()> names;
    std::function<bool()> ready;
    /// Appends the exporter's own families, and what ends a scrape.
    std::function<void(std::string& out, render::Format, const render::FamilyFilter&)> own_metrics;
    std::function<void(const render::RenderOutcome&, Duration took)> scraped;
    std::uint64_t max_series = 0;
    render::HistogramOptions histograms;
  };

  explicit Web(Sources sources) : sources_(std::move(sources)) {}

  /// Before the server starts. The server must not outlive this object.
  void add_routes(net::HttpServer& server);

 private:
  net::HttpResponse metrics(const net::HttpRequest& request);
  net::HttpResponse paths(const net::HttpRequest& request) const;
  void render(std::string& body, render::Format format, const render::FamilyFilter& filter) const;

  /// The newest whole scrape in a format, shared by who comes at the same time.
  struct Scrape {
    std::mutex mutex;
    std::shared_ptr<const std::string> body;
    std::chrono::steady_clock::time_point time;
    std::shared_ptr<SpareBody> spare = std::make_shared<SpareBody>();
  };

  Sources sources_;
  std::array<Scrape, render::kFormats> scrapes_;
};

}  // namespace ecmp
