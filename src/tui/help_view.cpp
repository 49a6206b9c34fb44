#include "tui/help_view.hpp"

#include <algorithm>
#include <string>

#include "tui/key_table.hpp"

namespace ecmp::tui {

void HelpView::move(std::ptrdiff_t by) {
  const auto last = static_cast<std::ptrdiff_t>(bindings().size());
  top_ = static_cast<std::size_t>(
      std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(top_) + std::clamp(by, -last, last), 0, last));
}

void HelpView::draw(Pane pane) {
  std::size_t keys = 0;
  for (const Binding& binding : bindings())
    keys = std::max(keys, binding.key_names().size());
  keys = std::min(keys, pane.columns() / 2);
  const std::size_t height = pane.rows() - std::min<std::size_t>(pane.rows(), 1);
  top_ = std::min(top_, bindings().size() - std::min(bindings().size(), height));
  const bool above = top_ > 0;
  const bool below = top_ + height < bindings().size();
  const std::size_t at = pane.put(0, 0, "Keys", {.hue = Hue::accent, .bold = true});
  if (above || below) {
    pane.put(0, at,
             above && below ? "  (more above and below)"
             : above        ? "  (more above)"
                            : "  (more below)",
             {.hue = Hue::muted});
  }
  for (std::size_t i = 0; i < height && top_ + i < bindings().size(); ++i) {
    const Binding& binding = bindings()[top_ + i];
    pane.put(i + 1, 0, binding.key_names(), {.bold = true}, keys);
    pane.put(i + 1, keys + 2, binding.does);
  }
}

void draw_hints(Pane pane, std::size_t row) {
  const auto key_of = [](const Binding& binding) {
    return to_string(binding.action == Action::next_view ? Key{Key::Kind::tab} : binding.keys.front());
  };
  // Those at the end of the table, help and quit, matter most: where there is little room they are what is left.
  const auto all = bindings();
  std::size_t first = all.size();
  std::size_t width = 0;
  for (std::size_t i = all.size(); i-- > 0;) {
    if (all[i].brief.empty()) continue;
    width += (width == 0 ? 0 : 2) + key_of(all[i]).size() + 1 + all[i].brief.size();
    if (width > pane.columns()) break;
    first = i;
  }
  std::size_t at = 0;
  for (std::size_t i = first; i < all.size(); ++i) {
    if (all[i].brief.empty()) continue;
    at += pane.put(row, at, key_of(all[i]), {.bold = true}) + 1;
    at += pane.put(row, at, all[i].brief, {.hue = Hue::muted}) + 2;
  }
}

}  // namespace ecmp::tui
