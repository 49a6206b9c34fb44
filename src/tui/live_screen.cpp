#include "tui/live_screen.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace ecmp::tui {

Result<std::unique_ptr<LiveScreen>> LiveScreen::open(std::shared_ptr<const DestinationFacts> facts,
                                                     LiveView::Options options, Instant now) {
  auto terminal = Terminal::open();
  if (!terminal.ok()) return Error{terminal.error()};
  return std::unique_ptr<LiveScreen>(new LiveScreen(std::move(*terminal), std::move(facts), std::move(options), now));
}

LiveScreen::LiveScreen(std::unique_ptr<Terminal> terminal, std::shared_ptr<const DestinationFacts> facts,
                       LiveView::Options options, Instant now)
    : terminal_(std::move(terminal)),
      view_(std::move(facts), std::move(options)),
      writer_(colour_depth({std::getenv("TERM"), std::getenv("COLORTERM"), std::getenv("NO_COLOR")})),
      charset_(charset_of_locale()),
      began_(now),
      drawn_at_(now - kPicture) {}

Instant LiveScreen::due() const {
  // The clock in the title moves each second.
  if (!dirty_) return drawn_at_ + std::chrono::seconds(1) - (drawn_at_ - began_) % std::chrono::seconds(1);
  return drawn_at_ + (answering_ ? kAnswer : kPicture);
}

Duration LiveScreen::wait(Instant now) const {
  Instant until = due();
  if (decoder_.waiting()) until = std::min(until, typed_at_ + kEscape);
  return std::max(Duration{}, until - now);
}

bool LiveScreen::turn(Instant now) {
  if (terminal_->took_signal()) {
    writer_.forget();
    dirty_ = answering_ = true;
  }
  const std::string typed = terminal_->read();
  if (!typed.empty()) typed_at_ = now;
  if (!act(decoder_.decode(typed))) return false;
  if (decoder_.waiting() && now - typed_at_ >= kEscape && !act(decoder_.flush())) return false;
  if (now >= due()) draw(now);
  return !terminal_->gone();
}

bool LiveScreen::act(const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    dirty_ = answering_ = true;
    switch (view_.on_key(key)) {
      case LiveView::Request::quit:
        return false;
      case LiveView::Request::suspend:
        terminal_->suspend();
        writer_.forget();
        break;
      case LiveView::Request::redraw:
        writer_.forget();
        break;
      case LiveView::Request::none:
        break;
    }
  }
  return true;
}

void LiveScreen::draw(Instant now) {
  drawn_at_ = now;
  // A terminal that has not taken the last picture gets none: the next one will be newer.
  if (!terminal_->flush()) {
    dirty_ = true;
    return;
  }
  const Terminal::Size size = terminal_->size();
  if (size.rows != grid_.rows() || size.columns != grid_.columns()) grid_ = Grid(size.rows, size.columns, charset_);
  view_.draw(grid_, elapsed_.value_or(now - began_));
  terminal_->send(writer_.show(grid_));
  dirty_ = answering_ = false;
}

}  // namespace ecmp::tui
