#include "agent/graph_answers.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "agent/paths_query.hpp"
#include "agent/topology_query.hpp"
#include "agent/version.hpp"
#include "render/diagram.hpp"
#include "render/event_json.hpp"
#include "render/topology.hpp"

namespace ecmp {
namespace {

using net::BodyStream;
using net::HttpRequest;
using net::HttpResponse;

/// Destinations told in full unless the request says how many.
constexpr std::size_t kFullByDefault = 100;
constexpr std::size_t kPieceBytes = 48 * 1024;
constexpr std::size_t kPageEvents = 64;

class TopologyStream : public BodyStream {
 public:
  TopologyStream(render::TopologyWriter writer, const RoundLog& log, NameSource names)
      : writer_(std::move(writer)), log_(log), names_(std::move(names)) {}

  Next next(std::string& out, Instant) override {
    const auto names = names_();
    const auto rounds = [this](const std::string& destination) { return log_.newest({.destination = destination}); };
    while (out.size() < kPieceBytes)
      if (!writer_.next(out, *names, rounds)) return Next::end;
    return Next::more;
  }

 private:
  render::TopologyWriter writer_;
  const RoundLog& log_;
  NameSource names_;
};

/// One graph after the other.
class DotStream : public BodyStream {
 public:
  DotStream(Snapshots snapshots, NameSource names) : snapshots_(std::move(snapshots)), names_(std::move(names)) {}

  Next next(std::string& out, Instant) override {
    const auto names = names_();
    while (next_ < snapshots_.size() && out.size() < kPieceBytes)
      render::append_diagram(out, render::DiagramForm::dot, *snapshots_[next_++], *names);
    return next_ < snapshots_.size() ? Next::more : Next::end;
  }

 private:
  Snapshots snapshots_;
  NameSource names_;
  std::size_t next_ = 0;
};

class EventStream : public BodyStream {
 public:
  EventStream(const EventLog& log, NameSource names, PathsQuery query)
      : log_(log),
        names_(std::move(names)),
        query_(std::move(query)),
        left_(query_.limit.value_or(std::numeric_limits<std::size_t>::max())),
        end_(query_.follow ? std::numeric_limits<std::uint64_t>::max() : log_.end()) {
    // Whoever asks for ten events wants the newest ones, told from the oldest of them on.
    if (query_.limit && !query_.follow) next_ = log_.start_of_last(query_.filter, *query_.limit);
  }

  Next next(std::string& out, Instant deadline) override {
    if (left_ == 0 || next_ >= end_) return Next::end;
    if (next_ >= log_.end()) log_.wait(next_, deadline);
    const EventLog::Page page = log_.read(query_.filter, next_, std::min(kPageEvents, left_));
    next_ = page.next;
    const auto names = names_();
    for (const auto& [number, event] : page.events) {
      if (number >= end_) return Next::end;
      render::append_event(out, *event, number, *names);
      --left_;
    }
    if (left_ == 0 || next_ >= end_) return Next::end;
    return next_ < log_.end() ? Next::more : Next::idle;
  }

 private:
  const EventLog& log_;
  NameSource names_;
  PathsQuery query_;
  std::size_t left_;
  std::uint64_t next_ = 0;
  std::uint64_t end_;  ///< number of the first event that is not told any more
};

}  // namespace

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

bool is_traced(const Board& board, std::string_view destination) {
  const auto snapshots = board.get();
  return std::ranges::any_of(*snapshots, [&](const auto& snapshot) { return snapshot->facts->name == destination; });
}

HttpResponse unknown_destination() {
  return HttpResponse::text(400, "parameter destination: no such destination is configured");
}

HttpResponse answer_topology(const HttpRequest& request, const Board& board, const RoundLog& log,
                             const NameSource& names, const std::shared_ptr<const LocalisationReport>& localisation) {
  const auto query = parse_topology_query(request.query);
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const auto snapshots = board.get();
  Snapshots told;
  if (query->destinations.empty()) {
    told = *snapshots;
  } else {
    std::size_t found = 0;
    for (const auto& snapshot : *snapshots) {
      if (std::ranges::find(query->destinations, snapshot->facts->name) == query->destinations.end()) continue;
      told.push_back(snapshot);
      ++found;
    }
    if (found < query->destinations.size()) return unknown_destination();
  }
  const bool summary = query->detail == render::TopologyWriter::Detail::summary;
  const std::size_t limit =
      query->limit.value_or(summary || !query->destinations.empty() ? told.size() : kFullByDefault);
  render::TopologyWriter::Options options{
      .detail = query->detail, .time = wall_now(), .version = std::string(version()), .localisation = localisation};
  if (told.size() > limit) {
    options.left_out = told.size() - limit;
    told.resize(limit);
  }
  HttpResponse response;
  response.headers.emplace_back("Cache-Control", "no-store");
  if (query->dot) {
    response.content_type = "text/vnd.graphviz; charset=utf-8";
    response.stream = std::make_unique<DotStream>(std::move(told), names);
    return response;
  }
  response.content_type = "application/json";
  response.stream =
      std::make_unique<TopologyStream>(render::TopologyWriter(std::move(told), std::move(options)), log, names);
  return response;
}

HttpResponse answer_events(const HttpRequest& request, const Board& board, const EventLog& events,
                           const NameSource& names) {
  const auto query = parse_paths_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  if (const auto& wanted = query->filter.destination; wanted && !is_traced(board, *wanted))
    return unknown_destination();
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::make_unique<EventStream>(events, names, *query);
  return response;
}

}  // namespace ecmp
