#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "tui/cells.hpp"
#include "tui/screen_writer.hpp"

namespace ecmp::tui {

/// What the environment says of a terminal. Every part may be null: not set.
struct TerminalEnvironment {
  const char* term = nullptr;       ///< TERM
  const char* colorterm = nullptr;  ///< COLORTERM
  const char* no_color = nullptr;   ///< NO_COLOR
};
ColourDepth colour_depth(const TerminalEnvironment& environment);

/// Unicode if the locale of the environment says UTF-8, also when that locale is not installed here.
Charset charset_of_locale();

/// The terminal behind standard output, taken over: no echo, no line editing, another screen. There is at most one. It
/// is given back as it was by the destructor, at exit, on crashes, and on signals that nobody else wants to have.
class Terminal {
 public:
  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };

  /// The error is one line for the user: standard output is no terminal, or not one that can show this.
  static Result<std::unique_ptr<Terminal>> open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] Size size() const;

  /// To poll for keys; never blocks.
  [[nodiscard]] int descriptor() const;
  /// Readable when took_signal() has something to say.
  [[nodiscard]] int signal_descriptor() const;

  /// Whether it was resized or the program continued since the last call: what it shows is not known then.
  bool took_signal();
  /// What was typed; empty if nothing was. `gone()` when there is no terminal any more.
  std::string read();
  [[nodiscard]] bool gone() const { return gone_; }

  /// Sends what the terminal takes now and keeps the rest: a terminal that was stopped, or is far away, holds up
  /// nobody.
  void send(std::string_view bytes);
  /// Whether all was sent; tries to send more.
  bool flush();

  /// Gives the terminal back, stops the process until somebody continues it, and takes the terminal again.
  void suspend();

 private:
  Terminal() = default;
  Result<bool> take_over();
  void enter();

  std::string pending_;
  bool gone_ = false;
  std::unique_ptr<char[]> signal_stack_;  // NOLINT(*-avoid-c-arrays): sigaltstack wants one
};

}  // namespace ecmp::tui
