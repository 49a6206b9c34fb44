#include "tui/help_view.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tui/key_table.hpp"

namespace ecmp::tui {
namespace {

struct Legend {
  std::string_view word;
  std::string_view meaning;
};

/// What stands in the views and does not explain itself.
constexpr std::array kLegend = {
    Legend{"Loss%", "nothing at this hop or beyond answered"},
    Legend{"Sil%", "silence: the hop kept quiet, a later one answered"},
    Legend{"limited", "limits its ICMP: it is asked only as often as it answers"},
};

/// Keys, a line between, and the legend.
std::size_t lines() {
  return bindings().size() + 1 + kLegend.size();
}

}  // namespace

void HelpView::move(std::ptrdiff_t by) {
  const auto last = static_cast<std::ptrdiff_t>(lines());
  top_ = static_cast<std::size_t>(
      std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(top_) + std::clamp(by, -last, last), 0, last));
}

void HelpView::draw(Pane pane) {
  std::size_t keys = 0;
  for (const Binding& binding : bindings())
    keys = std::max(keys, binding.key_names().size());
  keys = std::min(keys, pane.columns() / 2);
  const std::size_t height = pane.rows() - std::min<std::size_t>(pane.rows(), 1);
  top_ = std::min(top_, lines() - std::min(lines(), height));
  const bool above = top_ > 0;
  const bool below = top_ + height < lines();
  const std::size_t at = pane.put(0, 0, "Keys", {.hue = Hue::accent, .bold = true});
  if (above || below) {
    pane.put(0, at,
             above && below ? "  (more above and below)"
             : above        ? "  (more above)"
                            : "  (more below)",
             {.hue = Hue::muted});
  }
  for (std::size_t i = 0; i < height && top_ + i < lines(); ++i) {
    const std::size_t line = top_ + i;
    if (line < bindings().size()) {
      pane.put(i + 1, 0, bindings()[line].key_names(), {.bold = true}, keys);
      pane.put(i + 1, keys + 2, bindings()[line].does);
    } else if (line == bindings().size()) {
      pane.put(i + 1, 0, "Words", {.hue = Hue::accent, .bold = true});
    } else {
      const Legend& legend = kLegend[line - bindings().size() - 1];
      pane.put(i + 1, 0, legend.word, {.bold = true}, keys);
      pane.put(i + 1, keys + 2, legend.meaning);
    }
  }
}

void draw_hints(Pane pane, std::size_t row, bool replay) {
  const auto key_of = [](const Binding& binding) {
    return to_string(binding.action == Action::next_view ? Key{Key::Kind::tab} : binding.keys.front());
  };
  // Those at the end of the table, help and quit, matter most: where there is little room they are what is left.
  std::vector<Binding> all(bindings().begin(), bindings().end());
  std::erase_if(all, [&](const Binding& one) { return one.brief.empty() || (!replay && is_of_time(one.action)); });
  std::size_t first = all.size();
  std::size_t width = 0;
  for (std::size_t i = all.size(); i-- > 0;) {
    width += (width == 0 ? 0 : 2) + key_of(all[i]).size() + 1 + all[i].brief.size();
    if (width > pane.columns()) break;
    first = i;
  }
  std::size_t at = 0;
  for (std::size_t i = first; i < all.size(); ++i) {
    at += pane.put(row, at, key_of(all[i]), {.bold = true}) + 1;
    at += pane.put(row, at, all[i].brief, {.hue = Hue::muted}) + 2;
  }
}

}  // namespace ecmp::tui
