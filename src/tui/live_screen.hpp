#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "tui/keys.hpp"
#include "tui/live_view.hpp"
#include "tui/screen_writer.hpp"
#include "tui/terminal.hpp"

namespace ecmp::tui {

/// The live view on the terminal. It has no thread: whoever owns it polls the descriptors together with its own, no
/// longer than wait() says, and calls turn(). It never waits for the terminal.
class LiveScreen {
 public:
  /// Takes the terminal over, until it is destroyed. `now` is any monotonic time, as long as it is the same in turn().
  static Result<std::unique_ptr<LiveScreen>> open(std::shared_ptr<const DestinationFacts> facts,
                                                  LiveView::Options options, Instant now);

  /// What is shown; tell touched() after a change.
  LiveView& view() { return view_; }
  void touched() { dirty_ = true; }
  /// What the clock in the title says from now on; without it, the time since open().
  void set_elapsed(Duration elapsed) { elapsed_ = elapsed; }

  /// To poll for reading. The second one only tells of signals.
  [[nodiscard]] std::array<int, 2> descriptors() const {
    return {terminal_->descriptor(), terminal_->signal_descriptor()};
  }
  /// For how long nothing is to be done unless a descriptor is readable.
  [[nodiscard]] Duration wait(Instant now) const;

  /// Acts on keys and draws what is due. False: the user wants to quit, or the terminal is gone.
  bool turn(Instant now);

 private:
  // Ten pictures a second are more than anybody reads; a key should be answered at once.
  static constexpr Duration kPicture = std::chrono::milliseconds(100);
  static constexpr Duration kAnswer = std::chrono::milliseconds(15);
  static constexpr Duration kEscape = std::chrono::milliseconds(25);  ///< after which Escape was a key

  LiveScreen(std::unique_ptr<Terminal> terminal, std::shared_ptr<const DestinationFacts> facts,
             LiveView::Options options, Instant now);
  bool act(const std::vector<Key>& keys);
  void draw(Instant now);
  [[nodiscard]] Instant due() const;

  std::unique_ptr<Terminal> terminal_;
  LiveView view_;
  ScreenWriter writer_;
  KeyDecoder decoder_;
  Charset charset_;
  Grid grid_{0, 0};
  Instant began_;
  std::optional<Duration> elapsed_;
  Instant drawn_at_;
  Instant typed_at_{};
  bool dirty_ = true;
  bool answering_ = true;  ///< a key asks for the picture
};

}  // namespace ecmp::tui
