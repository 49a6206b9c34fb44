#include <fstream>
#include <random>

#include "config/text.hpp"
#include "parsing.hpp"

using ecmp::config::parse;
using ecmp::config::Problem;
using ecmp::config::problems_of;

namespace {

/// The reference configuration, every key of it, without the comments: so that most mutations hit something.
std::string reference() {
  std::ifstream file(ECMP_SOURCE_DIR "/configs/ecmp_exporter.toml", std::ios::binary);
  std::string bare;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line == "#" || line.starts_with("# ")) continue;
    bare += (line.starts_with('#') ? line.substr(1) : line) + "\n";
  }
  return bare;
}

std::string mutate(std::string text, std::mt19937_64& random) {
  // Pieces that mean something to TOML or to us find more than random bytes do.
  static constexpr std::string_view kPieces[] = {"\"",
                                                 "'",
                                                 "\"\"\"",
                                                 "'''",
                                                 "[",
                                                 "]",
                                                 "[[",
                                                 "]]",
                                                 "{",
                                                 "}",
                                                 "=",
                                                 ",",
                                                 ".",
                                                 "#",
                                                 "\n",
                                                 "\r",
                                                 "\\",
                                                 "\\u00",
                                                 "_",
                                                 "-",
                                                 "1e999",
                                                 "nan",
                                                 "inf",
                                                 "true",
                                                 "99999999999999999999",
                                                 "0x",
                                                 "0b1",
                                                 "1979-05-27",
                                                 "07:32:00",
                                                 "\xef\xbb\xbf",
                                                 "\xef\xbb\xbe",
                                                 "\xc3\xa9",
                                                 "\xed\xa0\x80",
                                                 "\xff",
                                                 std::string_view("\0", 1),
                                                 "[[destination]]\n",
                                                 "host=\"::1\"\n",
                                                 "flows=",
                                                 "a.b.c.d=1\n",
                                                 "\"s\"",
                                                 "source_port = 65535\n",
                                                 "\xe3\x80\x80",
                                                 "\x1b",
                                                 "\xf4\x8f\xbf\xbf",
                                                 "labels.x=1\n"};
  const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    if (text.empty()) return text;
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      case 2:
        text.erase(at, 1 + below(12));
        break;
      case 3:
        text.insert(below(text.size()), text.substr(at, below(40)));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text.replace(at, 1, kPieces[below(std::size(kPieces))]);
        break;
    }
  }
  return text;
}

/// What holds of the outcome for any bytes.
void check_outcome(const std::string& text) {
  const auto outcome = parse(text, "test.toml");
  const auto* problems = std::get_if<std::vector<Problem>>(&outcome);
  if (problems == nullptr) return;
  if (problems->empty()) FAIL("neither a configuration nor a problem");
  for (const Problem& problem : *problems) {
    if (problem.line == 0 || problem.column == 0 || problem.message.empty()) FAIL("a problem without place or words");
    if (ecmp::config::has_control(problem.message)) FAIL("a control character in: " << problem.message);
  }
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  text.reserve(piece.size() * times);
  for (std::size_t i = 0; i < times; ++i)
    text += piece;
  return text;
}

}  // namespace

TEST_CASE("mutations of a good file end in a configuration or in problems", "[config]") {
  constexpr std::uint64_t kSeed = 20260101;
  constexpr int kMutations = 100'000;
  CAPTURE(kSeed);
  const std::string good = reference();
  REQUIRE(good.size() > 500);
  REQUIRE(problems_of(good).empty());
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < kMutations; ++i) {
    CAPTURE(i);
    check_outcome(mutate(good, random));
  }
}

TEST_CASE("random bytes end in problems", "[config]") {
  constexpr std::uint64_t kSeed = 7;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 10'000; ++i) {
    CAPTURE(i);
    std::string text(random() % 200, '\0');
    for (char& byte : text)
      byte = static_cast<char>(random());
    check_outcome(text);
  }
}

TEST_CASE("every character in every place ends in a configuration or in problems", "[config]") {
  for (char32_t point = 1; point < 0x110000; point += point < 0x3100 || point > 0xfe00 ? 1 : 97) {
    if (point >= 0x10000 && point % 4099 != 0) continue;
    std::string utf8;
    if (point < 0x80) {
      utf8 += static_cast<char>(point);
    } else if (point < 0x800) {
      utf8 += static_cast<char>(0xc0 | (point >> 6));
    } else if (point < 0x10000) {
      utf8 += static_cast<char>(0xe0 | (point >> 12));
      utf8 += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
    } else {
      utf8 += static_cast<char>(0xf0 | (point >> 18));
      utf8 += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
      utf8 += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
    }
    if (point >= 0x80) utf8 += static_cast<char>(0x80 | (point & 0x3f));
    CAPTURE(static_cast<std::uint32_t>(point));
    for (const std::string& text :
         {utf8, "[web" + utf8 + "]", "a" + utf8 + "= 1", "a = " + utf8, "a = 1" + utf8, "# " + utf8,
          "a = \"" + utf8 + "\"", "'" + utf8 + "' = 1", "a = \"\"\"\\" + utf8 + "\"\"\"",
          "a = \"\"\"\\\n" + utf8 + "\"\"\"", "a = \"\\" + utf8 + "\""})
      check_outcome(text);
  }
}

TEST_CASE("what is nested without end does not overflow the stack", "[config]") {
  constexpr std::size_t kDeep = 200'000;
  CHECK(problems_of("a" + repeated(".a", kDeep) + " = 1") == "test.toml:1:16: a key of more than 8 dotted parts\n");
  CHECK(problems_of("[a" + repeated(".\"a\"", kDeep) + "]") == "test.toml:1:31: a key of more than 8 dotted parts\n");
  CHECK(problems_of("a = " + repeated("[", kDeep)) == "test.toml:1:21: brackets nested more than 16 deep\n");
  CHECK(problems_of("a = " + repeated("{a=", kDeep)) == "test.toml:1:53: brackets nested more than 16 deep\n");
  CHECK(problems_of("a = " + repeated("{a=[", kDeep)) == "test.toml:1:37: brackets nested more than 16 deep\n");
}

TEST_CASE("strings and comments do not hide what is nested", "[config]") {
  const std::string deep = "b" + repeated(".b", 100) + " = 1\n";
  for (const char* prefix :
       {"a = \"\\\\\"\n", "a = \"'\"\n", "a = '\\'\n", "a = '\"'\n", "a = \"\"\"\"\"\"\n", "a = ''''''\n",
        "a = \"\"\"x\"\"\"\"\"\n", "a = '''x'''''\n", "a = \"\"\"\\\"\"\"\"\n", "a = \"\"\"\\\\\"\"\"\n",
        "a = '''\\'''\n", "a = \"\"\n", "a = ''\n", "# \"\"\"\n", "a = \"#\"\n", "a = \"\\\"#\"\n",
        "a = [\n'#', # '''\n]\n", "a = \"\"\"\\\n  \\\"\"\"\"\n"}) {
    CAPTURE(prefix);
    // The prefix itself must be TOML, or toml++ would stop in it.
    CHECK(problems_of(prefix).find("not TOML") == std::string::npos);
    CHECK_THAT(problems_of(prefix + deep), Catch::Contains("a key of more than 8 dotted parts"));
  }
}

TEST_CASE("a long file is read in a time that grows with its length", "[config]") {
  std::string text;
  for (int i = 0; i < 10'000; ++i)
    text += "[[destination]]\nname = \"n" + std::to_string(i) + "\"\nhost = \"10." + std::to_string(i / 250) + "." +
            std::to_string(i % 250) + ".1\"\nlabels = { site = \"fra\" }\n";
  CHECK(ecmp::config::must_parse(text).destinations.size() == 10'000);
  text += "[[destination]]\nhost = \"192.0.2.1\"\n";
  CHECK(problems_of(text) ==
        "test.toml:40001:1: [[destination]]: one of 10001, more than max_destinations of [limits], 10000\n");
  CHECK(problems_of(std::string((64u << 20) + 1, '#')) ==
        "test.toml:1:1: the file has 67108865 bytes, more than 67108864\n");
}

TEST_CASE("a value is quoted from wherever it stands in a long line", "[config]") {
  // Two bytes a character, so that columns and bytes part ways.
  for (const std::size_t before : {0u, 1u, 40u, 41u, 42u, 43u, 44u, 45u, 62u, 63u, 64u, 65u, 127u, 128u, 129u, 1000u}) {
    CAPTURE(before);
    const std::string text = "probe = { family = \"" + repeated("\xc3\xa9", before) + "\", flows = 70000 }\n";
    CHECK_THAT(problems_of(text), Catch::Contains("test.toml:1:" + std::to_string(before + 32) +
                                                  ": flows = 70000: expected a whole number"));
  }
}

TEST_CASE("a line of many values costs no more than as many lines", "[config]") {
  CHECK(problems_of("a = [" + repeated("1,", 500'000) + "]") == "test.toml:1:1: unknown key \"a\"\n");
}
