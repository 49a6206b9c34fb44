#include "net/http/http_password.hpp"

#include <chrono>
#include <crypt.h>
#include <thread>

#include "catch.hpp"

using ecmp::Instant;
using ecmp::net::Credentials;
using ecmp::net::monotonic_now;
using ecmp::net::PasswordCheck;
using ecmp::net::read_credentials;
using ecmp::net::StopSignal;
using Outcome = PasswordCheck::Outcome;

namespace {

/// With the least cost that there is, 4: some milliseconds.
std::string hash_of(const std::string& password, const std::string& prefix = "$2b$04$") {
  crypt_data scratch{};
  const std::string setting = prefix + "abcdefghijklmnopqrstuu";
  const char* hash = crypt_rn(password.c_str(), setting.c_str(), &scratch, sizeof scratch);
  REQUIRE(hash != nullptr);
  return hash;
}

Instant soon() {
  return monotonic_now() + std::chrono::minutes(1);
}

}  // namespace

TEST_CASE("credentials are read as RFC 7617 writes them", "[http]") {
  const auto aladdin = read_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  REQUIRE(aladdin);
  CHECK(aladdin->user == "Aladdin");
  CHECK(aladdin->password == "open sesame");
  CHECK(read_credentials("bAsIc   YTpiOmM=")->password == "b:c");
  CHECK(read_credentials("Basic Og==")->user.empty());
  CHECK(read_credentials("Basic YTr+/w==")->password == "\xfe\xff");
  for (const char* wrong : {"", "Basic", "Basic ", "Basic YWJj", "Basic YTpi=", "Basic YTpi\n", "Basic  ",
                            "Bearer YTpi", "Basic YTpiYTpi\n\n\n\n", "Basic YT.i",
                            "Basic Y===", "Basic ====", "Basic YQA6YgBj", "Basic Og==Og==", "Basic YTpiAGM="}) {
    CAPTURE(wrong);
    // "YQA6YgBj" and "YTpiAGM=" hold a NUL in the password.
    CHECK_FALSE(read_credentials(wrong));
  }
}

TEST_CASE("the right password is let in, a wrong one and an unknown user are not", "[http]") {
  const StopSignal stop;
  PasswordCheck check(
      {{"alice", hash_of("open sesame")}, {"bob", hash_of("x", "$2y$04$")}, {"eve", hash_of("y", "$2a$04$")}});
  CHECK(check.check({"alice", "open sesame"}, stop, soon()) == Outcome::right);
  CHECK(check.check({"bob", "x"}, stop, soon()) == Outcome::right);
  CHECK(check.check({"eve", "y"}, stop, soon()) == Outcome::right);
  for (const Credentials& wrong :
       {Credentials{"alice", "open sesam"}, Credentials{"alice", ""}, Credentials{"Alice", "open sesame"},
        Credentials{"", ""}, Credentials{"bob", "open sesame"}, Credentials{"nobody", "x"}}) {
    CAPTURE(wrong.user, wrong.password);
    const auto before = check.computed();
    CHECK(check.check(wrong, stop, soon()) == Outcome::wrong);
    CHECK(check.computed() == before + 1);  // an unknown user costs a hash, too
  }
}

TEST_CASE("good credentials cost one hash, wrong ones one each time", "[http]") {
  const StopSignal stop;
  PasswordCheck check({{"alice", hash_of("a")}});
  for (int i = 0; i < 5; ++i)
    CHECK(check.check({"alice", "a"}, stop, soon()) == Outcome::right);
  CHECK(check.computed() == 1);
  for (int i = 0; i < 3; ++i)
    CHECK(check.check({"alice", "b"}, stop, soon()) == Outcome::wrong);
  CHECK(check.computed() == 4);
  CHECK(check.remembered() == 1);
}

TEST_CASE("what is remembered of credentials is bounded", "[http]") {
  const StopSignal stop;
  PasswordCheck::Users users;
  constexpr std::size_t kUsers = PasswordCheck::kRemembered + 6;
  for (std::size_t i = 0; i < kUsers; ++i)
    users["user" + std::to_string(i)] = hash_of("same");
  PasswordCheck check(users);
  for (const auto& [user, hash] : users)
    CHECK(check.check({user, "same"}, stop, soon()) == Outcome::right);
  CHECK(check.remembered() == PasswordCheck::kRemembered);
  const auto computed = check.computed();
  CHECK(check.check({users.rbegin()->first, "same"}, stop, soon()) == Outcome::right);
  CHECK(check.computed() == computed);
  CHECK(check.check({users.begin()->first, "same"}, stop, soon()) == Outcome::right);  // the oldest were forgotten
  CHECK(check.computed() == computed + 1);
}

TEST_CASE("many at once with the same good password cost one hash", "[http]") {
  const StopSignal stop;
  PasswordCheck check({{"alice", hash_of("a")}});
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      if (check.check({"alice", "a"}, stop, soon()) == Outcome::right) ++right;
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(right == 16);
  CHECK(check.computed() == 1);
}

TEST_CASE("who waits for a turn gives up at the deadline, and when the server stops", "[http]") {
  StopSignal stop;
  PasswordCheck check({{"alice", hash_of("a")}, {"slow", hash_of("b", "$2b$11$")}});
  std::atomic<bool> over = false;
  std::thread slow([&] {
    while (!over)
      check.check({"slow", "wrong"}, stop, soon());
  });
  // Some come while the slow one is computed; without a deadline ahead they are turned away.
  int busy = 0;
  const Instant limit = soon();
  while (busy == 0 && monotonic_now() < limit) {
    if (check.check({"nobody", "x"}, stop, monotonic_now()) == Outcome::busy) ++busy;
  }
  CHECK(busy > 0);
  stop.raise();
  busy = 0;
  while (busy == 0 && monotonic_now() < limit) {
    if (check.check({"nobody", "x"}, stop, soon()) == Outcome::busy) ++busy;
  }
  CHECK(busy > 0);
  over = true;
  slow.join();
}
