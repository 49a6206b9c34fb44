#include "render/json/timeline_json.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "render/append.hpp"
#include "render/json/json_writer.hpp"

namespace ecmp::render {
namespace {

constexpr std::size_t kPieceBytes = 32 * 1024;
constexpr int kTimes = -1;
constexpr int kFlow = -2;
constexpr std::array<std::string_view, 4> kCounts = {"flows", "probes", "losses", "silences"};
constexpr std::array<std::string_view, 3> kQuantiles = {"p5", "p50", "p95"};

void append_value(std::string& out, const TimelineCell& cell, int column) {
  switch (column) {
    case 0:
      return append_number(out, cell.flows);
    case 1:
      return append_number(out, cell.probes);
    case 2:
      return append_number(out, cell.losses);
    case 3:
      return append_number(out, cell.silences);
    default:
      break;
  }
  if (!cell.rtt) {
    out.append("null");
    return;
  }
  const RttQuantiles& rtt = *cell.rtt;
  append_number(out, (column == 4 ? rtt.p5 : column == 5 ? rtt.p50 : rtt.p95).count());
}

}  // namespace

void append_short_time(std::string& out, WallTime time) {
  append_time(out, time);
  constexpr std::string_view kWhole = ".000000000Z";
  if (out.ends_with(kWhole)) out.replace(out.size() - kWhole.size(), kWhole.size(), "Z");
}

void SeriesWriter::plan() {
  std::string text = R"({"destination":)";
  append_string(text, destination_);
  text.append(R"(,"step_ns":)");
  append_number(text, steps_.step.count());
  text.append(R"(,"times":[)");
  lists_.push_back({.before = std::exchange(text, {}), .after = R"(],"paths":[)", .column = kTimes});
  for (std::size_t path = 0; path < timeline_.paths.size(); ++path) {
    text = path > 0 ? R"(,{"path":)" : R"({"path":)";
    JsonWriter(text).path_id(timeline_.paths[path].id);
    int column = 0;
    for (const std::string_view name : kCounts) {
      text.append(",\"").append(name).append("\":[");
      lists_.push_back({.before = std::exchange(text, {}), .after = "]", .path = path, .column = column++});
    }
    text = R"(,"rtt_ns":{)";
    for (const std::string_view name : kQuantiles) {
      text.append("\"").append(name).append("\":[");
      lists_.push_back({.before = std::exchange(text, ","), .after = "]", .path = path, .column = column++});
    }
    text.clear();
    lists_.back().after = "]}}";
  }
  lists_.back().after += "]";
  if (flows_) {
    lists_.back().after += R"(,"flow_paths":{)";
    bool first = true;
    for (const auto& [port, moves] : timeline_.flows) {
      text = std::exchange(first, false) ? "\"" : ",\"";
      append_number(text, port);
      text.append("\":[");
      lists_.push_back({.before = std::exchange(text, {}), .after = "]", .column = kFlow, .moves = &moves});
    }
    lists_.back().after += "}";
  }
  lists_.back().after += "}\n";
  planned_ = true;
}

void SeriesWriter::append_item(std::string& out, const List& list) {
  if (list.column == kTimes) {
    out.push_back('"');
    append_short_time(out, steps_.time(step_));
    out.push_back('"');
    return;
  }
  if (list.column == kFlow) {
    const Timeline::Moves& moves = *list.moves;
    JsonWriter json(out);
    cell_ < moves.size() && moves[cell_].first == step_ ? json.path_id(moves[cell_++].second) : json.null();
    return;
  }
  const auto& cells = timeline_.paths[list.path].cells;
  if (cell_ < cells.size() && cells[cell_].step == step_) return append_value(out, cells[cell_++], list.column);
  out.append("null");
}

bool SeriesWriter::next(std::string& out) {
  if (!planned_) plan();
  for (const std::size_t end = out.size() + kPieceBytes; list_ < lists_.size();) {
    const List& list = lists_[list_];
    if (step_ == 0) out.append(list.before);
    for (; step_ < steps_.count && out.size() < end; ++step_) {
      if (step_ > 0) out.push_back(',');
      append_item(out, list);
    }
    if (step_ < steps_.count) return true;
    out.append(list.after);
    ++list_;
    step_ = 0;
    cell_ = 0;
    if (out.size() >= end) break;
  }
  return list_ < lists_.size();
}

void sort_worst_first(std::vector<OverviewRow>& rows) {
  struct Rank {
    double newest = -1;
    double mean = -1;
  };
  const auto rank_of = [](const OverviewRow& row) {
    Rank rank;
    double sum = 0;
    std::size_t measured = 0;
    for (const auto& loss : row.loss) {
      if (!loss) continue;
      rank.newest = *loss;
      sum += *loss;
      ++measured;
    }
    if (measured > 0) rank.mean = sum / static_cast<double>(measured);
    return rank;
  };
  std::vector<std::pair<Rank, OverviewRow>> ranked;
  ranked.reserve(rows.size());
  for (OverviewRow& row : rows) {
    const Rank rank = rank_of(row);
    ranked.emplace_back(rank, std::move(row));
  }
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return std::tuple(-a.first.newest, -a.first.mean, std::string_view(a.second.facts->name)) <
           std::tuple(-b.first.newest, -b.first.mean, std::string_view(b.second.facts->name));
  });
  std::ranges::transform(ranked, rows.begin(), [](auto& one) { return std::move(one.second); });
}

void append_overview_head(std::string& out, const TimelineSteps& columns) {
  out.append(R"({"step_ns":)");
  append_number(out, columns.step.count());
  out.append(R"(,"times":[)");
  for (std::uint32_t i = 0; i < columns.count; ++i) {
    out.append(i > 0 ? ",\"" : "\"");
    append_short_time(out, columns.time(i));
    out.push_back('"');
  }
  out.append(R"(],"destinations":[)");
}

void append_overview_row(std::string& out, const OverviewRow& row, bool first) {
  if (!first) out.push_back(',');
  JsonWriter json(out);
  json.begin('{').key("name").text(row.facts->name).key("labels").begin('{');
  for (const auto& [name, value] : row.facts->labels) {
    json.text(name);
    out.push_back(':');
    json.text(value);
  }
  json.end('}').key("loss_ratio");
  json.list(row.loss, [&json](const auto& loss) { loss ? json.ratio(*loss) : json.null(); });
  json.end('}');
}

}  // namespace ecmp::render
