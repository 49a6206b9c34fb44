#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/http/series_settings.hpp"
#include "agent/one_off/one_off_desk.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "net/http/http_message.hpp"
#include "net/http/http_server.hpp"
#include "path/model/snapshot.hpp"
#include "render/hop_names.hpp"
#include "render/metrics/metric_table.hpp"

namespace ecmp {

/// What GET /probe was asked.
struct ProbeQuery {
  std::size_t module = 0;  ///< its place in the configuration
  std::string host;
  std::optional<IpAddress> address;
  bool debug = false;
};

/// The parameters of GET /probe; the error is one line that says which one is wrong and why.
Result<ProbeQuery> parse_probe_query(const std::vector<std::pair<std::string, std::string>>& parameters,
                                     const std::vector<config::Module>& modules);

/// Whether a trace reached its destination. Nothing where that was not found out, since the destination limits its
/// answers and has spent them on others; one answer is enough to say that it is there. Null, no trace, is false.
std::optional<bool> trace_reached(const DestinationSnapshot* snapshot);

/// How long a trace may take: what the scraper waits, less the way of the answer, and at most five minutes.
Result<Duration> probe_time(std::optional<Duration> scrape_timeout, const config::OneOffLimits& settings);

/// The families that only answers of GET /probe have.
std::span<const render::MetricRow> probe_metrics();

/// GET /probe. Called by many threads at once; hands the work to the probing loop, over the desk, and waits.
class ProbeAnswers {
 public:
  struct Sources {
    OneOffDesk* desk = nullptr;
    std::function<void()> wake;  ///< the probing loop, which may be asleep
    std::function<std::shared_ptr<const render::HopNames>()> names;
    const SeriesSettings* series = nullptr;
  };

  ProbeAnswers(std::vector<config::Module> modules, config::OneOffLimits settings, Sources sources)
      : modules_(std::move(modules)), settings_(std::move(settings)), sources_(std::move(sources)) {}

  /// Before the server starts, which must not outlive this object.
  void add_routes(net::HttpServer& server);

  net::HttpResponse answer(const net::HttpRequest& request) const;

 private:
  [[nodiscard]] net::HttpResponse refused(OneOffRefusal refusal, std::string_view problem) const;
  [[nodiscard]] net::HttpResponse reported(const net::HttpRequest& request, const ProbeQuery& query,
                                           const OneOffResult& result, Duration took) const;

  std::vector<config::Module> modules_;
  config::OneOffLimits settings_;
  Sources sources_;
};

}  // namespace ecmp
