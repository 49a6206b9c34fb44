#include "tui/screen_writer.hpp"

#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace ecmp::tui;

namespace {

/// As much of a terminal as the writer needs: what it shows after what it was sent. Anything it does not know fails.
class PlainTerminal {
 public:
  PlainTerminal(std::size_t rows, std::size_t columns) : rows_(rows, std::vector<std::string>(columns, " ")) {}

  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      if (bytes.front() == '\x1b') {
        control(bytes);
        continue;
      }
      REQUIRE(static_cast<unsigned char>(bytes.front()) >= 0x20);
      const Symbol symbol = take_symbol(bytes);
      put(symbol);
    }
  }

  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& row : rows_) {
      std::string line;
      for (const std::string& cell : row)
        line += cell;
      all += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return all;
  }
  /// The style that a cell was written in, as it was sent.
  [[nodiscard]] const std::string& style() const { return style_; }
  bool shown_at_once = true;

 private:
  void control(std::string_view& bytes) {
    REQUIRE(bytes.size() > 2);
    REQUIRE(bytes[1] == '[');
    const std::size_t end = bytes.find_first_of("HJmhl", 2);
    REQUIRE(end != std::string_view::npos);
    const std::string parameters(bytes.substr(2, end - 2));
    switch (bytes[end]) {
      case 'H':
        row_ = parameters.empty() ? 0 : std::stoul(parameters) - 1;
        column_ = parameters.empty() ? 0 : std::stoul(parameters.substr(parameters.find(';') + 1)) - 1;
        break;
      case 'J':
        for (auto& row : rows_)
          std::fill(row.begin(), row.end(), " ");
        break;
      case 'm':
        style_ = parameters;
        break;
      case 'h':
      case 'l':
        REQUIRE(parameters == "?2026");
        shown_at_once = bytes[end] == 'l';
        break;
      default:
        FAIL();
    }
    bytes.remove_prefix(end + 1);
  }

  void put(Symbol symbol) {
    REQUIRE(row_ < rows_.size());
    REQUIRE(column_ + symbol.width <= rows_[row_].size());
    // A terminal blanks the other half of a wide symbol that is written over.
    for (std::size_t i = 0; i < symbol.width; ++i) {
      std::string& old = rows_[row_][column_ + i];
      if (old.empty() && column_ + i > 0) rows_[row_][column_ + i - 1] = " ";
      if (old.size() > 2 && width_of(old) == 2 && column_ + i + 1 < rows_[row_].size())
        rows_[row_][column_ + i + 1] = " ";
      old = " ";
    }
    std::string written;
    append_utf8(written, symbol.code);
    rows_[row_][column_] = written;
    if (symbol.width == 2) rows_[row_][column_ + 1].clear();
    column_ += symbol.width;
  }

  std::vector<std::vector<std::string>> rows_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  std::string style_;
};

}  // namespace

TEST_CASE("What a terminal shows is the screen, whatever stood there before", "[tui][writer]") {
  const std::uint32_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  PlainTerminal terminal(6, 24);
  ScreenWriter writer(ColourDepth::palette);
  Grid grid(6, 24);
  static constexpr const char* kTexts[] = {"x", "東京", "loss 10 %", "→", "한", "                 ", "▁▂▃"};
  for (int i = 0; i < 3000; ++i) {
    if (random() % 50 == 0) grid.clear();
    for (auto writes = random() % 6; writes > 0; --writes)
      Pane(grid).put(random() % 6, random() % 24, kTexts[random() % 7],
                     {.hue = static_cast<Hue>(random() % 7), .bold = random() % 2 == 0});
    if (random() % 40 == 0) writer.forget();
    terminal.take(writer.show(grid));
    REQUIRE(terminal.text() == grid.text());
    REQUIRE(terminal.shown_at_once);
  }
}

TEST_CASE("Only what differs is sent", "[tui][writer]") {
  ScreenWriter writer(ColourDepth::none);
  Grid grid(24, 80);
  Pane pane(grid);
  for (std::size_t row = 0; row < 24; ++row)
    pane.put(row, 0, std::string(80, 'a'));
  CHECK(writer.show(grid).size() > std::size_t{24 * 80});
  CHECK(writer.show(grid).empty());
  pane.put(7, 12, "42");
  CHECK(writer.show(grid) == "\x1b[?2026h\x1b[8;13H42\x1b[?2026l");
  writer.forget();
  CHECK(writer.show(grid).size() > std::size_t{24 * 80});
  CHECK(writer.show(Grid(10, 40)).find("\x1b[2J") != std::string::npos);
}

TEST_CASE("Styles are sent as far as the terminal has colours", "[tui][writer]") {
  const auto sent = [](ColourDepth depth, Style style) {
    ScreenWriter writer(depth);
    Grid grid(1, 1);
    Pane(grid).put(0, 0, "x", style);
    PlainTerminal terminal(1, 1);
    terminal.take(writer.show(grid));
    return terminal.style();
  };
  const Style bad = {.hue = Hue::bad, .bold = true, .underline = true};
  CHECK(sent(ColourDepth::none, bad) == "0;1;4");
  CHECK(sent(ColourDepth::sixteen, bad) == "0;1;4;31");
  CHECK(sent(ColourDepth::palette, bad) == "0;1;4;38;5;167");
  CHECK(sent(ColourDepth::truecolour, bad) == "0;1;4;38;2;224;72;72");
  CHECK(sent(ColourDepth::none, path_style(3)).find_first_of("123456789") == std::string::npos);
  for (const ColourDepth depth : {ColourDepth::palette, ColourDepth::truecolour})
    for (std::uint32_t other = 2; other <= kPathHues; ++other)
      CHECK(sent(depth, path_style(1)) != sent(depth, path_style(other)));
  CHECK(path_style(1) == path_style(1 + kPathHues));
}

TEST_CASE("Leaving undoes what entering did", "[tui][writer]") {
  for (const char* mode : {"?1049", "?25", "?7"}) {
    const std::string on = std::string("\x1b[") + mode + "h";
    const std::string off = std::string("\x1b[") + mode + "l";
    const bool entered_on = ScreenWriter::enter().find(on) != std::string_view::npos;
    CHECK(entered_on != (ScreenWriter::enter().find(off) != std::string_view::npos));
    CHECK(ScreenWriter::leave().find(entered_on ? off : on) != std::string_view::npos);
  }
}
