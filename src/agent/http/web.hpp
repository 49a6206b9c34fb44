#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/history/event_log.hpp"
#include "agent/history/history_store.hpp"
#include "agent/history/rollup_log.hpp"
#include "agent/history/round_log.hpp"
#include "agent/http/scrape_stream.hpp"
#include "agent/http/series_answers.hpp"
#include "agent/http/series_settings.hpp"
#include "agent/tracing/board.hpp"
#include "net/http/fair_places.hpp"
#include "net/http/http_message.hpp"
#include "net/http/http_server.hpp"
#include "path/localisation/link_verdict.hpp"
#include "render/hop_names.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {

/// The answers of the exporter's HTTP server. Called by many threads at once; reads the board and the log, and nothing
/// that the probing loop writes.
class Web {
 public:
  struct Sources {
    const Board* board = nullptr;
    const RoundLog* log = nullptr;
    const EventLog* events = nullptr;
    const RollupLog* rollups = nullptr;
    HistoryStore* store = nullptr;     ///< null: nothing is on disk
    std::function<Duration()> window;  ///< of loss, RTT and jitter
    std::function<std::shared_ptr<const render::HopNames>()> names;
    std::function<std::shared_ptr<const LocalisationReport>()> localisation;
    std::function<bool()> ready;
    std::function<Duration()> since_turn;  ///< how long the turn of the probing loop takes that is under way
    /// Appends the exporter's own families, and what ends a scrape.
    std::function<void(std::string& out, render::Format, const render::FamilyFilter&)> own_metrics;
    std::function<void(const render::RenderOutcome&, Duration took)> scraped;
    const SeriesSettings* series = nullptr;
  };

  explicit Web(Sources sources) : sources_(std::move(sources)) {}

  /// How many of its connections one client may follow by while places are short; 0: any.
  void set_share(std::size_t share) { followers_->set_share(share); }

  /// What was refused for being too many at once, since the start, and what had to give way to others.
  [[nodiscard]] std::uint64_t refused_scrapes() const { return scrapes_->refused(); }
  [[nodiscard]] std::uint64_t refused_followers() const { return followers_->refused(); }
  [[nodiscard]] std::uint64_t evicted() const { return scrapes_->evicted() + followers_->evicted(); }

  /// Before the server starts. The server must not outlive this object.
  void add_routes(net::HttpServer& server);

 private:
  net::HttpResponse metrics(const net::HttpRequest& request);
  [[nodiscard]] net::HttpResponse healthy() const;
  net::HttpResponse paths(const net::HttpRequest& request) const;
  /// An answer about the past, while there is a place for it: it takes more than others do.
  net::HttpResponse past(const net::HttpRequest& request, const std::function<net::HttpResponse()>& answer) const;
  /// The same answer, unless it would be one more that goes on for ever.
  [[nodiscard]] net::HttpResponse unless_too_many_follow(const net::HttpRequest& request,
                                                         net::HttpResponse answer) const;

  Sources sources_;
  PastSources past_sources_;  ///< once there are routes
  std::shared_ptr<net::FairPlaces> scrapes_ = std::make_shared<net::FairPlaces>(ScrapeStream::kMostAtOnce);
  /// Fewer than the server has connections: however many follow and do not read, there is room for scrapes.
  static constexpr std::size_t kMostFollowers = 100;
  /// Two read the past per processor of a small machine, and the others wait for them.
  static constexpr std::size_t kMostOfPast = 4;
  std::shared_ptr<net::FairPlaces> past_ = std::make_shared<net::FairPlaces>(kMostOfPast);
  std::shared_ptr<net::FairPlaces> followers_ = std::make_shared<net::FairPlaces>(kMostFollowers);
};

}  // namespace ecmp
