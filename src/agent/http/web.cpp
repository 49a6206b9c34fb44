#include "agent/http/web.hpp"

#include <algorithm>
#include <limits>

#include "agent/history/history_reader.hpp"
#include "agent/http/graph_answers.hpp"
#include "agent/http/page_routes.hpp"
#include "agent/http/paths_query.hpp"
#include "render/json/ndjson.hpp"
#include "render/metrics/accept.hpp"

namespace ecmp {
namespace {

using net::BodyStream;
using net::HttpRequest;
using net::HttpResponse;

constexpr std::size_t kPageRounds = 64;
/// A probing loop that has not turned for so long does not do its work: a turn takes a tenth of a second at most.
constexpr Duration kLongestTurn = std::chrono::seconds(10);
/// For a place among scrapes or followers. A scrape takes less; a reader that stalls loses its place in this time.
constexpr Duration kForPlace = std::chrono::milliseconds(1500);

/// Null: there was none in time.
net::FairPlaces::Token take_place(const std::shared_ptr<net::FairPlaces>& places, const HttpRequest& request) {
  return net::FairPlaces::take(places, {net::client_of(request.remote_address), request.place},
                               net::monotonic_now() + kForPlace);
}

HttpResponse later(std::string_view line) {
  HttpResponse response = HttpResponse::text(503, line);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

/// The rounds that a query asks for, line by line: from the disk what memory does not have, then from there.
class RoundStream : public BodyStream {
 public:
  using Names = std::function<std::shared_ptr<const render::HopNames>()>;

  RoundStream(const RoundLog& log, HistoryStore* store, Names names, PathsQuery query)
      : log_(log),
        disk_(store, query.filter),
        names_(std::move(names)),
        query_(std::move(query)),
        left_(query_.limit.value_or(std::numeric_limits<std::size_t>::max())),
        // Without `follow` it ends where the log does now: rounds that come while it is read do not make it endless.
        end_(query_.follow ? std::numeric_limits<std::uint64_t>::max() : log_.end()) {
    if (query_.filter.since) return;
    // From here on `follow` goes on: newest rounds come from before the mark, so that none comes twice.
    next_ = log_.end();
    if (query_.follow) before_ = next_;
    newest_.more = true;
  }

  Next next(std::string& out, Instant deadline) override {
    if (left_ == 0) return Next::end;
    const auto names = names_();
    if (newest_next_ < newest_.records.size() || newest_.more) {
      if (newest_next_ == newest_.records.size()) {
        newest_ = log_.newest(query_.filter, newest_.after, before_);
        newest_next_ = 0;
      }
      const std::size_t count = std::min({kPageRounds, newest_.records.size() - newest_next_, left_});
      for (std::size_t i = 0; i < count; ++i)
        append(out, *newest_.records[newest_next_++], *names);
      return newest_next_ < newest_.records.size() || newest_.more || query_.follow ? Next::more : Next::end;
    }
    if (!query_.follow && !query_.filter.since) return Next::end;
    if (next_ >= end_) return Next::end;
    if (disk_.any() && (disk_.has_more() || next_ < log_.first())) return next_of_disk(out, deadline, *names);
    if (next_ >= log_.end()) log_.wait(next_, deadline);
    const History::Page page = log_.read(query_.filter, next_, std::min(kPageRounds, left_));
    if (disk_.any() && page.from > next_) return Next::more;  // forgotten just now: the disk has it
    next_ = page.next;
    for (const auto& record : page.records)
      append(out, *record, *names);
    if (next_ >= end_) return Next::end;
    return next_ < log_.end() ? Next::more : Next::idle;
  }

 private:
  Next next_of_disk(std::string& out, Instant deadline, const render::HopNames& names) {
    const bool any = disk_.read(next_, std::min(log_.first(), end_), std::min(kPageRounds, left_), deadline,
                                [&](const StoredRound& round) { append(out, *round.record, names); });
    if (left_ == 0 || next_ >= end_) return Next::end;
    return any ? Next::more : Next::idle;
  }

  void append(std::string& out, const RoundRecord& record, const render::HopNames& names) {
    render::append_round(out, record, names);
    --left_;
  }

  const RoundLog& log_;
  HistoryReader<StoredRound> disk_;
  Names names_;
  PathsQuery query_;
  std::size_t left_ = 0;
  History::NewestPage newest_;   ///< the page that is told
  std::size_t newest_next_ = 0;  ///< of its rounds
  std::uint64_t before_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;  ///< sequence number of the first round that is not told any more
};

/// A stream that takes up a place for as long as it is read.
class SlottedStream : public BodyStream {
 public:
  SlottedStream(std::unique_ptr<BodyStream> stream, std::shared_ptr<const void> slot)
      : slot_(std::move(slot)), stream_(std::move(stream)) {}
  Next next(std::string& out, Instant deadline) override { return stream_->next(out, deadline); }

 private:
  std::shared_ptr<const void> slot_;
  std::unique_ptr<BodyStream> stream_;
};

}  // namespace

void Web::add_routes(net::HttpServer& server) {
  add_page_routes(server, *sources_.board);
  server.route("GET", "/metrics", [this](const HttpRequest& request) { return metrics(request); });
  server.route("GET", "/paths",
               [this](const HttpRequest& request) { return unless_too_many_follow(request, paths(request)); });
  past_sources_ = {.board = sources_.board,
                   .log = sources_.log,
                   .rollups = sources_.rollups,
                   .store = sources_.store,
                   .budget = server.shared_budget()};
  server.route("GET", "/series", [this](const HttpRequest& request) {
    return past(request, [&] { return answer_series(request, past_sources_); });
  });
  server.route("GET", "/overview", [this](const HttpRequest& request) {
    return past(request, [&] { return answer_overview(request, past_sources_); });
  });
  server.route("GET", "/topology", [this](const HttpRequest& request) {
    if (request.parameter("at")) {
      return past(request,
                  [&] { return answer_past_topology(request, past_sources_, sources_.names, sources_.window()); });
    }
    return answer_topology(request, *sources_.board, *sources_.log, sources_.names, sources_.localisation());
  });
  server.route("GET", "/events", [this](const HttpRequest& request) {
    return unless_too_many_follow(
        request, answer_events(request, *sources_.board, *sources_.events, sources_.store, sources_.names));
  });
  server.reserve("/-/healthy");
  server.reserve("/-/ready");
  server.route("GET", "/-/healthy", [this](const HttpRequest&) { return healthy(); });
  server.route("GET", "/-/ready", [this](const HttpRequest&) {
    return sources_.ready() ? HttpResponse::text(200, "ready")
                            : HttpResponse::text(503, "not ready: the first rounds are not over");
  });
}

HttpResponse Web::healthy() const {
  const Duration still = sources_.since_turn();
  if (still < kLongestTurn) return HttpResponse::text(200, "healthy");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(still).count();
  return HttpResponse::text(503, "the probing loop has stood still for " + std::to_string(seconds) + " s");
}

HttpResponse Web::metrics(const HttpRequest& request) {
  render::FamilyFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name != "name[]") return HttpResponse::text(400, "parameter \"" + name + "\" is unknown: name[] is there");
    filter.insert(value);
  }
  const auto [format, content_type] = render::negotiate_format(request.accept);
  auto slot = take_place(scrapes_, request);
  if (slot == nullptr) return later("too many scrapes at once");
  const auto finish = [this, format, filter](std::string& out, const render::RenderOutcome& outcome, Duration took) {
    sources_.scraped(outcome, took);
    sources_.own_metrics(out, format, filter);
  };
  auto stream = std::make_unique<ScrapeStream>(sources_.board->figures(), *sources_.names(),
                                               sources_.series->options(format, filter), std::move(slot), finish);
  HttpResponse response;
  response.content_type = content_type;
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  response.stream = std::move(stream);
  return response;
}

HttpResponse Web::past(const HttpRequest& request, const std::function<HttpResponse()>& answer) const {
  auto slot = take_place(past_, request);
  if (slot == nullptr) return later("too many read the past at once");
  HttpResponse response = answer();
  if (response.stream != nullptr)
    response.stream = std::make_unique<SlottedStream>(std::move(response.stream), std::move(slot));
  return response;
}

HttpResponse Web::unless_too_many_follow(const HttpRequest& request, HttpResponse answer) const {
  if (answer.stream == nullptr || request.parameter("follow").value_or("false") != "true") return answer;
  auto slot = take_place(followers_, request);
  if (slot == nullptr) return later("too many follow already");
  answer.stream = std::make_unique<SlottedStream>(std::move(answer.stream), std::move(slot));
  return answer;
}

HttpResponse Web::paths(const HttpRequest& request) const {
  const auto query = parse_paths_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  if (const auto& wanted = query->filter.destination; wanted && !is_traced(*sources_.board, *wanted))
    return unknown_destination();
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = std::make_unique<RoundStream>(*sources_.log, sources_.store, sources_.names, *query);
  return response;
}

}  // namespace ecmp
