#include "trace/recording.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "agent/history/history_store.hpp"
#include "agent/log.hpp"
#include "catch.hpp"
#include "render/json/ndjson.hpp"
#include "trace/round_line.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/path/stored_rounds.hpp"

using namespace ecmp;
using stored_rounds::Maker;

namespace {

std::string line_of(const RoundRecord& record, const render::HopNames& names = render::NoNames()) {
  std::string line;
  render::append_round(line, record, names);
  return line;
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// What a line says of the network; not what only a model adds, or the round before it.
std::string essence(const RoundRecord& record) {
  RoundRecord plain = record;
  plain.verdict.window = nullptr;
  plain.verdict.smoothed_jitter = {};
  plain.verdict.responders = nullptr;
  plain.search = nullptr;
  for (HopResult& hop : plain.round.hops) {
    const auto labels = hop.mpls.view();
    packet::MplsStack stack;
    for (const packet::MplsLabel& label : labels)
      stack.labels[stack.depth++] = label;
    hop.quoted_ttl = 0;
    // Of notes only labels; of the answers of later attempts only that they were.
    hop.mpls = packet::KeptMpls(stack);
    if (hop.outcome == HopOutcome::replied || hop.outcome == HopOutcome::unreachable) continue;
    hop.again = false;
  }
  std::string line = line_of(plain);
  // Findings come from what a line does not have.
  for (std::size_t at = 0; (at = line.find(",\"findings\":[")) != std::string::npos;)
    line.erase(at, line.find(']', at) + 1 - at);
  return line;
}

/// Rounds as they may really be: the fate of the round agrees with that of its last hop.
std::vector<std::shared_ptr<const RoundRecord>> made_rounds(std::size_t count, std::size_t destinations = 1) {
  Maker maker(7, destinations);
  std::vector<std::shared_ptr<const RoundRecord>> made;
  for (std::size_t i = 0; i < count; ++i) {
    RoundRecord record = *maker.round(i);
    record.round.distance = 8;
    HopResult& end = record.round.hops[7];
    if (record.round.end_to_end == EndToEnd::reached) {
      end = record.round.hops[0];
      end.ttl = 8;
      end.outcome = HopOutcome::replied;
      end.reply = packet::ReplyKind::port_unreachable;
      end.responder = record.destination->address;
      end.rtt = std::chrono::milliseconds(3);
      end.received = record.round.started + std::chrono::milliseconds(5);
    } else {
      end = HopResult{.ttl = 8};
    }
    record.verdict.unconfirmed = false;
    made.push_back(std::make_shared<const RoundRecord>(std::move(record)));
  }
  return made;
}

std::string text_of(const std::vector<std::shared_ptr<const RoundRecord>>& rounds) {
  std::string text;
  for (const auto& round : rounds)
    text += line_of(*round);
  return text;
}

void write_history(const std::string& directory, const std::vector<std::shared_ptr<const RoundRecord>>& rounds) {
  log::configure(log::Level::error, log::Format::logfmt);
  auto store =
      HistoryStore::open({.directory = directory, .retention = std::chrono::hours(24 * 3650), .max_size = 16u << 20});
  REQUIRE(store.ok());
  (*store)->start([] { return std::make_shared<const Snapshots>(); });
  std::uint64_t number = (*store)->first_round();
  for (const auto& round : rounds)
    (*store)->add(number++, round);
  (*store)->stop();
}

}  // namespace

TEST_CASE("A line of a round is read as it was written", "[replay]") {
  bool streams = false;
  for (const auto& record : made_rounds(400, 4)) {
    streams = streams || record->oneway != nullptr;
    RecordedNames names;
    const std::string line = line_of(*record);
    const auto read = read_round_line(std::string_view(line).substr(0, line.size() - 1), names);
    INFO(line << (read.ok() ? "" : read.error()));
    REQUIRE(read.ok());
    CHECK(essence(**read) == essence(*record));
  }
  CHECK(streams);
}

TEST_CASE("Names and origins of a line are read", "[replay]") {
  class Named final : public render::HopNames {
    [[nodiscard]] std::string_view name(const IpAddress&) const override { return "r1.example"; }
    [[nodiscard]] std::string_view origin(const IpAddress&) const override { return "64500_64501"; }
  };
  const auto rounds = made_rounds(1);
  RecordedNames names;
  std::string line = line_of(*rounds[0], Named());
  line.pop_back();
  REQUIRE(read_round_line(line, names).ok());
  CHECK(names.name(rounds[0]->destination->address) == "r1.example");
  const auto answered = std::ranges::find(rounds[0]->round.hops, HopOutcome::replied, &HopResult::outcome)->responder;
  CHECK(names.name(answered) == "r1.example");
  CHECK(names.origin(answered) == "64500_64501");
  CHECK(names.name(IpAddress::v4(1)).empty());
}

TEST_CASE("What is no round is refused in one line, whatever it is", "[replay]") {
  RecordedNames names;
  const std::string good = line_of(*made_rounds(1)[0]);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string line = good.substr(0, good.size() - 1);
    const std::size_t at = line.find(from);
    REQUIRE(at != std::string::npos);
    return line.replace(at, from.size(), to);
  };
  for (const std::string& line :
       {std::string(), std::string("{"), std::string("[]"), std::string("7"), std::string("{}"), std::string(100, '['),
        with("\"probe_id\":",
             "\"probe_id\":9"
             "99"),
        with("\"probe_num\":", "\"probe_num\":-1"), with("\"hops\":[", "\"hops\":[7,"),
        with("\"ttl\":1,", "\"ttl\":2,"), with("\"ttl\":1,", "\"ttl\":300,"),
        with("\"destination\":\"", "\"destination\":\"" + std::string(300, 'x')), with("\"path\":\"", "\"path\":\"zz"),
        with("\"timestamp\":\"20", "\"timestamp\":\"99"), with("\"protocol\":\"", "\"protocol\":\"X"),
        with("\"changed\":\"", "\"changed\":\"sideways"), with("\"rtt_ns\":450888192", "\"rtt_ns\":99999999999999999"),
        with("\"source_ip\":\"", "\"source_ip\":\"not")}) {
    const auto read = read_round_line(line, names);
    INFO(line);
    REQUIRE_FALSE(read.ok());
    CHECK_FALSE(read.error().empty());
    CHECK(read.error().find('\n') == std::string::npos);
  }
  // Cut anywhere, it is never taken for a round.
  for (std::size_t length = 0; length + 1 < good.size(); ++length)
    CHECK_FALSE(read_round_line(std::string_view(good).substr(0, length), names).ok());
  CHECK_FALSE(read_round_line(std::string(kLongestRoundLine + 1, ' '), names).ok());
}

TEST_CASE("Bytes changed anywhere in a line do no harm", "[replay]") {
  std::mt19937_64 random(11);
  const std::string good = line_of(*made_rounds(1)[0]);
  std::size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    RecordedNames names;
    std::string line = good.substr(0, good.size() - 1);
    for (int changes = 0; changes < 3; ++changes)
      line[random() % line.size()] = static_cast<char>(random());
    const auto read = read_round_line(line, names);
    if (!read.ok()) ++refused;
    if (read.ok()) CHECK_FALSE(line_of(**read).empty());
  }
  CHECK(refused > 1000);
}

TEST_CASE("A file of lines is a recording, in the order of time", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/rounds";
  auto rounds = made_rounds(200);
  std::ranges::reverse(rounds);
  write_file(path, text_of(rounds));
  const auto recording = read_recording(path, "");
  REQUIRE(recording.ok());
  REQUIRE(recording->rounds.size() == 200);
  CHECK(recording->notices.empty());
  CHECK(recording->lines);
  const auto finished = [](const auto& record) { return record->wall(record->round.finished); };
  CHECK(std::ranges::is_sorted(recording->rounds, {}, finished));
  const DestinationFacts& facts = *recording->rounds.front()->destination;
  CHECK(facts.flows == 16);
  for (const auto& record : recording->rounds) {
    CHECK(facts.source_ports[record->flow_index] == record->source_port);
    if (record->verdict.path == 0) continue;
    REQUIRE(record->verdict.responders != nullptr);
    CHECK(record->verdict.responders->size() == 8);
  }
}

TEST_CASE("Lines that are no rounds are left out with one notice, and a file of nothing else is an error", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/rounds";
  const std::string good = text_of(made_rounds(20));
  write_file(path, "not a round\n\n" + good + "{\"probe_id\":1}\n" + good.substr(0, 300));
  auto recording = read_recording(path, "");
  REQUIRE(recording.ok());
  CHECK(recording->rounds.size() == 20);
  REQUIRE(recording->notices.size() == 1);
  CHECK(recording->notices[0].starts_with("3 lines are left out, the first is " + path + ":1: not JSON"));
  write_file(path, good + good.substr(0, 300));
  recording = read_recording(path, "");
  REQUIRE(recording.ok());
  CHECK(recording->notices.at(0) == "1 line is left out, the first is " + path + ":21: the file ends within it");
  const auto error = [&](std::string_view content) {
    write_file(path, content);
    const auto read = read_recording(path, "");
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().find('\n') == std::string::npos);
    return read.error();
  };
  CHECK(error("") == path + ": has no round");
  CHECK(error("\n\n") == path + ": has no round");
  CHECK(error(std::string("\0\0\xff", 3)).starts_with(path + ":1: not a round: "));
  CHECK(error(std::string(3u << 20, 'x')).starts_with(path + ":1: not a round: "));
  CHECK_FALSE(read_recording(directory.path() + "/none", "").ok());
}

TEST_CASE("Of several destinations one must be named", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/rounds";
  const auto rounds = made_rounds(90, 3);
  write_file(path, text_of(rounds));
  write_history(directory.path() + "/history", rounds);
  for (const std::string& from : {path, directory.path() + "/history"}) {
    const auto all = read_recording(from, "");
    REQUIRE_FALSE(all.ok());
    CHECK(all.error() == from + ": has 3 destinations, say which one: destination-0, destination-1, destination-2");
    const auto one = read_recording(from, "destination-1");
    REQUIRE(one.ok());
    CHECK(one->rounds.size() == 30);
    CHECK(one->rounds[7]->destination->name == "destination-1");
    const auto same = read_recording(from, rounds[1]->destination->address.to_string());
    REQUIRE(same.ok());
    CHECK(same->rounds.size() == 30);
    const auto none = read_recording(from, "elsewhere");
    REQUIRE_FALSE(none.ok());
    CHECK(none.error() == from + ": has no round of \"elsewhere\"");
  }
}

TEST_CASE("A history is read while another process has it, and is not changed", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/history";
  const auto rounds = made_rounds(300);
  write_history(path, rounds);
  const auto files = [&] {
    std::map<std::string, std::pair<std::uintmax_t, std::filesystem::file_time_type>> found;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      found[entry.path().filename()] = {entry.file_size(), entry.last_write_time()};
    return found;
  };
  // As a killed writer leaves it.
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().filename().string().starts_with("rounds-"))
      std::ofstream(entry.path(), std::ios::binary | std::ios::app) << "half a block";
  write_file(path + "/rounds-00000000ffffffff.history", "");
  write_file(path + "/rounds-00000000fffffffe.history", std::string(100, 'x'));
  const auto before = files();
  const auto recording = read_recording(path, "");
  REQUIRE(recording.ok());
  REQUIRE(recording->rounds.size() == 300);
  CHECK_FALSE(recording->lines);
  CHECK(files() == before);
  std::size_t differ = 0;
  for (std::size_t i = 0; i < rounds.size(); ++i)
    if (std::ranges::none_of(recording->rounds,
                             [&](const auto& read) { return line_of(*read) == line_of(*rounds[i]); }))
      ++differ;
  CHECK(differ == 0);

  auto writer =
      HistoryStore::open({.directory = path, .retention = std::chrono::hours(24 * 3650), .max_size = 1 << 24});
  REQUIRE(writer.ok());
  CHECK(read_recording(path, "")->rounds.size() == 300);
}

TEST_CASE("A damaged history shows its rest with a notice, and one without rounds is an error", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/history";
  std::filesystem::create_directory(path);
  CHECK(read_recording(path, "").error() == path + ": has no round");
  write_file(path + "/rounds-0000000000000000.history", std::string(100, 'x'));
  CHECK_FALSE(read_recording(path, "").ok());
  std::filesystem::remove_all(path);
  const auto rounds = made_rounds(6000);
  write_history(path, rounds);
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (!entry.path().filename().string().starts_with("rounds-")) continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file << "damaged here";
  }
  const auto recording = read_recording(path, "destination-0");
  REQUIRE(recording.ok());
  CHECK(recording->rounds.size() < 6000);
  CHECK(recording->rounds.size() > 1000);
  REQUIRE(recording->notices.size() == 1);
  CHECK(recording->notices[0] == "1 place in " + path + " is damaged, the rest is shown");
}

TEST_CASE("A recording is bounded, and says what it leaves out", "[replay]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/rounds";
  const auto rounds = made_rounds(500);
  write_file(path, text_of(rounds));
  write_history(directory.path() + "/history", rounds);
  for (const std::string& from : {path, directory.path() + "/history"}) {
    const auto recording = read_recording(from, "", 100'000);
    REQUIRE(recording.ok());
    const std::size_t kept = recording->rounds.size();
    CHECK(kept > 20);
    CHECK(kept < 200);
    CHECK(recording->notices.at(0) ==
          std::to_string(500 - kept) + " rounds from before the first that is shown are left out");
    CHECK(recording->rounds.back()->round.number == rounds.back()->round.number);
  }
}
