#include "agent/http/series_answers.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/http/graph_answers.hpp"
#include "agent/http/series_query.hpp"
#include "render/json/timeline_json.hpp"

namespace ecmp {
namespace {

using net::BodyStream;
using net::HttpRequest;
using net::HttpResponse;

constexpr std::size_t kPieceBytes = 48 * 1024;

class SeriesStream : public BodyStream {
 public:
  SeriesStream(render::SeriesWriter writer, AnswerCharge charge)
      : charge_(std::move(charge)), writer_(std::move(writer)) {}
  Next next(std::string& out, Instant) override { return writer_.next(out) ? Next::more : Next::end; }

 private:
  AnswerCharge charge_;
  render::SeriesWriter writer_;
};

class OverviewStream : public BodyStream {
 public:
  OverviewStream(std::vector<render::OverviewRow> rows, const TimelineSteps& columns, AnswerCharge charge)
      : charge_(std::move(charge)), rows_(std::move(rows)), columns_(columns) {}

  Next next(std::string& out, Instant) override {
    if (!std::exchange(begun_, true)) render::append_overview_head(out, columns_);
    for (; next_ < rows_.size() && out.size() < kPieceBytes; ++next_)
      render::append_overview_row(out, rows_[next_], next_ == 0);
    if (next_ < rows_.size()) return Next::more;
    out.append("]}\n");
    return Next::end;
  }

 private:
  AnswerCharge charge_;
  std::vector<render::OverviewRow> rows_;
  TimelineSteps columns_;
  bool begun_ = false;
  std::size_t next_ = 0;
};

std::shared_ptr<const DestinationFacts> facts_of(const Board& board, std::string_view destination) {
  const auto snapshots = board.get();
  const auto found = std::ranges::find_if(*snapshots, [&](const auto& one) { return one->facts->name == destination; });
  return found == snapshots->end() ? nullptr : (*found)->facts;
}

/// From when on the rounds in memory are all that there were: the oldest began then, and one that began before it may
/// have been added after it.
WallTime rounds_since(const RoundLog& log, Duration interval) {
  const std::uint64_t first = log.first();
  const History::Page page = log.read({}, first, 1);
  if (page.records.empty()) return WallTime::max();
  const RoundRecord& oldest = *page.records.front();
  // Where nothing was forgotten yet there is nothing before it.
  if (log.size().forgotten == 0) return oldest.wall(oldest.round.started);
  return oldest.wall(oldest.round.started) + interval;
}

/// The figures of one answer, from where they are.
class Gathering {
 public:
  Gathering(const PastSources& sources, const std::string& destination, const TimelineSteps& steps)
      : sources_(sources), destination_(destination), steps_(steps), builder_(steps), charge_(sources.budget) {}

  /// Of roll-ups before `rounds`, and of rounds from then on. False: there is no memory for it.
  bool gather(WallTime rounds) {
    // A step is made of one or the other.
    WallTime boundary = steps_.begin;
    if (rounds > boundary) boundary = rounds >= steps_.end() ? steps_.end() : next_step(rounds);
    const WallTime memory = std::min(sources_.rollups->first(destination_).value_or(boundary), boundary);
    if (!take_disk(memory)) return false;
    for (const Rollup& rollup : sources_.rollups->read(destination_, std::max(memory, steps_.begin), boundary))
      builder_.add(rollup);
    return charged() && take_rounds(boundary);
  }

  Timeline finish() { return builder_.finish(); }
  AnswerCharge take_charge() { return std::move(charge_); }

 private:
  /// Twice: what it is made into is as large, and is there before the other is gone.
  bool charged() { return charge_.grow_to(2 * builder_.bytes()); }

  [[nodiscard]] WallTime next_step(WallTime time) const {
    const auto index = steps_.index_of(time);
    return steps_.time(*index) == time ? time : steps_.time(*index + 1);
  }

  bool take_disk(WallTime end) {
    if (sources_.store == nullptr || end <= steps_.begin) return true;
    HistoryPlace place;
    const RoundFilter filter{.destination = destination_, .since = steps_.begin};
    for (bool done = false; !done;) {
      const auto step = sources_.store->read_rollups(place, filter, ~std::uint64_t{0});
      done = step.done || (!step.items.empty() && step.items.front().rollup.minute >= end);
      for (const StoredRollup& item : step.items)
        if (item.rollup.minute < end) builder_.add(item.rollup);
      if (!charged()) return false;
    }
    return true;
  }

  bool take_rounds(WallTime begin) {
    const std::uint64_t end = sources_.log->end();
    const RoundFilter filter{.destination = destination_, .since = begin};
    for (std::uint64_t next = sources_.log->first(); next < end;) {
      const History::Page page = sources_.log->read(filter, next, RoundLog::kPage);
      for (const auto& record : page.records)
        builder_.add(record);
      if (page.next == next || !charged()) return page.next == next;
      next = page.next;
    }
    return true;
  }

  const PastSources& sources_;
  const std::string& destination_;
  TimelineSteps steps_;
  TimelineBuilder builder_;
  AnswerCharge charge_;
};

HttpResponse json(std::unique_ptr<BodyStream> stream) {
  HttpResponse response;
  response.content_type = "application/json";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::move(stream);
  return response;
}

}  // namespace

bool AnswerCharge::grow_to(std::size_t bytes) {
  constexpr std::size_t kUnit = std::size_t{256} << 10;
  if (budget_ == nullptr || bytes <= charged_) return true;
  const std::size_t more = (bytes - charged_ + kUnit - 1) / kUnit * kUnit;
  auto token = net::ByteBudget::take(budget_, more);
  if (token == nullptr) return false;
  tokens_.push_back(std::move(token));
  charged_ += more;
  return true;
}

HttpResponse no_answer_memory() {
  HttpResponse response =
      HttpResponse::text(503, "the answers under way hold as much as web.answer_memory allows: ask for less");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse answer_series(const HttpRequest& request, const PastSources& sources) {
  const auto query = parse_series_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const auto facts = facts_of(*sources.board, query->destination);
  if (facts == nullptr) return unknown_destination();
  const WallTime rounds = rounds_since(*sources.log, facts->interval);
  const auto rolled = sources.rollups->first(query->destination);
  // The disk may have more than memory, which begins with a day of it.
  const bool older = (rolled && *rolled + kRollupStep <= rounds) ||
                     (sources.store != nullptr && query->from < wall_now() - std::chrono::hours(24));
  const bool beyond = query->from < rounds && older;
  const TimelineSteps steps = steps_of(*query, facts->interval, beyond ? kRollupStep : Duration{});
  Gathering gathering(sources, query->destination, steps);
  if (!gathering.gather(beyond ? rounds : steps.begin)) return no_answer_memory();
  render::SeriesWriter writer(query->destination, steps, gathering.finish(), query->flows);
  return json(std::make_unique<SeriesStream>(std::move(writer), gathering.take_charge()));
}

HttpResponse answer_overview(const HttpRequest& request, const PastSources& sources) {
  const auto query = parse_overview_query(request.query, wall_now());
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const TimelineSteps columns = columns_of(*query);
  AnswerCharge charge(sources.budget);
  std::vector<render::OverviewRow> rows;
  const auto snapshots = sources.board->get();
  for (const auto& snapshot : *snapshots) {
    const DestinationFacts& facts = *snapshot->facts;
    if (query->label && std::ranges::find(facts.labels, *query->label) == facts.labels.end()) continue;
    rows.push_back({.facts = snapshot->facts, .loss = sources.rollups->overview_of(facts.name, columns)});
    if (!charge.grow_to(rows.size() * (sizeof(render::OverviewRow) + columns.count * sizeof(std::optional<double>))))
      return no_answer_memory();
  }
  render::sort_worst_first(rows);
  return json(std::make_unique<OverviewStream>(std::move(rows), columns, std::move(charge)));
}

}  // namespace ecmp
