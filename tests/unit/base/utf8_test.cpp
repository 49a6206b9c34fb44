// Well-formed UTF-8 by Unicode 15, table 3-7 (the same as RFC 3629 section 4).
#include "base/utf8.hpp"

#include <string>

#include "catch.hpp"

using namespace ecmp;

namespace {

struct Read {
  std::optional<char32_t> character;
  std::size_t length = 0;
};

Read read(std::string_view text) {
  Read read;
  read.character = decode_utf8(text, read.length);
  return read;
}

bool refused(std::string_view text) {
  const Read got = read(text);
  return !got.character && got.length == 1;
}

}  // namespace

TEST_CASE("the first and last characters of each length are read", "[utf8]") {
  using namespace std::string_view_literals;
  struct Example {
    std::string_view text;
    char32_t character;
  };
  for (const Example& example :
       {Example{"\x00"sv, 0}, Example{"\x7f", 0x7f}, Example{"\xc2\x80", 0x80}, Example{"\xdf\xbf", 0x7ff},
        Example{"\xe0\xa0\x80", 0x800}, Example{"\xed\x9f\xbf", 0xd7ff}, Example{"\xee\x80\x80", 0xe000},
        Example{"\xef\xbf\xbf", 0xffff}, Example{"\xf0\x90\x80\x80", 0x10000}, Example{"\xf4\x8f\xbf\xbf", 0x10ffff}}) {
    const Read got = read(std::string(example.text) + "x");
    CHECK(got.character == example.character);
    CHECK(got.length == example.text.size());
  }
}

TEST_CASE("overlong forms, surrogates, what is too large, cut off or no beginning is refused byte by byte", "[utf8]") {
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xc2", "\xe2\x82", "\xf0\x9f\x98", "\xc2x", "\xe2\x82x"}) {
    CAPTURE(text);
    CHECK(refused(text));
  }
}

TEST_CASE("controls, noncharacters and marks that hide or turn text are deceptive, letters are not", "[utf8]") {
  for (const char32_t character :
       {0x00u, 0x1bu, 0x7fu, 0x9bu, 0xadu, 0x61cu, 0x200bu, 0x202eu, 0x2066u, 0xfdd0u, 0xfeffu, 0xffffu, 0x1fffeu})
    CHECK(is_deceptive(character));
  for (const char32_t character : {0x20u, 0x7eu, 0xe9u, 0x3b1u, 0x4e2du, 0x1f600u})
    CHECK_FALSE(is_deceptive(character));
}
