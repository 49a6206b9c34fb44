#include "network_namespace.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sched.h>
#include <signal.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ecmp::net::test {

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

std::string output_of(const std::string& command) {
  struct Close {
    void operator()(FILE* file) const { ::pclose(file); }
  };
  const std::unique_ptr<FILE, Close> pipe(::popen(command.c_str(), "r"));
  if (!pipe) throw std::runtime_error("failed: " + command);
  std::string text;
  std::array<char, 4096> part{};
  while (std::fgets(part.data(), static_cast<int>(part.size()), pipe.get()))
    text += part.data();
  return text;
}

void enter_new_network() {
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare(CLONE_NEWNET) failed");
  run("ip link set lo up");
}

PeerNetwork::PeerNetwork() {
  std::array<int, 2> ready{};
  if (::pipe(ready.data()) != 0) throw std::runtime_error("pipe failed");
  holder_ = ::fork();
  if (holder_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(1);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;)
      ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  const bool is_ready = ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  if (!is_ready) throw std::runtime_error("no second network namespace");
  run("ip link set lo up");
}

PeerNetwork::~PeerNetwork() {
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
}

void PeerNetwork::run(const std::string& command) const {
  test::run("nsenter -t " + name() + " -n sh -c '" + command + "'");
}

}  // namespace ecmp::net::test
