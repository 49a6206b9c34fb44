#include "tui/glyphs.hpp"

#include <algorithm>

namespace ecmp::tui {
namespace {

constexpr Glyphs kUnicode = {
    .levels = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
    .lost = "x",
    .silent = "·",
    .unsent = "!",
    .chosen = "▶",
    .path = "●",
    .rising = "▲",
    .falling = "▼",
    .to = "→",
    .node = "●  ",
    .branch = "├──",
    .last = "└──",
    .line = "│  ",
};

constexpr Glyphs kAscii = {
    .levels = {"_", ".", "-", ":", "=", "+", "*", "#"},
    .lost = "x",
    .silent = "?",
    .unsent = "!",
    .chosen = ">",
    .path = "*",
    .rising = "^",
    .falling = "v",
    .to = "->",
    .node = "o  ",
    .branch = "|--",
    .last = "`--",
    .line = "|  ",
};

}  // namespace

const Glyphs& glyphs(Charset charset) {
  return charset == Charset::ascii ? kAscii : kUnicode;
}

void put_sparkline(Pane& pane, std::size_t row, std::size_t column, std::size_t width, const RecentFates& recent) {
  using Fate = RecentFates::Fate;
  const Glyphs& shown = glyphs(pane.charset());
  const std::size_t count = std::min(width, recent.size());
  Duration least = Duration::max();
  Duration most{};
  for (std::size_t age = 0; age < count; ++age) {
    if (recent[age].fate != Fate::replied) continue;
    least = std::min(least, recent[age].rtt);
    most = std::max(most, recent[age].rtt);
  }
  const Duration span = std::max({most - std::min(least, most), least == Duration::max() ? Duration{} : least / 4,
                                  Duration(std::chrono::microseconds(20))});
  for (std::size_t age = 0; age < count; ++age) {
    const std::size_t at = column + count - 1 - age;
    const RecentFates::Entry entry = recent[age];
    switch (entry.fate) {
      case Fate::lost:
        pane.put(row, at, shown.lost, {.hue = Hue::bad, .bold = true});
        break;
      case Fate::silent:
        pane.put(row, at, shown.silent, {.hue = Hue::muted});
        break;
      case Fate::unsent:
        pane.put(row, at, shown.unsent, {.hue = Hue::warning});
        break;
      case Fate::replied: {
        const auto level = static_cast<std::size_t>((entry.rtt - least) * 8 / span);
        pane.put(row, at, shown.levels[std::min<std::size_t>(level, 7)]);
        break;
      }
    }
  }
}

}  // namespace ecmp::tui
