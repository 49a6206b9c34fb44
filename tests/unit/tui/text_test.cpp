#include "tui/text.hpp"

#include <clocale>
#include <cwchar>
#include <random>
#include <string>

#include "catch.hpp"

using namespace ecmp::tui;

TEST_CASE("Texts of the network keep what every terminal shows alike", "[tui][text]") {
  CHECK(printable("ae1.fra1.example.net") == "ae1.fra1.example.net");
  CHECK(printable("köln-Ω-Жук-ä") == "köln-Ω-Жук-ä");
  CHECK(width_of("köln") == 4);
  CHECK(width_of("東京.example") == 12);
  CHECK(width_of("한국") == 4);
  CHECK(width_of("") == 0);
}

TEST_CASE("Texts of the network have no power over the terminal", "[tui][text]") {
  CHECK(printable("a\x1b[2Jb") == "a?[2Jb");
  CHECK(printable(std::string_view("a\0b\r\n\t\x7f", 7)) == "a?b????");
  CHECK(printable("\xc2\x9b"
                  "31m") == "?31m");  // CSI as one C1 control
  CHECK(printable("a\xe2\x80\xae"
                  "b") == "a?b");         // right-to-left override
  CHECK(printable("e\xcc\x81") == "e?");  // a combining accent
  CHECK(printable("a\xe2\x80\x8b"
                  "b") == "a?b");                        // zero width space
  CHECK(printable("\xd7\xa9\xd7\x9c") == "??");          // a script that runs to the left
  CHECK(printable("\xf0\x9f\x98\x80") == "?");           // of no agreed width
  CHECK(printable("\xef\xbf\xbe\xee\x80\x80") == "??");  // no character, private use
}

TEST_CASE("Bytes that are no UTF-8 come back as one mark each", "[tui][text]") {
  CHECK(printable("\xff\xfe") == "??");
  CHECK(printable("\xc3") == "?");
  CHECK(printable("\xc3(") == "?(");
  CHECK(printable("\xc0\xaf") == "??");            // not the shortest form
  CHECK(printable("\xe0\x80\xaf") == "???");       // neither
  CHECK(printable("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "????");  // beyond Unicode
  CHECK(printable("\xe6\x9d") == "??");            // cut
}

TEST_CASE("Any bytes become as many columns as they are told to be, without controls", "[tui][text]") {
  const std::uint32_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes;
    for (auto length = random() % 24; length > 0; --length)
      bytes += static_cast<char>(random() % 4 == 0 ? random() % 128 : random() % 256);
    const std::string shown = printable(bytes);
    REQUIRE(width_of(shown) == width_of(bytes));
    REQUIRE(printable(shown) == shown);
    for (const char byte : shown)
      REQUIRE((static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f));
  }
}

TEST_CASE("Widths are those of the C library for all that is let through", "[tui][text]") {
  const char* const before = std::setlocale(LC_CTYPE, nullptr);
  const std::string old = before == nullptr ? "C" : before;
  REQUIRE(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr);
  std::size_t wide = 0;
  for (char32_t code = 0x20; code < 0x30000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::string text;
    append_utf8(text, code);
    std::string_view rest = text;
    const Symbol symbol = take_symbol(rest);
    REQUIRE(rest.empty());
    if (symbol.code == U'?' && code != U'?') continue;
    INFO("U+" << std::hex << static_cast<std::uint32_t>(code));
    REQUIRE(symbol.code == code);
    REQUIRE(::wcwidth(static_cast<wchar_t>(code)) == symbol.width);
    wide += symbol.width == 2 ? 1 : 0;
  }
  std::setlocale(LC_CTYPE, old.c_str());
  CHECK(wide > 50000);
}

TEST_CASE("Parts of texts are found whatever their case", "[tui][text]") {
  CHECK(contains("ae1.FRA1.example.net", "fra1"));
  CHECK(contains("anything", ""));
  CHECK_FALSE(contains("fra1", "fra12"));
}
