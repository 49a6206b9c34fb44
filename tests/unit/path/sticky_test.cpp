#include "path/model/sticky.hpp"

#include <string_view>

#include "catch.hpp"

namespace ecmp {
namespace {

Instant at(int seconds) {
  return Instant(std::chrono::seconds(seconds));
}

/// Hears each letter, a second apart, and returns the last hearing.
Hearing hear(Sticky<char>& sticky, std::string_view letters, int start = 1) {
  Hearing last = Hearing::steady;
  for (const char letter : letters)
    last = sticky.hear(letter, at(start++));
  return last;
}

Sticky<char> knowing(char letter) {
  Sticky<char> sticky;
  sticky.set(letter, at(0));
  return sticky;
}

}  // namespace

TEST_CASE("an answer equal to the sticky one resets the candidate, a third one restarts it", "[path]") {
  Sticky<char> sticky = knowing('a');
  CHECK(hear(sticky, "bb") == Hearing::other);
  CHECK(sticky.candidate() == 'b');
  CHECK(sticky.candidate_count() == 2);
  CHECK(sticky.candidate_first() == at(1));
  hear(sticky, "c", 3);
  CHECK(sticky.candidate() == 'c');
  CHECK(sticky.candidate_count() == 1);
  CHECK(sticky.candidate_first() == at(3));
  hear(sticky, "a", 4);
  CHECK_FALSE(sticky.has_candidate());
  CHECK(sticky.value() == 'a');
}

TEST_CASE("a candidate that was not heard for long is told from a young one", "[path]") {
  Sticky<char> sticky = knowing('a');
  hear(sticky, "b", 5);
  CHECK(sticky.has_candidate(at(5)));
  CHECK_FALSE(sticky.has_candidate(at(6)));
}

TEST_CASE("three switches among few values within eight answers are an alternation", "[path]") {
  Sticky<char> sticky = knowing('a');
  CHECK(hear(sticky, "ba") == Hearing::steady);
  CHECK(hear(sticky, "b", 3) == Hearing::alternates);
  Sticky<char> slow = knowing('a');
  CHECK(hear(slow, "bbbbaaaa") == Hearing::steady);
  CHECK(hear(slow, "bbbb", 9) == Hearing::other);
  Sticky<char> wandering = knowing('a');
  CHECK(hear(wandering, "bcdefghijkl") == Hearing::other);
}

TEST_CASE("a balanced value widens, and settles after sixteen same answers", "[path]") {
  Sticky<char> sticky = knowing('a');
  hear(sticky, "bab");
  sticky.balance();
  CHECK(sticky.balanced());
  CHECK(sticky.members().size() == 2);
  CHECK(hear(sticky, "a", 4) == Hearing::steady);
  CHECK(hear(sticky, "c", 5) == Hearing::widened);
  CHECK(sticky.latest() == 'c');
  CHECK_FALSE(sticky.has_candidate());
  CHECK(hear(sticky, "bbbbbbbbbbbbbbb", 6) == Hearing::steady);
  CHECK(sticky.balanced());
  CHECK(hear(sticky, "b", 21) == Hearing::settled);
  CHECK_FALSE(sticky.balanced());
  CHECK(sticky.value() == 'b');
  CHECK(sticky.confirm('b', at(22)));
}

TEST_CASE("a balanced set keeps the eight that were heard last", "[path]") {
  Sticky<char> sticky = knowing('a');
  hear(sticky, "bab");
  sticky.balance();
  CHECK(hear(sticky, "cdefghi", 4) == Hearing::widened);
  CHECK(sticky.members().size() == 8);
  CHECK(sticky.members().front() == 'i');
  CHECK(std::ranges::find(sticky.members(), 'a') == sticky.members().end());
}

TEST_CASE("eight answers of the sticky value in a row bring back the quick way", "[path]") {
  Sticky<char> sticky = knowing('a');
  hear(sticky, "b");
  CHECK_FALSE(sticky.confirm('a', at(2)));
  hear(sticky, "aaaaaaaa", 3);
  CHECK(sticky.confirm('a', at(12)));
}

}  // namespace ecmp
