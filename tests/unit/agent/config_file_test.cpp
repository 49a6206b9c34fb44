#include "agent/config_file.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <sys/stat.h>

#include "agent/reload.hpp"
#include "catch.hpp"
#include "temporary_directory.hpp"

using ecmp::ConfigSource;
using ecmp::load_config;
using ecmp::placed_problem;

namespace {

using Lines = std::vector<std::string>;

class Files {
 public:
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }

 private:
  ecmp::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("what is wrong with a file that is named gets the place of its name", "[agent]") {
  const Files files;
  files.write("short.key", "ab\n");
  files.write("d/bad.json", "");
  const std::string path = files.write("x.toml",
                                       "[web]\n"
                                       "config_file = \"w.yml\"\n"
                                       "[discovery]\n"
                                       "files = [\"here.toml\", \"d/*.json\"]\n"
                                       "[reflector]\n"
                                       "  key_file = \"short.key\"\n");
  const auto loaded = load_config(path, ConfigSource::file);
  REQUIRE(std::holds_alternative<ecmp::config::Config>(loaded));
  const auto& named = std::get<ecmp::config::Config>(loaded).named_files;
  REQUIRE(named.size() == 4);
  const auto placed = [&](const std::string& name, const std::string& line) {
    return placed_problem(path, named, {name.empty() ? "" : files.path(name), line});
  };
  CHECK(placed("w.yml", "gone") == path + ":2:15: config_file = \"w.yml\": gone");
  CHECK(placed("here.toml", "gone") == path + ":4:10: files = \"here.toml\": gone");
  CHECK(placed("d/*.json", "bad.json: empty") == path + ":4:23: files = \"d/*.json\": bad.json: empty");
  CHECK(placed("short.key", "short") == path + ":6:14: key_file = \"short.key\": short");
  for (const std::string& other : {files.path("d/bad.json") + ":1:1: not JSON", std::string("no more memory")})
    CHECK(placed("", other) == other);
  CHECK(placed("other", "no") == "no");
}

TEST_CASE("a file that a pattern has found is reported at the pattern, but for what has a line in it", "[agent]") {
  const Files files;
  files.write("d/twice.json", "[");
  const std::string path = files.write("x.toml", "[discovery]\nfiles = [\"d/*.json\", \"gone.json\"]\n");
  std::filesystem::create_symlink("nowhere", files.path("d/link.json"));
  const auto loaded = load_config(path, ConfigSource::file);
  const auto& config = std::get<ecmp::config::Config>(loaded);
  Lines lines;
  for (const ecmp::FileProblem& problem : ecmp::check_discovery(path, config))
    lines.push_back(placed_problem(path, config.named_files, problem));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == path + ":2:10: files = \"d/*.json\": " + files.path("d/link.json") + ": No such file or directory");
  CHECK(lines[1].starts_with(files.path("d/twice.json") + ":1:"));
  CHECK(lines[2] == path + ":2:22: files = \"gone.json\": " + files.path("gone.json") + ": No such file or directory");
}

TEST_CASE("a key file that cannot be used is reported at the destination, or the table, that names it", "[agent]") {
  const Files files;
  const std::string gone = files.path("gone.key");
  const std::string own = files.write("own.toml",
                                      "[[destination]]\nhost = \"192.0.2.1\"\nprotocol = \"stamp\"\n"
                                      "key_file = \"gone.key\"\n");
  CHECK(std::get<Lines>(load_config(own, ConfigSource::file)) ==
        Lines{own + ":4:12: key_file = \"gone.key\": " + gone + ": No such file or directory"});
  const std::string all = files.write("all.toml",
                                      "[probe]\nprotocol = \"stamp\"\nkey_file = \"gone.key\"\n"
                                      "[[destination]]\nhost = \"192.0.2.1\"\n");
  CHECK(std::get<Lines>(load_config(all, ConfigSource::file)) ==
        Lines{all + ":3:12: key_file = \"gone.key\": " + gone + ": No such file or directory"});
}

TEST_CASE("a pipe in the place of a file is waited for at the start only", "[agent]") {
  const Files files;
  const std::string path = files.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(std::get<Lines>(load_config(path, ConfigSource::file)) == Lines{path + ": not a regular file"});
  const std::string keyed =
      files.write("keyed.toml", "[[destination]]\nhost = \"192.0.2.1\"\nprotocol = \"stamp\"\nkey_file = \"pipe\"\n");
  const auto lines = std::get<Lines>(load_config(keyed, ConfigSource::file_or_pipe));
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().ends_with(path + ": not a regular file"));

  auto reader = std::async(std::launch::async, [&path] { return load_config(path, ConfigSource::file_or_pipe); });
  std::ofstream(path) << "[[destination]]\nhost = \"192.0.2.1\"\n";
  CHECK(std::holds_alternative<ecmp::config::Config>(reader.get()));
}
