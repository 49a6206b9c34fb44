#include "config/web_config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "catch.hpp"
#include "config/text.hpp"

namespace fs = std::filesystem;

using ecmp::ClientCertificate;
using ecmp::TlsVersion;
using ecmp::config::parse_web_config;
using ecmp::config::Problem;
using ecmp::config::WebConfig;

namespace {

const fs::path kGolden = fs::path(ECMP_SOURCE_DIR) / "tests/golden/web_config";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string problems_of(std::string_view text) {
  const auto outcome = parse_web_config(text);
  std::string lines;
  if (const auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
    for (const Problem& problem : *problems)
      lines += format_problem("web.yml", problem) + "\n";
  }
  return lines;
}

WebConfig must_parse(std::string_view text) {
  CAPTURE(text);
  REQUIRE(problems_of(text).empty());
  return std::get<WebConfig>(parse_web_config(text));
}

std::string mutate(std::string text, std::mt19937_64& random) {
  static constexpr std::string_view kPieces[] = {"\"",
                                                 "'",
                                                 "[",
                                                 "]",
                                                 "{",
                                                 "}",
                                                 ":",
                                                 ": ",
                                                 ",",
                                                 "#",
                                                 "\n",
                                                 "\r",
                                                 "-",
                                                 "- ",
                                                 "? ",
                                                 "&a",
                                                 "*a",
                                                 "!!",
                                                 "!<",
                                                 "|\n",
                                                 ">\n",
                                                 "---\n",
                                                 "...\n",
                                                 "%YAML 1.2\n",
                                                 "\t",
                                                 "  ",
                                                 "~",
                                                 "\\",
                                                 "\\x41",
                                                 "\\u",
                                                 "\xef\xbb\xbf",
                                                 "\xff",
                                                 "\xc3\xa9",
                                                 "99999999999999999999",
                                                 "<<: ",
                                                 "\x1b",
                                                 "true",
                                                 "0x1",
                                                 "1e9",
                                                 "@",
                                                 "`",
                                                 "{{",
                                                 "[[[[[[[[[[[["};
  const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    if (text.empty()) return text;
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      case 2:
        text.erase(at, 1 + below(12));
        break;
      case 3:
        text.insert(below(text.size()), text.substr(at, below(40)));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text.replace(at, 1, kPieces[below(std::size(kPieces))]);
        break;
    }
  }
  return text;
}

void check_outcome(const std::string& text) {
  const auto outcome = parse_web_config(text);
  const auto* problems = std::get_if<std::vector<Problem>>(&outcome);
  if (problems == nullptr) return;
  if (problems->empty()) FAIL("neither a configuration nor a problem");
  for (const Problem& problem : *problems) {
    if (problem.line == 0 || problem.column == 0 || problem.message.empty()) FAIL("a problem without place or words");
    if (ecmp::config::has_control(problem.message)) FAIL("a control character in: " << problem.message);
  }
}

}  // namespace

// Each NAME.yml has a NAME.expected; ECMP_REWRITE_GOLDEN=1 in the environment writes them anew.
TEST_CASE("each golden web configuration is told exactly what is wrong with it", "[config][golden]") {
  std::set<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(kGolden))
    if (entry.path().extension() == ".yml") inputs.insert(entry.path());
  REQUIRE(inputs.size() >= 10);
  for (const fs::path& input : inputs) {
    CAPTURE(input.filename().string());
    const fs::path expected = fs::path(input).replace_extension(".expected");
    const std::string problems = problems_of(read(input));
    if (std::getenv("ECMP_REWRITE_GOLDEN") != nullptr) std::ofstream(expected, std::ios::binary) << problems;
    CHECK(fs::exists(expected));
    CHECK(problems == read(expected));
    CHECK(problems.find("secret") == std::string::npos);
    CHECK(problems.find("abcdefgh") == std::string::npos);
  }
}

TEST_CASE("every key of a web configuration arrives", "[config]") {
  const WebConfig config = must_parse(read(kGolden / "good.yml"));
  REQUIRE(config.tls);
  CHECK(config.certificate_file->path == "server.crt");
  CHECK(config.certificate_file->line == 3);
  CHECK(config.certificate_file->column == 14);
  CHECK(config.key_file->path == "keys/server.key");
  CHECK(config.client_ca_file->path == "ca.crt");
  CHECK(config.tls->client_certificate == ClientCertificate::require_and_verify);
  CHECK(config.tls->client_allowed_sans == std::vector<std::string>{"scraper.example", "192.0.2.7"});
  CHECK(config.tls->min_version == TlsVersion::tls12);
  CHECK(config.tls->max_version == TlsVersion::tls13);
  CHECK(config.tls->cipher_suites == std::vector<std::string>{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"});
  CHECK(config.tls->prefer_server_cipher_suites);
  CHECK(config.tls->groups == std::vector<std::string>{"X25519", "P-256"});
  CHECK_FALSE(config.http2_asked);
  CHECK(config.headers ==
        std::vector<std::pair<std::string, std::string>>{{"Content-Security-Policy", "default-src 'self'"},
                                                         {"X-Frame-Options", "deny"},
                                                         {"X-Content-Type-Options", "nosniff"},
                                                         {"X-XSS-Protection", "0"}});
  REQUIRE(config.rate_limit);
  CHECK(config.rate_limit->interval == std::chrono::seconds(1));
  CHECK(config.rate_limit->burst == 20);
  REQUIRE(config.users.size() == 2);
  CHECK(config.users.contains("alice"));
  CHECK(config.users.contains("1"));
}

TEST_CASE("a hash behind a colon without a blank is not told", "[config]") {
  for (const char* const text : {"basic_auth_users: {ann:$2y$05$abcdefgh: x}\n",
                                 "basic_auth_users:\n  ann:$2y$05$abcdefgh\n", "ann:$2y$05$abcdefgh: 1\n"}) {
    const std::string problems = problems_of(text);
    CHECK(!problems.empty());
    CHECK(problems.find("abcdefgh") == std::string::npos);
  }
}

TEST_CASE("a web configuration without anything asks for nothing", "[config]") {
  for (const char* name : {"empty.yml", "nothing.yml"}) {
    CAPTURE(name);
    const WebConfig config = must_parse(read(kGolden / name));
    CHECK_FALSE(config.tls);
    CHECK_FALSE(config.rate_limit);
    CHECK(config.users.empty());
    CHECK(config.headers.empty());
  }
}

TEST_CASE("certificate and key can stand in the web configuration itself", "[config]") {
  const WebConfig config = must_parse("tls_server_config:\n  cert: |\n    one\n    two\n  key: three\n");
  REQUIRE(config.tls);
  CHECK(config.tls->certificate == "one\ntwo\n");
  CHECK(config.tls->key == "three");
  CHECK_FALSE(config.certificate_file);
}

TEST_CASE("mutations of a web configuration end in a configuration or in problems", "[config]") {
  constexpr std::uint64_t kSeed = 20261123;
  constexpr int kMutations = 30'000;
  CAPTURE(kSeed);
  const std::string good = read(kGolden / "good.yml");
  REQUIRE(good.size() > 500);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < kMutations; ++i) {
    CAPTURE(i);
    check_outcome(mutate(good, random));
  }
}

TEST_CASE("a hostile web configuration neither overflows nor lasts", "[config]") {
  const auto repeated = [](std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i)
      text += piece;
    return text;
  };
  for (const char* piece :
       {"[", "{", "- ", "? ", "a: ", "!", "&a ", "\"", "'", "{a: ", "[{", "- - ", "|", "\n", ": "}) {
    CAPTURE(piece);
    check_outcome(repeated(piece, 5'000));
    check_outcome("a: " + repeated(piece, 5'000));
  }
  CHECK(problems_of(std::string(300'000, '#')) == "web.yml:1:1: the file is larger than 256 KiB\n");
  std::string users = "basic_auth_users:\n";
  for (int i = 0; i < 5'000; ++i)
    users += "  user" + std::to_string(i) + ": x\n";
  CHECK(problems_of(users) == "web.yml:1:1: basic_auth_users: more than 1000\n");
}
