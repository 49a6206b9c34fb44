// GET /series, /overview and /topology?at= over HTTP, with rounds and roll-ups of the last hours.
#include "agent/http/series_answers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/http/graph_answers.hpp"
#include "agent/http/series_query.hpp"
#include "agent/log.hpp"
#include "catch.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/net/http_test_server.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using namespace ecmp::test;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1767225600s};  // 2026-01-01T00:00:00Z

/// Four flows over two branches, a round each ten seconds for the last half hour; path b1 loses from ten to five
/// minutes ago. Before that there are roll-ups.
class ServedPast {
 public:
  explicit ServedPast(std::uint64_t answer_memory = 1u << 26, std::unique_ptr<HistoryStore> store = nullptr)
      : store_(std::move(store)), end_(std::chrono::floor<std::chrono::minutes>(wall_now())) {
    DestinationFacts facts = *round_builder::facts(4);
    facts.name = "a";
    facts.labels = {{"site", "fra"}};
    facts_ = std::make_shared<const DestinationFacts>(facts);
    DestinationFacts other = facts;
    other.name = "calm";
    other.labels.clear();
    DestinationModel model(facts_, {});
    Instant last{};
    const WallTime begin = end_ - 30min;
    for (int number = 0; number < 180; ++number) {
      for (std::uint32_t flow = 0; flow < 4; ++flow) {
        const bool lost = flow % 2 == 0 && number >= 120 && number < 150;
        const std::string_view hops = flow % 2 == 0 ? (lost ? "a b1 c *" : "a b1 c D") : "a b2 c D";
        add(model, flow, round_builder::round(hops, 1000.0 + 10.0 * number + flow, 4), begin);
        last = round_builder::at(1002.0 + 10.0 * number + flow);
      }
    }
    auto snapshots = std::make_shared<Snapshots>();
    snapshots->push_back(std::make_shared<const DestinationSnapshot>(
        DestinationSnapshot{.facts = std::make_shared<const DestinationFacts>(other)}));
    snapshots->push_back(model.snapshot(last));
    board_.put(std::move(snapshots));
    server_->budget().set_limit(answer_memory);
    const PastSources sources{.board = &board_,
                              .log = &log_,
                              .rollups = &rollups_,
                              .store = store_.get(),
                              .budget = server_->shared_budget()};
    server_->route("GET", "/series", [sources](const auto& request) { return answer_series(request, sources); });
    server_->route("GET", "/overview", [sources](const auto& request) { return answer_overview(request, sources); });
    server_->route("GET", "/topology", [sources, this](const auto& request) {
      return answer_past_topology(request, sources, names_, 1min);
    });
    server_.start();
  }

  Answer get(const std::string& target) { return RawClient(server_.port()).get(target); }
  nlohmann::json json(const std::string& target) {
    const Answer answer = get(target);
    INFO(answer.body.substr(0, 300));
    REQUIRE(answer.status == 200);
    CHECK(answer.complete);
    return nlohmann::json::parse(answer.body);
  }
  std::string time(WallTime at) const {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(wall_now() - at).count()) + "s";
  }
  Rollup rollup(Duration before, std::uint32_t path, std::uint32_t losses) const {
    Rollup made;
    made.destination = std::make_shared<const std::string>("a");
    made.minute = end_ - before;
    made.path = path;
    made.flows = 2;
    made.probes = 12;
    made.losses = losses;
    made.rtt = {{rollup_bucket(9ms), 12 - losses}};
    return made;
  }
  WallTime end() const { return end_; }

  std::vector<std::uint32_t> paths;  ///< by flow
  RollupLog rollups_{1u << 20};

 private:
  void add(DestinationModel& model, std::uint32_t flow, Round round, WallTime begin) {
    for (HopResult& hop : round.hops)
      hop.rtt = std::chrono::milliseconds(hop.ttl);
    RoundRecord record;
    record.destination = facts_;
    record.flow_index = flow;
    record.source_port = static_cast<std::uint16_t>(50000 + flow);
    record.source = IpAddress::v4(0x0a000001);
    record.wall_offset = begin.time_since_epoch() - round_builder::at(1000.0).time_since_epoch();
    record.verdict = model.on_round(flow, round);
    record.round = std::move(round);
    paths.resize(4);
    paths[flow] = record.verdict.path;
    log_.add(std::make_shared<const RoundRecord>(std::move(record)));
  }

  std::unique_ptr<HistoryStore> store_;
  WallTime end_;
  std::shared_ptr<const DestinationFacts> facts_;
  Board board_;
  RoundLog log_{1u << 22};
  NameSource names_ = [] { return std::make_shared<render::NoNames>(); };
  TestServer server_;  // last: its threads use what stands above
};

std::string hex(std::uint32_t path) {
  std::string text(8, '0');
  for (std::size_t i = 0; i < 8; ++i)
    text[7 - i] = "0123456789abcdef"[path >> (4 * i) & 15u];
  return text;
}

const nlohmann::json& of_path(const nlohmann::json& series, std::uint32_t path) {
  const auto& paths = series.at("paths");
  const auto found = std::ranges::find_if(paths, [&](const auto& one) { return one.at("path") == hex(path); });
  REQUIRE(found != paths.end());
  return *found;
}

std::string error_of(const QueryParameters& parameters) {
  const auto query = parse_series_query(parameters, kNow);
  return query.ok() ? "" : query.error();
}

}  // namespace

TEST_CASE("a query for a series is understood, and what is wrong with it is said", "[agent][series]") {
  const auto query =
      parse_series_query({{"destination", "a"}, {"from", "2h"}, {"to", "2025-12-31T23:00:00Z"}, {"step", "30s"}}, kNow);
  REQUIRE(query.ok());
  CHECK(query->from == kNow - 2h);
  CHECK(query->to == kNow - 1h);
  CHECK(query->step == 30s);
  const auto plain = parse_series_query({{"destination", "a"}, {"flows", "true"}}, kNow);
  REQUIRE(plain.ok());
  CHECK(plain->from == kNow - 1h);
  CHECK(plain->to == kNow);
  CHECK(plain->flows);
  CHECK(steps_of(*plain, 10s, {}).step == 10s);
  CHECK(steps_of(*plain, 10s, {}).count == 360);
  CHECK(steps_of(*plain, 1s, {}).step == 4s);  // no more than a thousand
  CHECK(steps_of(*plain, 10s, kRollupStep).step == 1min);
  CHECK(error_of({}) == "parameter destination is missing");
  CHECK(error_of({{"destination", "a"}, {"destination", "b"}}) == "parameter \"destination\" is given twice");
  CHECK(error_of({{"destination", "a"}, {"steps", "1s"}}) ==
        "parameter \"steps\" is unknown: destination, from, to, step and flows are there");
  CHECK(error_of({{"destination", "a"}, {"step", "0s"}}).starts_with("parameter step=\"0s\": must be a duration"));
  CHECK(error_of({{"destination", "a"}, {"step", "90d"}}).empty());
  CHECK(error_of({{"destination", "a"}, {"step", "9223372036s"}}) ==
        "parameter step=\"9223372036s\": must be a duration such as 10s, 1ms to 90d");
  const auto last = parse_series_query(
      {{"destination", "a"}, {"from", "2261-12-31T00:00:00Z"}, {"to", "2261-12-31T23:59:59Z"}, {"step", "90d"}}, kNow);
  REQUIRE(last.ok());
  CHECK(steps_of(*last, 10s, kRollupStep).count == 1);
  CHECK(error_of({{"destination", "a"}, {"from", "1m"}, {"to", "5m"}}) == "parameter from: must be before to");
  CHECK(error_of({{"destination", "a"}, {"from", "3h"}, {"step", "1s"}}).empty());  // 10,800 steps
  CHECK(error_of({{"destination", "a"}, {"from", "11000s"}, {"step", "1s"}}) ==
        "parameter step: at most 11000 steps are answered");
  CHECK(error_of({{"destination", "a"}, {"flows", "yes"}}) == "parameter flows=\"yes\": must be true or false");
}

TEST_CASE("columns of an overview are whole minutes and no more than were asked for", "[agent][series]") {
  for (const char* const columns : {"1", "7", "288", "1000"}) {
    const auto query = parse_overview_query({{"from", "25h"}, {"columns", columns}}, kNow + 17s);
    REQUIRE(query.ok());
    const TimelineSteps steps = columns_of(*query);
    CHECK(steps.count <= query->columns);
    CHECK(steps.step % 1min == Duration{});
    CHECK(steps.begin <= query->from);
    CHECK(steps.end() >= query->to);
  }
  CHECK_FALSE(parse_overview_query({{"columns", "1001"}}, kNow).ok());
  CHECK_FALSE(parse_overview_query({{"columns", "0"}}, kNow).ok());
  CHECK_FALSE(parse_overview_query({{"label", "site"}}, kNow).ok());
}

TEST_CASE("/series tells each path step by step, and null where nothing was measured", "[agent][http][series]") {
  ServedPast served;
  const auto series = served.json("/series?destination=a&from=40m&step=1m&flows=true");
  CHECK(series.at("destination") == "a");
  CHECK(series.at("step_ns") == 60'000'000'000);
  const auto& times = series.at("times");
  REQUIRE(times.size() >= 41);
  CHECK(times.at(0).get<std::string>().size() == std::string_view("2026-01-01T00:00:00Z").size());
  REQUIRE(series.at("paths").size() == 2);
  const auto& lossy = of_path(series, served.paths[0]);
  const auto& clean = of_path(series, served.paths[1]);
  std::uint64_t probes = 0, losses = 0, gaps = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    CHECK(lossy.at("probes").at(i).is_null() == lossy.at("flows").at(i).is_null());
    if (lossy.at("probes").at(i).is_null()) {
      CHECK(lossy.at("rtt_ns").at("p50").at(i).is_null());
      ++gaps;
      continue;
    }
    CHECK(lossy.at("probes").at(i) == 12);
    CHECK(lossy.at("flows").at(i) == 2);
    probes += lossy.at("probes").at(i).get<std::uint64_t>();
    losses += lossy.at("losses").at(i).get<std::uint64_t>();
    CHECK(clean.at("losses").at(i) == 0);
    CHECK(clean.at("rtt_ns").at("p5").at(i) == 4'000'000);
    CHECK(lossy.at("rtt_ns").at("p95").at(i).is_null() == (lossy.at("losses").at(i) == 12));
  }
  CHECK(gaps == times.size() - 30);
  CHECK(probes == 360);
  CHECK(losses == 60);
  const auto& flows = series.at("flow_paths");
  REQUIRE(flows.size() == 4);
  CHECK(flows.at("50000").at(times.size() - 5) == hex(served.paths[0]));
  CHECK(flows.at("50003").at(times.size() - 5) == hex(served.paths[1]));
  CHECK_FALSE(served.json("/series?destination=a").contains("flow_paths"));
}

TEST_CASE("/series takes roll-ups where rounds do not reach, and then in whole minutes", "[agent][http][series]") {
  ServedPast served;
  for (int minute = 120; minute > 0; --minute)
    served.rollups_.add({served.rollup(std::chrono::minutes(minute), served.paths[0], minute == 60 ? 6 : 0)});
  const auto series = served.json("/series?destination=a&from=2h&step=10s");
  CHECK(series.at("step_ns") == 60'000'000'000);
  const auto& path = of_path(series, served.paths[0]);
  std::uint64_t probes = 0, losses = 0;
  for (const auto& count : path.at("probes"))
    if (!count.is_null()) probes += count.get<std::uint64_t>();
  for (const auto& count : path.at("losses"))
    if (!count.is_null()) losses += count.get<std::uint64_t>();
  const auto measured = std::ranges::count_if(path.at("probes"), [](const auto& one) { return !one.is_null(); });
  CHECK(probes == static_cast<std::uint64_t>(measured) * 12);  // no minute is counted twice
  CHECK(measured >= 119);
  CHECK(losses == 66);  // 60 of rounds, 6 of a roll-up
  const auto at_roll_up = path.at("rtt_ns").at("p50").at(10).get<double>();
  CHECK(at_roll_up == Approx(9e6).epsilon(0.016));
  // Within the reach of rounds the step is what was asked for.
  CHECK(served.json("/series?destination=a&from=20m&step=10s").at("step_ns") == 10'000'000'000);
}

TEST_CASE("/series takes roll-ups of the disk that a restart left", "[agent][http][series][history]") {
  log::configure(log::Level::error, log::Format::logfmt);
  const TemporaryDirectory directory;
  const auto open = [&] {
    auto store = HistoryStore::open({.directory = directory.path(), .retention = 1h, .max_size = 16u << 20});
    REQUIRE(store.ok());
    return std::move(*store);
  };
  {
    ServedPast before;
    const auto store = open();
    store->start({});
    std::vector<Rollup> rollups;
    for (int hour = 72; hour > 48; --hour)
      for (int minute = 0; minute < 60; ++minute)
        rollups.push_back(before.rollup(std::chrono::hours(hour) + std::chrono::minutes(minute), 77, 1));
    store->add(rollups);
    store->stop();
    CHECK(store->report().dropped_not_written == 0);
  }
  ServedPast served(1u << 26, open());
  const auto series = served.json("/series?destination=a&from=80h&to=1h&step=1h");
  const auto& path = of_path(series, 77);
  std::uint64_t probes = 0;
  for (const auto& count : path.at("probes"))
    if (!count.is_null()) probes += count.get<std::uint64_t>();
  CHECK(probes == 24 * 60 * 12);
  log::configure(log::Level::info, log::Format::logfmt);
}

TEST_CASE("answers about the past stay within web.answer_memory", "[agent][http][series]") {
  ServedPast served(70'000);
  const Answer answer = served.get("/series?destination=a");
  CHECK(answer.status == 503);
  CHECK(answer.body.find("web.answer_memory") != std::string::npos);
  CHECK(served.get("/topology?destination=a&at=1m").status == 503);
}

TEST_CASE("/overview tells the worst destination first, and filters by label", "[agent][http][series]") {
  ServedPast served;
  served.rollups_.add({served.rollup(3min, 1, 3), served.rollup(3min, 2, 6), served.rollup(90min, 1, 0)});
  const auto overview = served.json("/overview?from=2h&columns=121");
  const auto& rows = overview.at("destinations");
  REQUIRE(rows.size() == 2);
  CHECK(rows.at(0).at("name") == "a");
  CHECK(rows.at(1).at("name") == "calm");
  const auto& loss = rows.at(0).at("loss_ratio");
  REQUIRE(loss.size() == overview.at("times").size());
  CHECK(loss.size() <= 121);
  CHECK(std::ranges::count(loss, nlohmann::json(0.5)) == 1);
  CHECK(std::ranges::count(loss, nlohmann::json(0.0)) == 1);
  CHECK(std::ranges::count(loss, nlohmann::json()) == static_cast<std::ptrdiff_t>(loss.size()) - 2);
  CHECK(served.json("/overview?label=site:fra").at("destinations").size() == 1);
  CHECK(served.json("/overview?label=site:muc").at("destinations").empty());
  CHECK(served.get("/overview?columns=1001").status == 400);
}

TEST_CASE("/topology?at= tells the fan of that moment", "[agent][http][series]") {
  ServedPast served;
  const auto lossy = served.json("/topology?destination=a&at=" + served.time(served.end() - 6min));
  REQUIRE(lossy.at("destinations").size() == 1);
  const auto& destination = lossy.at("destinations").at(0);
  REQUIRE(destination.at("paths").size() == 2);
  REQUIRE(destination.at("flows").size() == 4);
  for (const auto& path : destination.at("paths")) {
    const bool first = path.at("id") == hex(served.paths[0]);
    CHECK((first || path.at("id") == hex(served.paths[1])));
    CHECK(path.at("window").at("loss_ratio").get<double>() == (first ? 1.0 : 0.0));
  }
  for (const auto& flow : destination.at("flows"))
    CHECK(flow.at("path") == hex(served.paths[flow.at("source_port").get<std::size_t>() - 50000]));
  const auto clean = served.json("/topology?destination=a&at=" + served.time(served.end() - 15min));
  for (const auto& path : clean.at("destinations").at(0).at("paths"))
    CHECK(path.at("window").at("loss_ratio").get<double>() == 0.0);
  CHECK(served.get("/topology?destination=a&at=10h").status == 404);
  CHECK(served.get("/topology?at=1m").status == 400);
  CHECK(served.get("/topology?destination=x&at=1m").status == 400);
  CHECK(served.get("/topology?destination=a&at=yesterday").status == 400);
}
