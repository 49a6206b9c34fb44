#include <array>
#include <chrono>
#include <string>

#include "catch.hpp"
#include "unit/render/golden.hpp"
#include "unit/tui/watched_network.hpp"

// Screens of a network that is always the same, in tests/golden/tui. After a change that was meant, UPDATE_GOLDEN=1 in
// the environment writes them anew: look at the difference.

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;
using render::test::check_golden;
using tui::test::WatchedNetwork;

namespace {

struct Shape {
  const char* name;
  std::size_t rows;
  std::size_t columns;
  Charset charset;
};

constexpr std::array kShapes = {
    Shape{"80x24", 24, 80, Charset::unicode},   Shape{"80x24_ascii", 24, 80, Charset::ascii},
    Shape{"200x50", 50, 200, Charset::unicode}, Shape{"200x50_ascii", 50, 200, Charset::ascii},
    Shape{"20x24", 24, 20, Charset::unicode},   Shape{"300x40", 40, 300, Charset::unicode},
};

/// What the styles of the cells are, as letters: loss is told by more than numbers, but never by colour alone.
std::string styles(const Grid& grid) {
  std::string text;
  for (std::size_t row = 0; row < grid.rows(); ++row) {
    std::string line;
    for (std::size_t column = 0; column < grid.columns(); ++column) {
      const Style& style = grid.at(row, column).style;
      constexpr std::string_view kLetters = " magwb";
      char letter =
          style.hue == Hue::path ? static_cast<char>('1' + style.path) : kLetters[static_cast<std::size_t>(style.hue)];
      if (letter == ' ') letter = style.reverse ? 'R' : style.underline ? '_' : style.bold ? 'B' : ' ';
      line += letter;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("The views of a backbone look as they should at every shape of screen", "[tui][golden]") {
  WatchedNetwork network("backbone");
  network.run(60s);
  for (const Shape& shape : kShapes) {
    for (const char* view : {"1 summary", "2 detail", "3 fan"}) {
      network.press(std::string_view(view).substr(0, 1));
      check_golden(std::string(view + 2) + "_" + shape.name + ".txt",
                   network.text(shape.rows, shape.columns, shape.charset));
    }
  }
}

TEST_CASE("Loss, silence and paths have their colours", "[tui][golden]") {
  WatchedNetwork network("backbone");
  network.run(60s);
  check_golden("summary_80x24_styles.txt", styles(network.screen(24, 80)));
  network.press("3");
  check_golden("fan_80x24_styles.txt", styles(network.screen(24, 80)));
}

TEST_CASE("A path that changes is told and hops keep who was seen before", "[tui][golden]") {
  WatchedNetwork network("backbone");
  network.run(90s);
  network.press("sS");  // by path, the newest first
  check_golden("changed_200x50.txt", network.text(50, 200));
}

TEST_CASE("The help and a search look as they should", "[tui][golden]") {
  WatchedNetwork network("backbone");
  network.run(20s);
  network.press("?");
  check_golden("help_80x24.txt", network.text(24, 80));
  check_golden("help_200x50.txt", network.text(50, 200));
  network.press("?/fra3");
  check_golden("search_typing_80x24.txt", network.text(24, 80));
  network.press("\r");
  check_golden("search_80x24.txt", network.text(24, 80));
}

TEST_CASE("Routers that limit their ICMP are told beside their silence", "[tui][golden]") {
  WatchedNetwork network("icmp_limited");
  network.run(120s);
  network.press("2");
  check_golden("limited_80x24.txt", network.text(24, 80));
  network.press("3");
  check_golden("limited_fan_80x24.txt", network.text(24, 80));
  check_golden("limited_fan_200x50.txt", network.text(50, 200));
  network.press("?G");
  check_golden("help_words_80x24.txt", network.text(24, 80));
}

TEST_CASE("IPv6 addresses and a per-packet balancer look as they should", "[tui][golden]") {
  WatchedNetwork six("backbone", 12, Family::ipv6);
  six.run(30s);
  six.press("n2");
  check_golden("detail_ipv6_80x24.txt", six.text(24, 80));
  WatchedNetwork balanced("per_packet", 4);
  balanced.run(60s);
  balanced.press("2");
  check_golden("per_packet_80x24.txt", balanced.text(24, 80));
  balanced.press("3");
  check_golden("per_packet_fan_80x24.txt", balanced.text(24, 80));
}
