#include "tui/keys.hpp"

#include <random>
#include <set>
#include <string>

#include "catch.hpp"
#include "tui/key_table.hpp"

using namespace ecmp::tui;
using Kind = Key::Kind;

namespace {

Key only(std::string_view bytes) {
  KeyDecoder decoder;
  std::vector<Key> keys = decoder.decode(bytes);
  for (const Key& key : decoder.flush())
    keys.push_back(key);
  REQUIRE(keys.size() == 1);
  return keys.front();
}

}  // namespace

TEST_CASE("Keys are known in all the ways terminals send them", "[tui][keys]") {
  CHECK(only("\x1b[A") == Key{Kind::up});
  CHECK(only("\x1bOA") == Key{Kind::up});
  CHECK(only("\x1b[1;5B") == Key{Kind::down});
  CHECK(only("\x1b[D") == Key{Kind::left});
  CHECK(only("\x1bOC") == Key{Kind::right});
  CHECK(only("\x1b[5~") == Key{Kind::page_up});
  CHECK(only("\x1b[6~") == Key{Kind::page_down});
  for (const char* home : {"\x1b[H", "\x1b[1~", "\x1b[7~", "\x1bOH"})
    CHECK(only(home) == Key{Kind::home});
  for (const char* end : {"\x1b[F", "\x1b[4~", "\x1b[8~", "\x1bOF"})
    CHECK(only(end) == Key{Kind::end});
  CHECK(only("\x1b[Z") == Key{Kind::back_tab});
  CHECK(only("\t") == Key{Kind::tab});
  CHECK(only("\r") == Key{Kind::enter});
  CHECK(only("\x7f") == Key{Kind::backspace});
  CHECK(only("\x1b") == Key{Kind::escape});
  CHECK(only("q") == character(U'q'));
  CHECK(only("\x0c") == character(12));
  CHECK(only("\xc3\xa4") == character(U'ä'));
  CHECK(only("\x1b[15~") == Key{});  // F5
  CHECK(only("\x1b[[A") == Key{});   // F1 of the Linux console
  CHECK(only("\x1bq") == Key{});     // Alt-q does not quit
}

TEST_CASE("A key that comes in pieces is one key", "[tui][keys]") {
  KeyDecoder decoder;
  CHECK(decoder.decode("\x1b").empty());
  CHECK(decoder.waiting());
  CHECK(decoder.decode("[").empty());
  CHECK(decoder.decode("A") == std::vector<Key>{{Kind::up}});
  CHECK_FALSE(decoder.waiting());
  CHECK(decoder.decode("\xc3").empty());
  CHECK(decoder.decode("\xa4") == std::vector<Key>{character(U'ä')});
}

TEST_CASE("Keys that come together are all known", "[tui][keys]") {
  KeyDecoder decoder;
  CHECK(decoder.decode("j\x1b[Bk\x1b\x1b[A") ==
        std::vector<Key>{character(U'j'), {Kind::down}, character(U'k'), {Kind::escape}, {Kind::up}});
}

TEST_CASE("Bytes that are no keys make nothing happen and are soon forgotten", "[tui][keys]") {
  const std::uint32_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  KeyDecoder decoder;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes;
    for (auto length = random() % 12; length > 0; --length)
      bytes += static_cast<char>(random() % 3 == 0 ? 0x1b : random() % 256);
    for (const Key& key : decoder.decode(bytes)) {
      if (key.kind == Kind::character) REQUIRE(key.code != 0);
      action_of(key);
    }
    if (random() % 4 == 0) decoder.flush();
  }
  decoder.flush();
  decoder.decode("\x1b[" + std::string(100, '1'));
  CHECK_FALSE(decoder.waiting());
}

TEST_CASE("Every action has a line in the help and keys of its own", "[tui][keys]") {
  std::set<Action> actions;
  std::set<std::string> names;
  for (const Binding& binding : bindings()) {
    CHECK(actions.insert(binding.action).second);
    CHECK_FALSE(binding.does.empty());
    CHECK(binding.keys.front().kind != Kind::other);
    for (const Key& key : binding.keys) {
      if (key.kind == Kind::other) continue;
      INFO(to_string(key));
      CHECK(action_of(key) == binding.action);
      CHECK(names.insert(to_string(key)).second);
    }
  }
  CHECK(actions.size() == static_cast<std::size_t>(Action::count_));
  CHECK(action_of({}) == Action::count_);
  CHECK(action_of(character(U'x')) == Action::count_);
}

TEST_CASE("ETR's keys do what they do in ETR", "[tui][keys]") {
  CHECK(action_of({Kind::up}) == Action::up);
  CHECK(action_of(character(U'k')) == Action::up);
  CHECK(action_of({Kind::down}) == Action::down);
  CHECK(action_of(character(U'j')) == Action::down);
  CHECK(action_of({Kind::left}) == Action::previous_view);
  CHECK(action_of(character(U'h')) == Action::previous_view);
  CHECK(action_of({Kind::right}) == Action::next_view);
  CHECK(action_of(character(U'l')) == Action::next_view);
  CHECK(action_of({Kind::tab}) == Action::next_view);
  CHECK(action_of(character(U'?')) == Action::help);
  CHECK(action_of(character(U'q')) == Action::quit);
}
