#include "tui/figures.hpp"

#include <chrono>

#include "catch.hpp"
#include "tui/glyphs.hpp"

using namespace ecmp;
using namespace ecmp::tui;
using namespace std::chrono_literals;

TEST_CASE("Times never outgrow their columns", "[tui][figures]") {
  CHECK(milliseconds(312044ns, Precision::compact) == "0.312");
  CHECK(milliseconds(12345678ns, Precision::compact) == "12.35");
  CHECK(milliseconds(12345678ns, Precision::aligned) == "12.346");
  CHECK(milliseconds(0ns, Precision::compact) == "0.000");
  for (const Precision precision : {Precision::compact, Precision::aligned})
    for (Duration time = 1ns; time < 2h; time = time * 13 / 10 + 1ns)
      REQUIRE(milliseconds(time, precision).size() <= rtt_width(precision));
  CHECK(milliseconds(150s, Precision::compact) == "150s");
  // Where rounding adds a digit.
  CHECK(milliseconds(9999600ns, Precision::compact) == "10.00");
  CHECK(milliseconds(99999000ns, Precision::compact) == "100.0");
  CHECK(milliseconds(9999999900ns, Precision::aligned) == "10000.00");
}

TEST_CASE("A percentage is told as zero or all only when it is", "[tui][figures]") {
  CHECK(percent(0) == "0.0");
  CHECK(percent(0.000001) == "0.1");
  CHECK(percent(0.1234) == "12.3");
  CHECK(percent(0.99999) == "99.9");
  CHECK(percent(1) == "100");
}

TEST_CASE("Loss is green, yellow above 10 % and red above 25 %, and bolder for those who see no colours",
          "[tui][figures]") {
  CHECK(loss_style(0).hue == Hue::good);
  CHECK(loss_style(0.10).hue == Hue::good);
  CHECK(loss_style(0.101).hue == Hue::warning);
  CHECK(loss_style(0.25).hue == Hue::warning);
  CHECK(loss_style(0.251).hue == Hue::bad);
  CHECK_FALSE(loss_style(0.1).bold);
  CHECK((loss_style(0.2).bold && !loss_style(0.2).underline));
  CHECK((loss_style(0.5).bold && loss_style(0.5).underline));
}

TEST_CASE("Counts and clocks are short", "[tui][figures]") {
  CHECK(count(0) == "0");
  CHECK(count(99999) == "99999");
  CHECK(count(100000) == "100k");
  CHECK(count(1234567) == "1.23M");
  CHECK(count(999999) == "1.00M");
  for (std::uint64_t number = 1; number < UINT64_MAX / 3; number = number * 2 + 1)
    REQUIRE(count(number).size() <= 5);
  CHECK(tui::clock(0s) == "0:00:00");
  CHECK(tui::clock(3723s) == "1:02:03");
  CHECK(tui::clock(100h) == "100:00:00");
}

TEST_CASE("A sparkline shows the newest on the right, and every fate as what it is", "[tui][figures]") {
  using Fate = RecentFates::Fate;
  RecentFates recent(16);
  const auto shown = [&](std::size_t width, Charset charset = Charset::unicode) {
    Grid grid(1, 20, charset);
    Pane pane(grid);
    put_sparkline(pane, 0, 0, width, recent);
    return grid.text(0);
  };
  CHECK(shown(8).empty());
  for (int i = 1; i <= 8; ++i)
    recent.push(Fate::replied, i * 10ms);
  CHECK(shown(8) == "▁▂▃▄▅▆▇█");
  CHECK(shown(8, Charset::ascii) == "_.-:=+*#");
  CHECK(shown(3) == "▁▅█");
  CHECK(shown(0).empty());
  recent.push(Fate::lost);
  recent.push(Fate::silent);
  recent.push(Fate::unsent);
  CHECK(shown(4) == "▁x·!");
  CHECK(shown(4, Charset::ascii) == "_x?!");
}

TEST_CASE("A steady flow has a flat sparkline", "[tui][figures]") {
  RecentFates recent(8);
  for (int i = 0; i < 8; ++i)
    recent.push(RecentFates::Fate::replied, 10ms + i % 2 * 100us);
  Grid grid(1, 8);
  Pane pane(grid);
  put_sparkline(pane, 0, 0, 8, recent);
  CHECK(grid.text(0) == "▁▁▁▁▁▁▁▁");
}
