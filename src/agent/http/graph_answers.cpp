#include "agent/http/graph_answers.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "agent/history/history_reader.hpp"
#include "agent/http/past_topology.hpp"
#include "agent/http/paths_query.hpp"
#include "agent/http/topology_query.hpp"
#include "agent/version.hpp"
#include "render/fan/diagram.hpp"
#include "render/json/event_json.hpp"
#include "render/json/topology.hpp"

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
  TopologyStream(render::TopologyWriter writer, render::TopologyWriter::NewestRounds rounds, NameSource names)
      : writer_(std::move(writer)), rounds_(std::move(rounds)), names_(std::move(names)) {}

  Next next(std::string& out, Instant) override {
    const auto names = names_();
    while (out.size() < kPieceBytes)
      if (!writer_.next(out, *names, rounds_)) return Next::end;
    return Next::more;
  }

 private:
  render::TopologyWriter writer_;
  render::TopologyWriter::NewestRounds rounds_;
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

/// The events that a query asks for. Those before the ones in memory are read from the disk, if a `since` asks for
/// them.
class EventStream : public BodyStream {
 public:
  EventStream(const EventLog& log, HistoryStore* store, NameSource names, PathsQuery query)
      : log_(log),
        disk_(store, query.filter),
        counting_(store, query.filter),
        names_(std::move(names)),
        query_(std::move(query)),
        left_(query_.limit.value_or(std::numeric_limits<std::size_t>::max())),
        next_(query_.filter.since ? 0 : log_.first()),
        end_(query_.follow ? std::numeric_limits<std::uint64_t>::max() : log_.end()) {
    if (!query_.limit || query_.follow) return;
    // Whoever asks for ten events wants the newest ones, told from the oldest of them on.
    const EventLog::Start start = log_.start_of_last(query_.filter, *query_.limit);
    missing_ = start.missing;
    if (missing_ == 0 || !disk_.any()) next_ = start.number;
    count_ = missing_ > 0 && disk_.any() && next_ < log_.first();
  }

  Next next(std::string& out, Instant deadline) override {
    if (left_ == 0 || next_ >= end_) return Next::end;
    if (count_) return count(deadline);
    const auto names = names_();
    if (disk_.any() && (disk_.has_more() || next_ < log_.first())) return next_of_disk(out, deadline, *names);
    if (next_ >= log_.end()) log_.wait(next_, deadline);
    const EventLog::Page page = log_.read(query_.filter, next_, std::min(kPageEvents, left_));
    if (disk_.any() && page.from > next_) return Next::more;  // forgotten just now: the disk has it
    next_ = page.next;
    for (const auto& [number, event] : page.events) {
      if (number >= end_) return Next::end;
      append(out, *event, number, *names);
    }
    if (left_ == 0 || next_ >= end_) return Next::end;
    return next_ < log_.end() ? Next::more : Next::idle;
  }

 private:
  void append(std::string& out, const PathEvent& event, std::uint64_t number, const render::HopNames& names) {
    if (skip_ > 0) {
      --skip_;
      return;
    }
    render::append_event(out, event, number, names);
    --left_;
  }

  Next next_of_disk(std::string& out, Instant deadline, const render::HopNames& names) {
    const bool any = disk_.read(next_, std::min(log_.first(), end_), std::min(kPageEvents, left_), deadline,
                                [&](const StoredEvent& event) { append(out, *event.event, event.number, names); });
    if (left_ == 0 || next_ >= end_) return Next::end;
    return any ? Next::more : Next::idle;
  }

  /// How many there are on disk, to tell the newest of them.
  Next count(Instant deadline) {
    const std::uint64_t below = std::min(log_.first(), end_);
    const bool any = counting_.read(counted_, below, kPageEvents, deadline, [&](const StoredEvent&) { ++skip_; });
    if (counted_ < below || counting_.has_more()) return any ? Next::more : Next::idle;
    count_ = false;
    skip_ -= std::min(skip_, missing_);
    return Next::more;
  }

  const EventLog& log_;
  HistoryReader<StoredEvent> disk_;
  HistoryReader<StoredEvent> counting_;
  NameSource names_;
  PathsQuery query_;
  std::size_t left_;
  std::uint64_t next_;
  std::uint64_t end_;  ///< number of the first event that is not told any more
  bool count_ = false;
  std::uint64_t counted_ = 0;
  std::size_t missing_ = 0;  ///< of the limit, in memory
  std::size_t skip_ = 0;     ///< matching events that are before those told
};

HttpResponse graphs(bool dot, Snapshots snapshots, render::TopologyWriter::Options options,
                    render::TopologyWriter::NewestRounds rounds, const NameSource& names) {
  HttpResponse response;
  response.headers.emplace_back("Cache-Control", "no-store");
  if (dot) {
    response.content_type = "text/vnd.graphviz; charset=utf-8";
    response.stream = std::make_unique<DotStream>(std::move(snapshots), names);
    return response;
  }
  response.content_type = "application/json";
  response.stream = std::make_unique<TopologyStream>(render::TopologyWriter(std::move(snapshots), std::move(options)),
                                                     std::move(rounds), names);
  return response;
}

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
  const auto query = parse_topology_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const auto snapshots = board.figures();
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
  const auto rounds = [&log](const std::string& destination) {
    return log.newest({.destination = destination}, {}, std::numeric_limits<std::uint64_t>::max()).records;
  };
  return graphs(query->dot, std::move(told), std::move(options), rounds, names);
}

HttpResponse answer_past_topology(const HttpRequest& request, const PastSources& sources, const NameSource& names,
                                  Duration window) {
  const auto query = parse_topology_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const auto snapshots = sources.board->get();
  const auto now = std::ranges::find_if(
      *snapshots, [&](const auto& one) { return one->facts->name == query->destinations.front(); });
  if (now == snapshots->end()) return unknown_destination();
  AnswerCharge charge(sources.budget);
  auto fan = past_fan(sources, *(*now)->facts, *query->at, window, charge);
  if (!fan) return no_answer_memory();
  if (fan->snapshot == nullptr) return HttpResponse::text(404, "no rounds of that moment are kept");
  // The charge is given back with the rounds.
  const auto rounds = [kept = std::make_shared<std::pair<AnswerCharge, PastFan>>(std::move(charge), *fan)](
                          const std::string&) { return kept->second.newest; };
  render::TopologyWriter::Options options{
      .detail = query->detail, .time = *query->at, .version = std::string(version())};
  return graphs(query->dot, {fan->snapshot}, std::move(options), rounds, names);
}

HttpResponse answer_events(const HttpRequest& request, const Board& board, const EventLog& events, HistoryStore* store,
                           const NameSource& names) {
  const auto query = parse_paths_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  if (const auto& wanted = query->filter.destination; wanted && !is_traced(board, *wanted))
    return unknown_destination();
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::make_unique<EventStream>(events, store, names, *query);
  return response;
}

}  // namespace ecmp
