#include "trace/line_output.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "catch.hpp"

using namespace ecmp;
using Outcome = LineOutput::Outcome;

namespace {

/// A directory of its own, gone with it.
class Directory {
 public:
  Directory() {
    std::string name = "/tmp/ecmp-line-output-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() {
    ::unlink(file().c_str());
    ::rmdir(path_.c_str());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] std::string file() const { return path_ + "/lines"; }

 private:
  std::string path_;
};

std::string read(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What is written to standard output goes into a pipe for a while.
class PipedOutput {
 public:
  PipedOutput() : before_(::dup(STDOUT_FILENO)) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    reader_ = net::FileDescriptor(ends[0]);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[1]);
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~PipedOutput() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
    std::signal(SIGPIPE, SIG_DFL);
  }
  PipedOutput(const PipedOutput&) = delete;
  PipedOutput& operator=(const PipedOutput&) = delete;
  net::FileDescriptor& reader() { return reader_; }

 private:
  int before_;
  net::FileDescriptor reader_;
};

}  // namespace

TEST_CASE("a file is emptied, and each write is in it at once", "[trace]") {
  const Directory directory;
  std::ofstream(directory.file()) << "old lines\n";
  auto output = LineOutput::create(directory.file());
  REQUIRE(output.ok());
  CHECK(read(directory.file()).empty());
  CHECK(output->write("one\n", -1) == Outcome::written);
  CHECK(read(directory.file()) == "one\n");
  CHECK(output->write("two\n", -1) == Outcome::written);
  CHECK(read(directory.file()) == "one\ntwo\n");
}

TEST_CASE("a file that cannot be created, or a full disk, is told in words", "[trace]") {
  const auto missing = LineOutput::create("/nonexistent/lines");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error() == "cannot write /nonexistent/lines: No such file or directory");
  auto full = LineOutput::create("/dev/full");
  REQUIRE(full.ok());
  CHECK(full->write("one\n", -1) == Outcome::failed);
  CHECK(full->error() == "cannot write /dev/full: No space left on device");
}

TEST_CASE("a reader that is gone is no failure", "[trace]") {
  Outcome outcome = Outcome::written;
  {
    PipedOutput piped;
    piped.reader() = {};
    outcome = LineOutput::standard_output().write("one\n", -1);
  }
  CHECK(outcome == Outcome::reader_gone);
}

TEST_CASE("a reader that stalls is waited for, but not once the program is to end", "[trace]") {
  const net::FileDescriptor stop(::eventfd(1, EFD_CLOEXEC));  // readable from the start
  Outcome outcome = Outcome::written;
  std::string error;
  {
    PipedOutput piped;
    LineOutput output = LineOutput::standard_output();
    outcome = output.write(std::string(1 << 20, 'x'), stop.get());
    error = output.error();
  }
  CHECK(outcome == Outcome::failed);
  CHECK(error == "standard output: its reader has stalled, the last lines are not written");
}
