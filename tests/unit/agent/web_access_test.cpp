#include "agent/http/web_access.hpp"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "catch.hpp"

using ecmp::WebAccess;
using ecmp::net::HttpRequest;
using ecmp::net::StopSignal;

namespace fs = std::filesystem;

namespace {

/// A directory that goes with the test.
class Directory {
 public:
  Directory() {
    std::string pattern = (fs::temp_directory_path() / "ecmp-web-access-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

std::string header_of(const ecmp::net::HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}

}  // namespace

TEST_CASE("a burst passes, then requests are asked to come later", "[agent]") {
  const Directory directory;
  const auto access = WebAccess::open(directory.write("web.yml", "rate_limit: {interval: 1h, burst: 3}\n"));
  REQUIRE(access.ok());
  CHECK_FALSE((*access)->encrypts());
  CHECK((*access)->tls() == nullptr);
  const StopSignal stop;
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE((*access)->judge(HttpRequest{}, stop).refusal);
  const auto verdict = (*access)->judge(HttpRequest{}, stop);
  REQUIRE(verdict.refusal);
  CHECK(verdict.refusal->status == 429);
  const int wait = std::stoi(header_of(*verdict.refusal, "Retry-After"));
  CHECK(wait > 3000);
  CHECK(wait <= 3600);
}

TEST_CASE("without credentials a request is told how to give them", "[agent]") {
  const Directory directory;
  const auto access = WebAccess::open(
      directory.write("web.yml",
                      "basic_auth_users:\n  alice: $2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui\n"
                      "http_server_config: {headers: {X-Frame-Options: deny}}\n"));
  REQUIRE(access.ok());
  const StopSignal stop;
  HttpRequest request;
  for (const char* authorization : {"", "Bearer x", "Basic YWxpY2U6d3Jvbmc="}) {
    request.authorization = authorization;
    const auto verdict = (*access)->judge(request, stop);
    REQUIRE(verdict.refusal);
    CHECK(verdict.refusal->status == 401);
    CHECK(verdict.refusal->body == "unauthorized\n");
    CHECK(header_of(*verdict.refusal, "WWW-Authenticate") == "Basic realm=\"ecmp_exporter\", charset=\"UTF-8\"");
    REQUIRE(verdict.headers != nullptr);
    CHECK(verdict.headers->size() == 1);
  }
}

TEST_CASE("all that is wrong with a web configuration and its files is told with its place", "[agent]") {
  const Directory directory;
  const std::string missing =
      directory.write("web.yml", "tls_server_config:\n  cert_file: no.crt\n  key_file: no.key\n");
  const std::string parent = fs::path(missing).parent_path().string();
  CHECK(WebAccess::open(missing).error() == missing + ":2:14: cert_file: " + parent +
                                                "/no.crt: No such file or directory\n" + missing +
                                                ":3:13: key_file: " + parent + "/no.key: No such file or directory");
  CHECK(WebAccess::open(parent + "/none.yml").error() == parent + "/none.yml: No such file or directory");
  CHECK(WebAccess::open(parent).error() == parent + ": not a regular file");
  CHECK(WebAccess::open("/dev/null").error() == "/dev/null: not a regular file");
  const std::string unreadable = directory.write("bad.yml", "colour: red\n");
  CHECK(WebAccess::open(unreadable).error() == unreadable + ":1:1: unknown key \"colour\"");
  directory.write("x.crt", "hello");
  directory.write("x.key", "hello");
  const std::string garbage = directory.write("pem.yml", "tls_server_config: {cert_file: x.crt, key_file: x.key}\n");
  CHECK_THAT(WebAccess::open(garbage).error(),
             Catch::StartsWith(garbage + ":1:32: cert_file: " + parent + "/x.crt: no certificate in PEM form"));
}

TEST_CASE("a changed file is seen, whatever changed of it", "[agent]") {
  const Directory directory;
  const std::string path = directory.write("web.yml", "rate_limit: {interval: 0}\n");
  ecmp::WebFiles files(path);
  CHECK(files.changed());  // nothing was known yet
  CHECK_FALSE(files.changed());
  const auto stamp = fs::last_write_time(path);
  fs::rename(directory.write("fresh.yml", "rate_limit: {interval: 1}\n"), path);
  fs::last_write_time(path, stamp);  // the same size and time, but another file
  CHECK(files.changed());
  CHECK_FALSE(files.changed());
  fs::remove(path);
  CHECK(files.changed());
  CHECK_FALSE(files.changed());
}

TEST_CASE("a password that was changed holds for the next request", "[agent]") {
  const std::string before =
      "basic_auth_users:\n  alice: $2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui\n";
  // crypt_blowfish's own test vector: "U*U".
  const std::string after = "basic_auth_users:\n  a: $2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
  const Directory directory;
  const auto access = WebAccess::open(directory.write("web.yml", before));
  REQUIRE(access.ok());
  const StopSignal stop;
  HttpRequest request;
  request.authorization = "Basic YTpVKlU=";  // a:U*U
  CHECK((*access)->judge(request, stop).refusal);
  directory.write("web.yml", after);
  CHECK_FALSE((*access)->judge(request, stop).refusal);
  directory.write("web.yml", before);
  CHECK((*access)->judge(request, stop).refusal);
}
