#include "tui/replay_course.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/tui/watched_network.hpp"

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;
using tui::test::WatchedNetwork;

namespace {

/// A view of recorded rounds, and what it shows.
class Player {
 public:
  explicit Player(WatchedNetwork& network)
      : course(network.records()),
        view(network.records().front()->destination, {.names = true, .program = "test", .replay = true}) {
    view.set_names(std::make_shared<tui::test::GivenNames>(network.names()));
    course.show(view);
  }

  void press(std::string_view keys) {
    for (const char key : keys)
      view.on_key(character(static_cast<unsigned char>(key)));
    for (const Action move : view.take_moves())
      course.act(move);
    course.show(view);
  }
  std::string text() {
    Grid grid(40, 160);
    view.draw(grid, course.elapsed());
    return grid.text();
  }

  ReplayCourse course;
  LiveView view;
};

/// Below the two lines of the title and above the keys.
std::string body(const std::string& screen) {
  const std::size_t first = screen.find('\n', screen.find('\n') + 1);
  return screen.substr(first, screen.rfind('\n', screen.size() - 2) - first);
}

WallTime when(const std::shared_ptr<const RoundRecord>& record) {
  return record->wall(record->round.finished);
}

std::string figures(const std::string& screen) {
  const std::size_t at = screen.find(" flows  ");
  return screen.substr(at, screen.find(" %", at) - at);
}

}  // namespace

TEST_CASE("A moment of a replay shows what the live view showed then", "[tui][replay]") {
  WatchedNetwork network("backbone");
  struct Seen {
    WallTime at;
    std::string flows, hops, fan;
  };
  std::vector<Seen> seen;
  for (int i = 0; i < 4; ++i) {
    network.run(9s);
    Seen now{when(network.records().back())};
    for (auto [key, text] : {std::pair("1", &now.flows), std::pair("2", &now.hops), std::pair("3", &now.fan)}) {
      network.press(key);
      *text = network.text(40, 160);
    }
    seen.push_back(std::move(now));
  }
  Player player(network);
  // Backwards and forwards: what is shown does not depend on the way there.
  for (const std::size_t place : {3u, 1u, 2u, 0u, 3u}) {
    player.course.go(seen[place].at);
    player.press("1");
    CHECK(body(player.text()) == body(seen[place].flows));
    CHECK(figures(player.text()) == figures(seen[place].flows));
    player.press("2");
    CHECK(body(player.text()) == body(seen[place].hops));
    player.press("3");
    CHECK(body(player.text()) == body(seen[place].fan));
  }
}

TEST_CASE("Keys go through the time of a replay", "[tui][replay]") {
  WatchedNetwork network("backbone", 4);
  network.run(40s);
  Player player(network);
  const WallTime first = when(network.records().front());
  const WallTime last = when(network.records().back());
  CHECK(player.course.at() == last);
  player.press(",");
  CHECK(player.course.at() < last);
  CHECK(player.course.at() > last - 2s);  // a round a second
  player.press(".");
  CHECK(player.course.at() == last);
  player.press(".>}");
  CHECK(player.course.at() == last);
  player.press("<");
  CHECK(player.course.at() == last - (last - first) / 20);
  player.press("{");
  CHECK(player.course.at() == first);
  CHECK(player.view.tally().flows().size() == 1);
  player.press(",<");
  CHECK(player.course.at() == first);
  CHECK(player.text().find("1970-01-01 ") != std::string::npos);  // the simulated network's clock begins there
}

TEST_CASE("A replay plays at its speed until its end, and stops", "[tui][replay]") {
  WatchedNetwork network("backbone", 4);
  network.run(40s);
  Player player(network);
  const WallTime first = when(network.records().front());
  player.press(" ");  // at the end it begins anew
  CHECK(player.course.playing());
  CHECK(player.course.at() == first);
  const unsigned speed = player.course.speed();
  player.course.pass(500ms);
  CHECK(player.course.at() == first + speed * 500ms);
  player.press("+");
  CHECK(player.course.speed() == 2 * speed);
  player.press("--");
  CHECK(player.course.speed() == speed / 2);
  player.press("p");
  CHECK_FALSE(player.course.playing());
  const WallTime stopped = player.course.at();
  player.course.pass(10s);
  CHECK(player.course.at() == stopped);
  player.press("p");
  player.course.pass(1h);
  CHECK_FALSE(player.course.playing());
  CHECK(player.course.at() == when(network.records().back()));
}

TEST_CASE("A replay goes to the changes of paths", "[tui][replay]") {
  WatchedNetwork network("backbone");
  network.run(90s);  // the scenario changes a link within
  std::vector<WallTime> changes;
  for (const auto& record : network.records())
    if (record->verdict.changed != ChangeKind::none && (changes.empty() || changes.back() != when(record)))
      changes.push_back(when(record));
  REQUIRE(changes.size() >= 2);
  Player player(network);
  player.press("(");
  CHECK(player.course.at() == changes.back());
  player.press("(");
  CHECK(player.course.at() == changes[changes.size() - 2]);
  player.press(")");
  CHECK(player.course.at() == changes.back());
  player.press("{)");
  CHECK(player.course.at() == changes.front());
}

TEST_CASE("Counting anew in a replay counts from its moment on, and going back before it counts all", "[tui][replay]") {
  WatchedNetwork network("backbone", 4);
  network.run(40s);
  Player player(network);
  player.course.go(when(network.records().front()) + 20s);
  player.press("");
  const auto before = player.view.tally().rounds();
  player.press("r");
  CHECK(player.view.tally().rounds() == 0);
  player.press(".....");
  const auto counted = player.view.tally().rounds();
  CHECK(counted >= 4);
  CHECK(counted <= 6);
  player.press(",.");
  CHECK(player.view.tally().rounds() == counted);
  player.press(",,,,,,,,");
  CHECK(player.view.tally().rounds() > 6);
  CHECK(player.view.tally().rounds() < before);
  player.press("}");
  CHECK(player.view.tally().rounds() > before);
}

TEST_CASE("Keys of time do nothing in a live view", "[tui][replay]") {
  WatchedNetwork network("backbone", 4);
  network.run(5s);
  const std::string before = network.text(40, 160);
  network.press(",.<>{}()+-");
  CHECK(network.text(40, 160) == before);
  CHECK(network.view().take_moves().empty());
}
