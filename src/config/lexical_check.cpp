#include "config/lexical_check.hpp"

#include <fmt/format.h>
#include <string>

#include "config/text.hpp"

namespace ecmp::config {

namespace {

constexpr int kDeepestKey = 8;
constexpr int kDeepestNesting = 16;

class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  std::optional<Problem> run() {
    while (!over()) {
      const char32_t point = next();
      if (over_ || problem_) break;
      if (point == '#') {
        comment();
      } else if (point == '"' || point == '\'') {
        string(static_cast<char>(point));
      } else {
        structure(point);
      }
    }
    return problem_;
  }

 private:
  [[nodiscard]] bool over() const { return over_ || problem_ || at_ >= text_.size(); }
  [[nodiscard]] bool follows(std::string_view expected) const { return text_.substr(at_).starts_with(expected); }

  void fail(std::string message) {
    if (!problem_) problem_ = Problem{line_, column_, std::move(message)};
  }

  /// The next code point, counting lines and columns as toml++ does: by code points, from 1.
  char32_t next() {
    line_ = next_line_;
    column_ = next_column_;
    const std::size_t begin = at_;
    const auto point = decode_utf8(text_, at_);
    if (!point) {
      fail(fmt::format("byte {} is not UTF-8", in_quotes(text_.substr(begin, 1))));
      return 0;
    }
    if (*point == '\n') {
      ++next_line_;
      next_column_ = 1;
    } else {
      ++next_column_;
    }
    return *point;
  }

  void comment() {
    while (!over() && text_[at_] != '\n')
      next();
  }

  void string(char quote) {
    const std::string triple(3, quote);
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with(std::string_view(triple).substr(1))) {
      next();
      next();
      multi_line_string(quote, triple);
      return;
    }
    while (!over()) {
      const char32_t point = next();
      if (point == static_cast<char32_t>(quote)) return;
      // Not TOML: toml++ stops here with its own words.
      if (point == '\n') over_ = true;
      if (point == '\\' && quote == '"' && !over() && text_[at_] != '\n') next();
    }
  }

  void multi_line_string(char quote, const std::string& triple) {
    bool trimming = false;  // after a backslash toml++ asks of each character whether it is white space
    while (!over()) {
      if (follows(triple)) {
        // Up to two quotes may stand right before the closing three (TOML 1.0, "Multi-line basic strings").
        for (int i = 0; i < 5 && !over() && text_[at_] == quote; ++i)
          next();
        return;
      }
      const char32_t point = next();
      if (trimming && point > 0x7f) fail("a character beyond ASCII right after a backslash: write it as \\uXXXX");
      const bool white = point == ' ' || point == '\t' || point == '\r' || point == '\n';
      if (!white) trimming = false;
      if (point != '\\' || quote != '"' || over()) continue;
      if (text_[at_] == '"' || text_[at_] == '\\') {
        next();
      } else {
        trimming = true;
      }
    }
  }

  void structure(char32_t point) {
    if (point > 0x7f) fail(fmt::format("U+{:04X} outside of a string", static_cast<std::uint32_t>(point)));
    if (point == '.') {
      if (++dots_ >= kDeepestKey) fail(fmt::format("a key of more than {} dotted parts", kDeepestKey));
    } else if (point == '[' || point == '{') {
      dots_ = 0;
      if (++depth_ > kDeepestNesting) fail(fmt::format("brackets nested more than {} deep", kDeepestNesting));
    } else if (point == ']' || point == '}') {
      dots_ = 0;
      if (depth_ > 0) --depth_;
    } else if (point == '\n' || point == '=' || point == ',') {
      dots_ = 0;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
  std::uint32_t next_line_ = 1;
  std::uint32_t next_column_ = 1;
  int dots_ = 0;
  int depth_ = 0;
  bool over_ = false;
  std::optional<Problem> problem_;
};

}  // namespace

std::optional<Problem> find_unsafe(std::string_view text) {
  if (text.size() > kLargestText)
    return Problem{1, 1, fmt::format("the file has {} bytes, more than {}", text.size(), kLargestText)};
  return Walk(text).run();
}

}  // namespace ecmp::config
