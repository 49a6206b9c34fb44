#include "config/discovery.hpp"

#include <random>

#include "config/json_document.hpp"
#include "config/text.hpp"
#include "parsing.hpp"

using namespace ecmp;
using namespace ecmp::config;

namespace {

std::string problems_of(const FoundOutcome& outcome) {
  std::string lines;
  if (const auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
    for (const Problem& problem : *problems)
      lines += format_problem("t", problem) + "\n";
  }
  return lines;
}

std::string targets_problems(std::string_view text, std::string_view base = "") {
  return problems_of(parse_targets(text, "t", must_parse(base)));
}

std::vector<Found> targets(std::string_view text, std::string_view base = "") {
  auto outcome = parse_targets(text, "t", must_parse(base));
  CAPTURE(text);
  REQUIRE(problems_of(outcome).empty());
  return std::get<std::vector<Found>>(std::move(outcome));
}

}  // namespace

TEST_CASE("targets of file_sd are destinations with the labels of their group", "[config][discovery]") {
  const auto found = targets(R"([
  {"targets": ["192.0.2.1", "2001:db8::1"], "labels": {"site": "fra", "rack": "7"}},
  {"targets": ["a.example"]},
  {"targets": [], "labels": {"nobody": "here"}},
  {"labels": null, "targets": ["b.example"]}
])");
  REQUIRE(found.size() == 4);
  Destination expected;
  expected.name = expected.host = "192.0.2.1";
  expected.address = IpAddress::parse("192.0.2.1");
  expected.labels = {{"rack", "7"}, {"site", "fra"}};
  CHECK(found[0].destination == expected);
  CHECK(found[0].origin == "t:2:16");
  CHECK(found[1].destination.address == IpAddress::parse("2001:db8::1"));
  CHECK(found[1].origin == "t:2:29");
  CHECK(found[2].destination.host == "a.example");
  CHECK(found[2].destination.labels.empty());
  CHECK(found[3].origin == "t:5:32");
}

TEST_CASE("labels that begin with __ecmp_ are keys, other reserved ones are left out", "[config][discovery]") {
  const auto found = targets(R"([{"targets": ["a.example"], "labels": {
    "__ecmp_name": "x", "__ecmp_protocol": "tcp", "__ecmp_flows": "8", "__ecmp_port": "8443", "__ecmp_interval": "5s",
    "__ecmp_source_port": "1000", "__ecmp_all": "true", "__ecmp_family": "ipv4", "__ecmp_max_ttl": "9",
    "__ecmp_packet_size": "99", "__ecmp_dscp": "3", "__ecmp_confirm_rounds": "4", "__ecmp_timeout": "1s",
    "__ecmp_interface": "eth0", "__ecmp_fwmark": "7", "__ecmp_expected_paths": "16", "__meta_site": "m", "__address__": "n", "name": "a label"}}])");
  REQUIRE(found.size() == 1);
  Destination expected;
  expected.name = "x";
  expected.host = "a.example";
  expected.protocol = Protocol::tcp;
  expected.flows = 8;
  expected.port = 8443;
  expected.interval = std::chrono::seconds(5);
  expected.timeout = std::chrono::seconds(1);
  expected.source_port = 1000;
  expected.all = true;
  expected.family = FamilyChoice::ipv4;
  expected.max_ttl = 9;
  expected.packet_size = 99;
  expected.dscp = 3;
  expected.confirm_rounds = 4;
  expected.expected_paths = 16;
  expected.interface = "eth0";
  expected.fwmark = 7;
  expected.labels = {{"name", "a label"}};
  CHECK(found[0].destination == expected);
}

TEST_CASE("a target may have a port", "[config][discovery]") {
  const auto found = targets(R"([{"targets": ["192.0.2.1:1", "[2001:db8::1]:2", "a.example:3", "2001:db8::2:3"]}])");
  REQUIRE(found.size() == 4);
  CHECK(found[0].destination.host == "192.0.2.1");
  CHECK(found[0].destination.port == 1);
  CHECK(found[1].destination.host == "2001:db8::1");
  CHECK(found[1].destination.port == 2);
  CHECK(found[2].destination.host == "a.example");
  CHECK(found[2].destination.port == 3);
  CHECK(found[3].destination.host == "2001:db8::2:3");
  CHECK(found[3].destination.port == 33434);
}

TEST_CASE("destinations from elsewhere inherit from [probe] of the configuration", "[config][discovery]") {
  constexpr std::string_view kBase = "[probe]\nprotocol = \"tcp\"\nflows = 3\ninterval = \"7s\"\n";
  CHECK(targets(R"([{"targets": ["192.0.2.1"]}])", kBase)[0].destination.flows == 3);
  std::string text = "[[destination]]\nhost = \"192.0.2.1\"\nlabels.a = \"b\"\n";
  auto outcome = parse_destinations(text, "t", must_parse(kBase));
  REQUIRE(problems_of(outcome).empty());
  const auto& found = std::get<std::vector<Found>>(outcome);
  REQUIRE(found.size() == 1);
  CHECK(found[0].destination.protocol == Protocol::tcp);
  CHECK(found[0].destination.port == 443);
  CHECK(found[0].destination.interval == std::chrono::seconds(7));
  CHECK(found[0].origin == "t:1:1");
  CHECK(problems_of(parse_destinations("[[destination]]\nhost = \"192.0.2.1\"\n", "t",
                                       must_parse("[probe]\nfamily = \"ipv6\"\n"))) ==
        "t:2:8: host = \"192.0.2.1\": an IPv4 address, but family = \"ipv6\" ([probe])\n");
  CHECK(problems_of(parse_destinations("[probe]\nflows = 1\n", "t", Config())) == "t:1:2: unknown key \"probe\"\n");
}

TEST_CASE("what is wrong with targets is told with its place", "[config][discovery]") {
  CHECK(targets_problems("") == "t:1:1: not JSON: nothing is there\n");
  CHECK(targets_problems("{}") == "t:1:1: expected a list of groups: [{\"targets\": [...], \"labels\": {...}}]\n");
  CHECK(targets_problems("[\n 7]") == "t:2:2: expected a group: {\"targets\": [...], \"labels\": {...}}\n");
  CHECK(targets_problems("[{}]") == "t:1:2: a group without \"targets\"\n");
  CHECK(targets_problems(R"([{"targets": ["x y", 7], "lables": {}}])") ==
        "t:1:15: host = \"x y\": expected a host name of letters, digits, hyphens and dots\n"
        "t:1:22: targets = 7: expected a list of hosts, each a string\n"
        "t:1:26: unknown key \"lables\": did you mean \"labels\"?\n");
  CHECK(targets_problems(R"([{"targets": ["a", "b"], "labels": {"__ecmp_name": "n"}}])") ==
        "t:1:52: __ecmp_name = \"n\": a name for several targets: give each a group of its own\n"
        "t:1:52: name = \"n\": the destination of line 1 has this name already\n");
  CHECK(targets_problems(R"([{"targets": ["a:1"], "labels": {"__ecmp_port": "2"}}])") ==
        "t:1:49: __ecmp_port = \"2\": the target \"a:1\" has a port already\n");
  CHECK(targets_problems(
            R"([{"targets": ["a"], "labels": {"__ecmp_floows": "2", "__ecmp_dscp": "x", "__ecmp_host": "h"}}])") ==
        "t:1:32: unknown key \"floows\": did you mean \"flows\"?\n"
        "t:1:69: dscp = \"x\": expected a whole number from 0 to 63\n"
        "t:1:74: \"__ecmp_host\": the target is the host\n");
  CHECK(targets_problems(R"([{"targets": ["a"], "labels": {"port": "2", "n": 7, "a-b": ""}}])") ==
        "t:1:32: label \"port\": ecmp_destination_info has a label of this name already\n"
        "t:1:50: n = 7: expected a string\n"
        "t:1:53: label \"a-b\": expected a name of letters, digits and underscores that does not begin with a digit\n");
  CHECK(targets_problems("[{\"targets\": [\"a\",\n\"a\"]}]") ==
        "t:2:1: host = \"a\": the destination of line 1 has this name already; set a name\n");
}

TEST_CASE("what is no JSON is told with its place", "[config][discovery]") {
  CHECK(targets_problems("[{\"targets\": [\"a\"],}]").starts_with("t:1:20: not JSON: "));
  CHECK(targets_problems("[\n  {\"targets\": [\"a\"]\n").starts_with("t:2:20: not JSON: "));
  CHECK(targets_problems("[] x").starts_with("t:1:4: not JSON: "));
  CHECK(targets_problems("[\"\xff\"]").starts_with("t:1:2: not JSON: "));
  CHECK(targets_problems(R"([{"targets": [], "targets": []}])") == "t:1:18: \"targets\" stands there twice\n");
  CHECK(targets_problems(std::string(9, '[')) == "t:1:9: nested too deep\n");
  CHECK(targets_problems(std::string(1'000'000, '[')) == "t:1:9: nested too deep\n");
  std::string many = "[0";
  for (int i = 0; i < 2'000'001; ++i)
    many += ",0";
  CHECK(targets_problems(many + "]").find("more than 2000000 values") != std::string::npos);
}

TEST_CASE("labels of a group are not multiplied by its targets beyond all bounds", "[config][discovery]") {
  std::string text = "[{\"labels\": {\"l\": \"" + std::string(4'000'000, 'x') + "\"}, \"targets\": [";
  for (int i = 0; i < 1000; ++i)
    text += (i > 0 ? ",\"h" : "\"h") + std::to_string(i) + "\"";
  CHECK(targets_problems(text + "]}]").find("MiB of labels") != std::string::npos);
}

TEST_CASE("values of JSON are where they say, as they were written", "[config][discovery]") {
  constexpr std::string_view kText =
      "{\"a\" : -12 ,\n\t\"\xc3\xa9\": [true,null, \"x\\\"y\" ,1.5e3,18446744073709551615]}";
  const auto outcome = read_json(kText);
  REQUIRE(std::holds_alternative<Node>(outcome));
  const auto& table = std::get<Node::Table>(std::get<Node>(outcome).value);
  REQUIRE(table.size() == 2);
  CHECK(table[0].where == Position{1, 2});
  CHECK(table[0].node.where == Position{1, 8});
  CHECK(table[0].node.text == "-12");
  CHECK(std::get<std::int64_t>(table[0].node.value) == -12);
  CHECK(table[1].where == Position{2, 2});
  const auto& list = std::get<Node::Array>(table[1].node.value);
  REQUIRE(list.size() == 5);
  const std::vector<std::string_view> written = {"true", "null", "\"x\\\"y\"", "1.5e3", "18446744073709551615"};
  for (std::size_t i = 0; i < list.size(); ++i)
    CHECK(list[i].text == written[i]);
  CHECK(list[2].where == Position{2, 19});
  CHECK(std::get<std::string>(list[2].value) == "x\"y");
}

TEST_CASE("no mutation of targets is taken for anything but targets or problems", "[config][discovery]") {
  const std::string plain =
      R"([{"targets": ["192.0.2.1", "a.example:7", "[::1]:2"], "labels": {"a": "b", "__ecmp_flows": "4",
 "__ecmp_all": "false", "__meta_x": "\u00e9\n"}}, {"targets": []}])";
  static constexpr std::string_view kPieces[] = {"[",  "]",  "{",   "}",    ",",       ":",
                                                 "\"", "\\", "\\u", "null", "true",    "1e999",
                                                 "-",  "0",  "\n",  "\xff", "__ecmp_", "\"targets\":"};
  std::mt19937_64 random(20261);
  const Config base = must_parse("[probe]\nflows = 2\n");
  int good = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = plain;
    for (std::uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text.insert(at, kPieces[random() % std::size(kPieces)]);
      } else {
        text.erase(at, 1 + random() % 4);
      }
    }
    const auto outcome = parse_targets(text, "t", base);
    if (const auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
      REQUIRE_FALSE(problems->empty());
      for (const Problem& problem : *problems) {
        CAPTURE(text, problem.message);
        REQUIRE_FALSE(has_control(problem.message));
        REQUIRE(problem.line <= 5);
      }
    } else {
      ++good;
    }
  }
  CHECK(good > 500);
}
