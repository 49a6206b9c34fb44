#include "net/host/privilege.hpp"

#include <array>
#include <linux/capability.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "catch.hpp"

using namespace ecmp::net;

namespace {

constexpr std::string_view kStatus =
    "Name:\tx\nUmask:\t0022\nUid:\t1000\t33\t0\t33\nCapInh:\t0000000000000000\n"
    "CapEff:\t0000000000002400\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("what a process runs with is read from its status", "[net]") {
  const auto found = parse_status(kStatus);
  REQUIRE(found);
  CHECK(found->user == "33");  // the effective one
  CHECK(found->capabilities == "net_bind_service,net_raw");
  CHECK(found->no_new_privs);
  CHECK(found->seccomp == "filter");

  const std::string status(kStatus);
  CHECK(parse_status(replaced(status, "0000000000002400", "0000000000000000"))->capabilities == "none");
  CHECK(parse_status(replaced(status, "0000000000002400", "8000010000000000"))->capabilities ==
        "checkpoint_restore,63");
  CHECK(parse_status(replaced(status, "Seccomp:\t2", "Seccomp:\t0"))->seccomp == "off");
  CHECK_FALSE(parse_status(replaced(status, "NoNewPrivs:\t1", "NoNewPrivs:\t0"))->no_new_privs);
}

TEST_CASE("a status that is not one tells nothing", "[net]") {
  CHECK_FALSE(parse_status(""));
  CHECK_FALSE(parse_status("Uid"));
  CHECK_FALSE(parse_status("Uid:\nCapEff:\nNoNewPrivs:\n"));
  CHECK_FALSE(parse_status(replaced(std::string(kStatus), "2400", "24zz")));
}

TEST_CASE("privileges are given up for good, and a user that is not there is told", "[net]") {
  const auto unknown = drop_privileges("no-such-user-here");
  REQUIRE(unknown);
  CHECK(unknown->message == "--user=no-such-user-here: there is no such user");

  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool dropped = !drop_privileges();
    const auto left = read_privileges();
    const bool gone = left && left->capabilities == "none" && left->no_new_privs;
    ::_exit(dropped && gone ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("while there is another thread, which would keep them, privileges are not given up", "[net]") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::thread other([] { ::pause(); });
    other.detach();
    const bool two = count_threads() == std::size_t{2};
    const auto refused = drop_privileges();
    const bool told =
        refused && refused->message == "cannot drop capabilities: there are 2 threads already, each with its own";
    ::_exit(two && told ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("what one thread has, the process has", "[net]") {
  if (::geteuid() != 0) return;  // who has nothing cannot keep anything
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::thread keeps([] { ::pause(); });
    keeps.detach();
    // As drop_privileges() does it, of this thread alone.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    const bool dropped = ::syscall(SYS_capset, &header, none.data()) == 0;
    const auto found = read_privileges();
    ::_exit(dropped && found && found->capabilities.find("net_raw") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
