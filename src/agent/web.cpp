#include "agent/web.hpp"

#include <algorithm>
#include <limits>

#include "agent/graph_answers.hpp"
#include "agent/page_routes.hpp"
#include "agent/paths_query.hpp"
#include "render/accept.hpp"
#include "render/ndjson.hpp"

namespace ecmp {
namespace {

using net::BodyStream;
using net::HttpRequest;
using net::HttpResponse;
using SteadyClock = std::chrono::steady_clock;

/// Two scrapes within this time get the same body: a pair of Prometheus servers costs no more than one.
constexpr auto kShareScrape = std::chrono::milliseconds(250);

constexpr std::size_t kPageRounds = 64;

/// The rounds that a query asks for, line by line.
class RoundStream : public BodyStream {
 public:
  using Names = std::function<std::shared_ptr<const render::HopNames>()>;

  RoundStream(const RoundLog& log, Names names, PathsQuery query)
      : log_(log),
        names_(std::move(names)),
        query_(std::move(query)),
        left_(query_.limit.value_or(std::numeric_limits<std::size_t>::max())),
        // Without `follow` it ends where the log does now: rounds that come while it is read do not make it endless.
        end_(query_.follow ? std::numeric_limits<std::uint64_t>::max() : log_.end()) {
    if (query_.filter.since) return;
    // From here on `follow` goes on: first the mark, then the newest rounds, so that none falls in between.
    next_ = log_.end();
    newest_ = log_.newest(query_.filter);
  }

  Next next(std::string& out, Instant deadline) override {
    if (left_ == 0) return Next::end;
    const auto names = names_();
    if (newest_next_ < newest_.size()) {
      const std::size_t count = std::min({kPageRounds, newest_.size() - newest_next_, left_});
      for (std::size_t i = 0; i < count; ++i)
        append(out, *newest_[newest_next_++], *names);
      return newest_next_ < newest_.size() || query_.follow ? Next::more : Next::end;
    }
    if (!query_.follow && !query_.filter.since) return Next::end;
    if (next_ >= end_) return Next::end;
    if (next_ >= log_.end()) log_.wait(next_, deadline);
    const History::Page page = log_.read(query_.filter, next_, std::min(kPageRounds, left_));
    next_ = page.next;
    for (const auto& record : page.records)
      append(out, *record, *names);
    if (next_ >= end_) return Next::end;
    return next_ < log_.end() ? Next::more : Next::idle;
  }

 private:
  void append(std::string& out, const RoundRecord& record, const render::HopNames& names) {
    render::append_round(out, record, names);
    --left_;
  }

  const RoundLog& log_;
  Names names_;
  PathsQuery query_;
  std::size_t left_ = 0;
  std::vector<History::Record> newest_;
  std::size_t newest_next_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;  ///< sequence number of the first round that is not told any more
};

}  // namespace

void Web::add_routes(net::HttpServer& server) {
  add_page_routes(server, *sources_.board);
  server.route("GET", "/metrics", [this](const HttpRequest& request) { return metrics(request); });
  server.route("GET", "/paths", [this](const HttpRequest& request) { return paths(request); });
  server.route("GET", "/topology", [this](const HttpRequest& request) {
    return answer_topology(request, *sources_.board, *sources_.log, sources_.names);
  });
  server.route("GET", "/events", [this](const HttpRequest& request) {
    return answer_events(request, *sources_.board, *sources_.events, sources_.names);
  });
  server.route("GET", "/-/healthy", [](const HttpRequest&) { return HttpResponse::text(200, "healthy"); });
  server.route("GET", "/-/ready", [this](const HttpRequest&) {
    return sources_.ready() ? HttpResponse::text(200, "ready")
                            : HttpResponse::text(503, "not ready: the first rounds are not over");
  });
}

std::shared_ptr<std::string> SpareBody::take(const std::shared_ptr<SpareBody>& spare) {
  std::unique_ptr<std::string> body;
  {
    const std::lock_guard lock(spare->mutex_);
    body = std::move(spare->body_);
  }
  if (body == nullptr) body = std::make_unique<std::string>();
  return {body.release(), [spare](std::string* read) {
            std::unique_ptr<std::string> owned(read);
            owned->clear();
            const std::lock_guard lock(spare->mutex_);
            spare->body_.swap(owned);
          }};
}

void Web::render(std::string& body, render::Format format, const render::FamilyFilter& filter) const {
  const auto start = SteadyClock::now();
  const auto snapshots = sources_.board->get();
  const auto outcome = render::append_exposition(
      body, *snapshots, *sources_.names(),
      {.format = format, .families = filter, .max_series = sources_.max_series, .histograms = sources_.histograms});
  sources_.scraped(outcome, SteadyClock::now() - start);
  sources_.own_metrics(body, format, filter);
}

HttpResponse Web::metrics(const HttpRequest& request) {
  render::FamilyFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name != "name[]") return HttpResponse::text(400, "parameter \"" + name + "\" is unknown: name[] is there");
    filter.insert(value);
  }
  const auto [format, content_type] = render::negotiate_format(request.accept);
  HttpResponse response;
  response.content_type = content_type;
  if (!filter.empty()) {
    render(response.body, format, filter);
    return response;
  }
  // Who comes while another scrape is rendered waits for it and takes its body.
  Scrape& scrape = scrapes_.at(static_cast<std::size_t>(format));
  const std::lock_guard lock(scrape.mutex);
  if (scrape.body == nullptr || SteadyClock::now() - scrape.time > kShareScrape) {
    scrape.body.reset();  // so that its memory can be used again
    auto body = SpareBody::take(scrape.spare);
    render(*body, format, filter);
    scrape.body = std::move(body);
    scrape.time = SteadyClock::now();
  }
  response.shared_body = scrape.body;
  return response;
}

HttpResponse Web::paths(const HttpRequest& request) const {
  const auto query = parse_paths_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  if (const auto& wanted = query->filter.destination; wanted && !is_traced(*sources_.board, *wanted))
    return unknown_destination();
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::make_unique<RoundStream>(*sources_.log, sources_.names, *query);
  return response;
}

}  // namespace ecmp
