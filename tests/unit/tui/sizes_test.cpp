#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string>

#include "catch.hpp"
#include "unit/tui/watched_network.hpp"

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;
using tui::test::WatchedNetwork;

TEST_CASE("Every view survives every size of terminal", "[tui][sizes]") {
  WatchedNetwork network("backbone", 6);
  const auto draw_all = [&] {
    for (const char* keys : {"1", "2", "3", "?", "?/am", "\x1b"}) {
      network.press(keys);
      for (std::size_t rows = 1; rows <= 30; ++rows)
        for (const std::size_t columns : {1u, 2u, 3u, 5u, 8u, 13u, 20u, 21u, 40u, 79u, 80u, 132u, 300u, 1999u})
          REQUIRE(network.screen(rows, columns).rows() == rows);
    }
  };
  draw_all();  // before anything is known
  network.run(5s);
  draw_all();
}

TEST_CASE("An ASCII screen of any view shows nothing but ASCII", "[tui][sizes]") {
  WatchedNetwork network("backbone");
  network.names().names[network.engine_run().network().address("fra1")] = "köln.東京.example";
  network.run(30s);
  for (const char* keys : {"1", "2", "3", "?", "?/\xc3\xa4", "\x1b"}) {
    network.press(keys);
    for (const std::size_t columns : {20u, 80u, 200u}) {
      const std::string text = network.text(40, columns, Charset::ascii);
      REQUIRE(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
    }
  }
}

TEST_CASE("At 20 columns one still sees port, path and loss of each flow", "[tui][sizes]") {
  WatchedNetwork network("backbone");
  network.run(20s);
  const std::string text = network.text(40, 20);
  CHECK(text.find("Port") != std::string::npos);
  CHECK(text.find("Path") != std::string::npos);
  CHECK(text.find("Loss%") != std::string::npos);
  CHECK(text.find("50011") != std::string::npos);
}

TEST_CASE("No order of keys and sizes breaks the view", "[tui][sizes]") {
  const std::uint32_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  WatchedNetwork network("backbone", 8);
  static constexpr std::array<std::string_view, 34> kKeys = {
      "j",      "k",      "h",       "l",       "g",      "G",      "1",      "2",    "3",  "[",  "]",    "s",
      "S",      "/",      "n",       "e",       "p",      " ",      "r",      "?",    "\r", "\t", "\x1b", "\x7f",
      "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\x1b[Z", "\x0c", "5",  "x"};
  for (int i = 0; i < 1500; ++i) {
    if (i % 20 == 0) network.run(500ms);
    if (random() % 100 == 0) network.view().forget(random() % 8);
    network.press(kKeys[random() % kKeys.size()]);
    const Grid grid = network.screen(1 + random() % 40, 1 + random() % 140);
    REQUIRE(grid.text().find('\x1b') == std::string::npos);
  }
}

TEST_CASE("Names of the network cannot write to the terminal", "[tui][sizes]") {
  WatchedNetwork network("backbone");
  network.names().names[network.engine_run().network().address("core")] =
      "\x1b]0;owned\x07\x1b[2J\r\nevil\xff\xe2\x80\xae";
  network.run(10s);
  for (const char* view : {"1", "2", "3"}) {
    network.press(view);
    const std::string text = network.text(50, 200);
    CHECK(text.find("?]0;owned??[2J??evil??") != std::string::npos);
    CHECK(std::none_of(text.begin(), text.end(),
                       [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; }));
  }
}
