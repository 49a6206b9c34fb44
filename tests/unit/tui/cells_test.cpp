#include "tui/cells.hpp"

#include "catch.hpp"
#include "tui/columns.hpp"

using namespace ecmp::tui;

TEST_CASE("A pane cuts what does not fit and says so", "[tui][cells]") {
  Grid grid(2, 10);
  Pane pane(grid);
  CHECK(pane.put(0, 0, "0123456789") == 10);
  CHECK(pane.put(1, 0, "0123456789a") == 10);
  CHECK(grid.text(0) == "0123456789");
  CHECK(grid.text(1) == "012345678…");
  grid.clear();
  CHECK(pane.put(0, 2, "abcdef", {}, 4) == 4);
  CHECK(grid.text(0) == "  abc…");
  pane.put_right(1, 0, 6, "42");
  CHECK(grid.text(1) == "    42");
}

TEST_CASE("An ASCII screen shows nothing but ASCII", "[tui][cells]") {
  Grid grid(1, 12, Charset::ascii);
  Pane(grid).put(0, 0, "kö東→x");
  CHECK(grid.text(0) == "k????x");
  grid.clear();
  Pane(grid).put(0, 0, "0123456789abcdef");
  CHECK(grid.text(0) == "0123456789a~");
}

TEST_CASE("Wide symbols take two columns, and none is ever cut in half", "[tui][cells]") {
  Grid grid(1, 6);
  Pane pane(grid);
  pane.put(0, 0, "東京");
  CHECK(grid.at(0, 0).width == 2);
  CHECK(grid.at(0, 1).width == 0);
  CHECK(grid.text(0) == "東京");
  pane.put(0, 1, "x");
  CHECK(grid.text(0) == " x京");
  pane.put(0, 2, "y");
  CHECK(grid.text(0) == " xy");
  grid.clear();
  pane.put(0, 3, "東京");
  CHECK(grid.text(0) == "   東…");
  grid.clear();
  pane.put(0, 0, "a東京z", {}, 4);
  CHECK(grid.text(0) == "a東…");
  grid.clear();
  pane.put(0, 0, "東京", {}, 2);
  CHECK(grid.text(0) == " …");
  CHECK(width_of(grid.text(0)) <= 2);
}

TEST_CASE("Whatever is written, every row is as wide as the screen", "[tui][cells]") {
  Grid grid(3, 7);
  Pane pane(grid);
  for (std::size_t column = 0; column < 12; ++column)
    for (const char* text : {"東", "x", "京都", "→→→→→→→→→→"}) {
      pane.put(column % 3, column, text);
      for (std::size_t row = 0; row < grid.rows(); ++row) {
        std::size_t width = 0;
        for (std::size_t i = 0; i < grid.columns(); ++i)
          width += grid.at(row, i).width;
        REQUIRE(width == grid.columns());
      }
    }
}

TEST_CASE("A pane is a window: nothing shows outside of it", "[tui][cells]") {
  Grid grid(4, 8);
  const Pane inner = Pane(grid).part(1, 2, 2, 3);
  Pane pane = inner;
  for (std::size_t row = 0; row < 10; ++row)
    pane.put(row, 0, "abcdefgh");
  pane.put(0, 5, "zzz");
  CHECK(grid.text() == "\n  ab…\n  ab…\n\n");
  CHECK(inner.part(5, 5, 5, 5).rows() == 0);
  CHECK(Pane(grid).part(0, 0, 100, 100).rows() == 4);
}

TEST_CASE("Columns give way in the order of their ranks, those that matter never", "[tui][cells]") {
  const Column columns[] = {{.title = "a", .width = 4},
                            {.title = "b", .width = 4, .rank = 2},
                            {.title = "c", .width = 4, .most = 10, .rank = 1}};
  const auto shown = [&](std::size_t width) {
    std::string names;
    for (const PlacedColumn& column : place(columns, width))
      names += std::string(columns[column.index].title) + std::to_string(column.width);
    return names;
  };
  CHECK(shown(14) == "a4b4c4");
  CHECK(shown(16) == "a4b4c6");
  CHECK(shown(100) == "a4b4c10");
  CHECK(shown(13) == "a4c8");
  CHECK(shown(8) == "a4");
  CHECK(shown(1) == "a4");
}

TEST_CASE("A list keeps its chosen row in sight", "[tui][cells]") {
  ListPosition position;
  position.move(7, 10);
  position.fit(10, 4);
  CHECK(position.chosen == 7);
  CHECK(position.top == 4);
  position.move(-100, 10);
  position.fit(10, 4);
  CHECK(position.top == 0);
  position.move(PTRDIFF_MAX, 10);
  CHECK(position.chosen == 9);
  position.fit(3, 4);
  CHECK(position.chosen == 2);
  CHECK(position.top == 0);
  position.move(1, 0);
  CHECK(position.chosen == 0);
  position.fit(0, 0);
  CHECK(position.top == 0);
}
