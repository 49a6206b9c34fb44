#include "net/host/sandbox.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "catch.hpp"

using namespace ecmp::net;

namespace {

/// What a call comes to in a process of its own under the filter: its errno, 0 if it succeeded, or minus the signal
/// that ended the process.
int under(Sandbox mode, const std::function<bool()>& call) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // the test's own handler would report
    if (enter_sandbox(mode)) ::_exit(255);
    errno = 0;
    ::_exit(call() ? 0 : errno);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool opens(int family, int kind) {
  return ::socket(family, kind, 0) >= 0;
}

bool maps(int protection) {
  return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

}  // namespace

TEST_CASE("under the filter a process can do its own work", "[net][sandbox]") {
  if (!kSandboxBuilt) return;
  const auto works = [](const std::function<bool()>& call) { return under(Sandbox::kill, call); };
  CHECK(works([] { return true; }) == 0);
  CHECK(works([] {
          return opens(AF_INET, SOCK_DGRAM) && opens(AF_UNIX, SOCK_STREAM) && opens(AF_NETLINK, SOCK_RAW);
        }) == 0);
  CHECK(works([] { return maps(PROT_READ | PROT_WRITE) && maps(PROT_READ | PROT_EXEC); }) == 0);
  CHECK(works([] {
          bool ran = false;
          std::thread([&] { ran = true; }).join();
          return ran;
        }) == 0);
  CHECK(works([] {
          rlimit limit{};
          return ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
        }) == 0);
  CHECK(works([] {
          std::array<int, 2> ends{};
          return ::pipe2(ends.data(), O_CLOEXEC) == 0;
        }) == 0);
  CHECK(works([]() -> bool { ::abort(); }) == -SIGABRT);
}

TEST_CASE("what an intruder would do ends the process, in every mode", "[net][sandbox]") {
  if (!kSandboxBuilt) return;
  for (const Sandbox mode : {Sandbox::on, Sandbox::kill}) {
    CHECK(under(mode, [] { return ::execl("/bin/true", "true", nullptr) == 0; }) == -SIGSYS);
    CHECK(under(mode, [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }) == -SIGSYS);
    CHECK(under(mode, [] { return ::unshare(CLONE_NEWUSER) == 0; }) == -SIGSYS);
    CHECK(under(mode, [] { return ::syscall(SYS_bpf, 0, nullptr, 0) == 0; }) == -SIGSYS);
    CHECK(under(mode, [] { return ::setuid(1) == 0; }) == -SIGSYS);
  }
}

TEST_CASE("arguments that are not ours are refused", "[net][sandbox]") {
  if (!kSandboxBuilt) return;
  const auto refusal = [](const std::function<bool()>& call) { return under(Sandbox::kill, call); };
  CHECK(refusal([] { return opens(AF_PACKET, SOCK_DGRAM); }) == EAFNOSUPPORT);
  CHECK(refusal([] { return opens(AF_ALG, SOCK_SEQPACKET); }) == EAFNOSUPPORT);
  CHECK(refusal([] { return maps(PROT_READ | PROT_WRITE | PROT_EXEC); }) == EPERM);
  CHECK(refusal([] {
          void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
        }) == EPERM);
  CHECK(refusal([] { return ::fork() >= 0; }) == EPERM);
  CHECK(refusal([] {
          const rlimit limit{10, 10};
          return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
        }) == EPERM);
  CHECK(refusal([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) == 0; }) == EPERM);
}

TEST_CASE("a call that is not on the list fails, and ends the process only when that is asked for", "[net][sandbox]") {
  if (!kSandboxBuilt) return;
  const auto call = [] { return ::syscall(SYS_acct, nullptr) == 0; };
  CHECK(under(Sandbox::on, call) == ENOSYS);
  CHECK(under(Sandbox::kill, call) == -SIGSYS);
  CHECK(under(Sandbox::off, call) != ENOSYS);
}

#ifdef __x86_64__
TEST_CASE("another table of system calls ends the process", "[net][sandbox]") {
  if (!kSandboxBuilt) return;
  // getpid of x32, and of i386 by its gate.
  CHECK(under(Sandbox::on, [] { return ::syscall(0x40000000 + SYS_getpid) > 0; }) == -SIGSYS);
  const auto i386 = [] {
    long number = 20;
    asm volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
    return number > 0;
  };
  CHECK(under(Sandbox::on, i386) < 0);  // SIGSYS, or SIGSEGV where the kernel has no such gate
}
#endif
