#include "tui/terminal.hpp"

#include <cstdlib>
#include <optional>
#include <string>

#include "catch.hpp"

using namespace ecmp::tui;

namespace {

/// A variable of the environment for as long as this lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Environment() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

Charset charset(const char* all, const char* ctype, const char* lang) {
  const Environment first("LC_ALL", all);
  const Environment second("LC_CTYPE", ctype);
  const Environment third("LANG", lang);
  return charset_of_locale();
}

}  // namespace

TEST_CASE("Colours are as many as the environment says", "[tui][terminal]") {
  CHECK(colour_depth({"xterm-256color", nullptr, nullptr}) == ColourDepth::palette);
  CHECK(colour_depth({"xterm-256color", "truecolor", nullptr}) == ColourDepth::truecolour);
  CHECK(colour_depth({"tmux-256color", "24bit", nullptr}) == ColourDepth::truecolour);
  CHECK(colour_depth({"xterm-direct", nullptr, nullptr}) == ColourDepth::truecolour);
  CHECK(colour_depth({"linux", nullptr, nullptr}) == ColourDepth::sixteen);
  CHECK(colour_depth({"vt220", nullptr, nullptr}) == ColourDepth::none);
  CHECK(colour_depth({nullptr, nullptr, nullptr}) == ColourDepth::none);
  CHECK(colour_depth({"xterm-256color", "truecolor", "1"}) == ColourDepth::none);
  CHECK(colour_depth({"xterm-256color", nullptr, ""}) == ColourDepth::palette);
}

TEST_CASE("What is drawn with is as the locale says, also when it is not installed", "[tui][terminal]") {
  CHECK(charset(nullptr, nullptr, "C") == Charset::ascii);
  CHECK(charset(nullptr, nullptr, nullptr) == Charset::ascii);
  CHECK(charset(nullptr, nullptr, "C.UTF-8") == Charset::unicode);
  CHECK(charset(nullptr, nullptr, "xx_YY.UTF-8") == Charset::unicode);
  CHECK(charset(nullptr, nullptr, "xx_YY.ISO-8859-1") == Charset::ascii);
  CHECK(charset("C", nullptr, "C.UTF-8") == Charset::ascii);
  CHECK(charset(nullptr, "C.utf8", "C") == Charset::unicode);
}
