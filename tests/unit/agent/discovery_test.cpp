#include "agent/discovery/discovery.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <unistd.h>

#include "../config/parsing.hpp"
#include "catch.hpp"

using namespace ecmp;
namespace fs = std::filesystem;

namespace {

/// A directory of its own for each test, and what is told of sources in it.
struct Sources {
  Sources() {
    fs::create_directories(root);
    auto opened =
        Discovery::open((root / "c.toml").string(), {.wake = [] {},
                                                     .tell =
                                                         [this](bool bad, auto source, auto line) {
                                                           told.push_back((bad ? "bad " : "good ") +
                                                                          fs::path(source).filename().string() + ": " +
                                                                          std::string(line));
                                                         }});
    REQUIRE(opened.ok());
    discovery = std::move(*opened);
  }
  ~Sources() { fs::remove_all(root); }

  void configure(const std::string& text) {
    discovery->configure(std::make_shared<config::Config>(config::must_parse(text)));
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / (name + ".new"), std::ios::binary) << text;
    fs::rename(root / (name + ".new"), root / name);
  }
  /// Waits for the kernel to say that something has changed, then until it is time to look.
  bool follow() {
    pollfd descriptor{.fd = discovery->descriptor(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&descriptor, 1, 10'000) == 1);
    discovery->on_event();
    REQUIRE(discovery->next_look() < Discovery::Clock::now() + std::chrono::seconds(1));
    while (Discovery::Clock::now() < discovery->next_look())
      ::poll(nullptr, 0, 5);
    return discovery->refresh();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto* list : discovery->found())
      for (const config::Found& found : *list)
        all.push_back(found.destination.name);
    return all;
  }

  const fs::path root = fs::temp_directory_path() / ("ecmp[discovery]" + std::to_string(::getpid()));
  std::vector<std::string> told;
  std::unique_ptr<Discovery> discovery;
};

using Words = std::vector<std::string>;
constexpr const char* kFiles = "[discovery]\nfiles = [\"d/*.toml\", \"d/*.json\", \"one.json\"]\n";

}  // namespace

TEST_CASE("files that come, change and go are followed without being asked", "[agent][discovery]") {
  Sources sources;
  sources.write("one.json", R"([{"targets": ["192.0.2.1"]}])");
  sources.configure(kFiles);
  CHECK(sources.names() == Words{"192.0.2.1"});
  sources.write("d/b.toml", "[[destination]]\nhost = \"192.0.2.2\"\n");  // the directory is new too
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.2", "192.0.2.1"});
  sources.write("d/a.json", R"([{"targets": ["192.0.2.3"]}])");
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.2", "192.0.2.3", "192.0.2.1"});
  fs::remove(sources.root / "d/b.toml");
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.3", "192.0.2.1"});
  sources.write("d/unrelated", "x");
  CHECK_FALSE(sources.follow());
  CHECK(sources.told.empty());
}

TEST_CASE("a bad file keeps its last good destinations and is told once", "[agent][discovery]") {
  Sources sources;
  sources.write("one.json", R"([{"targets": ["192.0.2.1"]}])");
  sources.configure(kFiles);
  sources.write("one.json", "[");
  CHECK_FALSE(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.1"});
  REQUIRE(sources.told.size() == 1);
  CHECK(sources.told[0].starts_with("bad one.json: " + (sources.root / "one.json").string() + ":1:1: not JSON"));
  sources.configure(std::string(kFiles) + "[probe]\nflows = 3\n");
  CHECK(sources.told.size() == 1);
  CHECK(sources.discovery->found()[0]->front().destination.flows == 3);  // as [probe] says now, bad or not
  CHECK(sources.discovery->report()[0].failures == 2);
  CHECK_FALSE(sources.discovery->report()[0].up);
  // What is removed is gone; one that is named is missed besides.
  fs::remove(sources.root / "one.json");
  CHECK(sources.follow());
  CHECK(sources.names().empty());
  CHECK_FALSE(sources.discovery->report()[0].up);
  CHECK(sources.told.back() == "bad one.json: " + (sources.root / "one.json").string() + ": No such file or directory");
  sources.write("one.json", R"([{"targets": ["192.0.2.4"]}])");
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.4"});
  CHECK(sources.told.back() == "good one.json: good again");
}

TEST_CASE("sources that are configured no more are forgotten", "[agent][discovery]") {
  Sources sources;
  sources.write("one.json", R"([{"targets": ["192.0.2.1"]}])");
  sources.configure(std::string(kFiles) + "http = [\"http://127.0.0.1:1/\"]\n");
  CHECK(sources.discovery->report().size() == 2);
  sources.configure("");
  CHECK(sources.names().empty());
  CHECK(sources.discovery->report().empty());
}

TEST_CASE("a directory or file that cannot be read now keeps its destinations", "[agent][discovery]") {
  Sources sources;
  sources.write("d/a.toml", "[[destination]]\nhost = \"192.0.2.1\"\n");
  sources.write("one.json", R"([{"targets": ["192.0.2.2"]}])");
  sources.configure(kFiles);
  const Words both{"192.0.2.1", "192.0.2.2"};
  REQUIRE(sources.names() == both);
  // A link that points at itself can be read by nobody, whatever privileges the test has.
  for (const char* const name : {"d", "one.json"}) {
    fs::rename(sources.root / name, sources.root / "away");
    fs::create_symlink(name, sources.root / name);
    sources.follow();
    CHECK(sources.names() == both);
    REQUIRE_FALSE(sources.told.empty());
    CHECK(sources.told.back().ends_with("Too many levels of symbolic links"));
    fs::remove(sources.root / name);
    fs::rename(sources.root / "away", sources.root / name);
    sources.follow();
    CHECK(sources.names() == both);
  }
  for (const auto& report : sources.discovery->report())
    CHECK(report.up);
  // A link to nothing is there still.
  fs::rename(sources.root / "one.json", sources.root / "away");
  fs::create_symlink("nothing", sources.root / "one.json");
  sources.follow();
  CHECK(sources.names() == both);
  // And what is removed is gone.
  fs::remove_all(sources.root / "d");
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.2"});
}

TEST_CASE("a TOML file that ends within a line is one that was cut short", "[agent][discovery]") {
  const std::string first = "[[destination]]\nhost = \"192.0.2.1\"\n";
  const std::string whole = first + "[[destination]]\nhost = \"192.0.2.2\"\nport = 33434\n";
  Sources sources;
  sources.write("d/a.toml", whole);
  sources.configure(kFiles);
  const Words both{"192.0.2.1", "192.0.2.2"};
  REQUIRE(sources.names() == both);
  const auto port = [&] { return sources.discovery->found()[0]->back().destination.port; };
  // Good TOML, all of it: "port = 33" within the line, a key that is missing at its beginning.
  sources.write("d/a.toml", whole.substr(0, whole.size() - 4));
  CHECK_FALSE(sources.follow());
  CHECK(sources.names() == both);
  CHECK(port() == 33434);
  CHECK_FALSE(sources.discovery->report()[0].up);
  // Without its last line break it says the same, and another port is another port.
  sources.write("d/a.toml", whole.substr(0, whole.size() - 1));
  sources.follow();
  CHECK(sources.discovery->report()[0].up);
  sources.write("d/a.toml", whole.substr(0, whole.size() - 4) + "\n");
  CHECK(sources.follow());
  CHECK(port() == 33);
  // What ends with a line is whole.
  sources.write("d/a.toml", first);
  CHECK(sources.follow());
  CHECK(sources.names() == Words{"192.0.2.1"});
}
