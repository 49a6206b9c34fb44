#include "trace/trace_command_line.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "agent/version.hpp"
#include "catch.hpp"

using namespace ecmp;
using namespace std::chrono_literals;

namespace {

using Arguments = std::vector<const char*>;

std::variant<TraceRequest, EarlyExit> parse(Arguments arguments) {
  arguments.insert(arguments.begin(), "ecmp_trace");
  return parse_trace_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TraceRequest good(const Arguments& arguments) {
  const auto outcome = parse(arguments);
  if (const auto* early = std::get_if<EarlyExit>(&outcome)) FAIL(early->error);
  return std::get<TraceRequest>(outcome);
}

void check_refused(const Arguments& arguments, int code, const std::string& line) {
  CAPTURE(arguments);
  const auto outcome = parse(arguments);
  const auto* early = std::get_if<EarlyExit>(&outcome);
  REQUIRE(early != nullptr);
  CHECK(early->code == code);
  CHECK(early->out.empty());
  const std::string hint = code == 2 ? "Try 'ecmp_trace --help'.\n" : "";
  CHECK(early->error == "Error: " + line + "\n" + hint);
}

}  // namespace

TEST_CASE("with a destination alone the defaults are those of ETR", "[trace]") {
  const TraceRequest request = good({"192.0.2.1"});
  CHECK(request.host == "192.0.2.1");
  CHECK(request.address == IpAddress::parse("192.0.2.1"));
  CHECK(request.family == config::FamilyChoice::any);
  CHECK(request.protocol == Protocol::tcp);
  CHECK(request.port == 443);
  CHECK_FALSE(request.source_port);
  CHECK(request.flows == 5);
  CHECK(request.max_ttl == 30);
  CHECK(request.rounds == 0);
  CHECK(request.ttl_gap == 100ms);
  CHECK(request.interval == 2s);
  CHECK(request.timeout == 1s);
  CHECK(request.output == TraceOutput::view);
  CHECK(request.json_file.empty());
  CHECK(request.hash == render::PathHash::crc32);
  CHECK(request.names);
  CHECK(request.log_file.empty());
  CHECK(request.log_level == log::Level::error);
  CHECK(good({"-U", "h"}).port == 33434);
  CHECK(good({"-I", "h"}).port == 0);
  CHECK(good({"--report", "h"}).rounds == 10);
  CHECK(good({"--diagram", "dot", "h"}).rounds == 10);
}

TEST_CASE("each option of ecmp_trace sets what it names, short or long", "[trace]") {
  const auto check = [](const TraceRequest& request) {
    CHECK(request.host == "example.com");
    CHECK_FALSE(request.address);
    CHECK(request.protocol == Protocol::udp);
    CHECK(request.family == config::FamilyChoice::ipv6);
    CHECK(request.port == 53);
    CHECK(request.source_port == 40000);
    CHECK(request.rounds == 7);
    CHECK(request.max_ttl == 9);
    CHECK_FALSE(request.names);
    CHECK(request.flows == 12);
    CHECK(request.ttl_gap == 0s);
    CHECK(request.interval == 1500ms);
    CHECK(request.timeout == 300ms);
    CHECK(request.json_file == "x.json");
    CHECK(request.log_file == "x.log");
    CHECK(request.hash == render::PathHash::sha256);
    CHECK(request.log_level == log::Level::debug);
  };
  check(good(
      {"-U",     "-6", "-p",    "53",          "-s",    "40000",      "-c", "7",     "-m", "9",      "-n",
       "-P",     "12", "-i",    "0",           "-d",    "1.5s",       "-t", "300ms", "-j", "x.json", "--hash-algorithm",
       "sha256", "-l", "x.log", "--log-level", "debug", "example.com"}));
  check(good({"--udp", "--ipv6", "--dest-port=53", "--source-port=40000", "--count=7", "--max-ttl=9", "--no-resolve",
              "--parallel-probes=12", "--inter-ttl-delay=0s", "--inter-probe-delay=1s500ms", "--timeout=300ms",
              "--json-file=x.json", "--hash-algorithm=sha256", "--log=x.log", "--log-level=debug", "example.com"}));
}

TEST_CASE("short options combine as getopt users expect", "[trace]") {
  const TraceRequest request = good({"-nJP4", "h", "-c2", "-6U", "-p99"});
  CHECK(request.output == TraceOutput::json);
  CHECK_FALSE(request.names);
  CHECK(request.flows == 4);
  CHECK(request.rounds == 2);
  CHECK(request.protocol == Protocol::udp);
  CHECK(request.port == 99);
  CHECK(good({"-P4", "-P6", "h"}).flows == 6);
  CHECK(good({"-J", "--", "h"}).host == "h");
}

TEST_CASE("flows may be given by either name", "[trace]") {
  CHECK(good({"--flows", "16", "h"}).flows == 16);
  CHECK(good({"--flows=512", "h"}).flows == 512);
  check_refused({"--flows", "4", "-P4", "h"}, 1, "cannot use both --flows and --parallel-probes");
  CHECK_FALSE(good({"--flows", "16", "h"}).auto_flows);
  const TraceRequest automatic = good({"--flows", "auto", "h"});
  CHECK(automatic.flows == 512);
  REQUIRE(automatic.auto_flows);
  CHECK(automatic.auto_flows->confidence == 0.95);
  check_refused({"--flows", "auto", "-s", "65100", "h"}, 1, "source port+parallel probes must be below 65535");
  check_refused({"--flows", "auto", "-P4", "h"}, 1, "cannot use both --flows and --parallel-probes");
}

TEST_CASE("a search for paths is told its aim, as in the configuration", "[trace]") {
  const auto search = [](const Arguments& arguments) {
    Arguments all = {"--flows", "auto", "h"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const TraceRequest request = good(all);
    REQUIRE(request.auto_flows);
    return std::pair(*request.auto_flows, request.flows);
  };
  CHECK(search({"--confidence", "99"}).first.confidence == Approx(0.99));
  CHECK(search({"--confidence=0.99"}).first.confidence == Approx(0.99));
  CHECK(search({"--confidence", "50"}).first.confidence == Approx(0.5));
  CHECK(search({"--confidence", "95"}).first.p_min == 0);
  CHECK(search({"--p-min", "0.1"}).first.p_min == Approx(0.1));
  CHECK(search({"--max-flows", "64"}).second == 64);
  CHECK(good({"--flows", "auto", "--max-flows", "64", "-s", "65400", "h"}).flows == 64);
  for (const char* chance : {"0", "0.49", "1", "49", "100", "-95", "1e999", "nan", "inf"}) {
    check_refused({"--flows", "auto", "--confidence", chance, "h"}, 1,
                  "--confidence: expected a number from 0.5 to 0.9999, such as 0.95, or percent, such as 99");
  }
  check_refused({"--flows", "auto", "--confidence", "high", "h"}, 2, "--confidence: \"high\" is not a number");
  check_refused({"--flows", "auto", "--confidence", "95%", "h"}, 2, "--confidence: \"95%\" is not a number");
  for (const char* share : {"0", "0.51", "10"})
    check_refused({"--flows", "auto", "--p-min", share, "h"}, 1, "--p-min: expected a number from 0.0001 to 0.5");
  for (const char* flows : {"0", "513", "-1", "99999999999999999999"})
    check_refused({"--flows", "auto", "--max-flows", flows, "h"}, 1,
                  "--max-flows: expected a whole number from 1 to 512");
  check_refused({"--flows", "16", "--max-flows", "64", "h"}, 1, "--max-flows is for --flows auto");
  check_refused({"--confidence", "99", "h"}, 1, "--confidence is for --flows auto");
  check_refused({"-P4", "--p-min", "0.1", "h"}, 1, "--p-min is for --flows auto");
}

TEST_CASE("values that make no sense are refused with ETR's words and exit status 1", "[trace]") {
  check_refused({}, 1, "destination is required");
  check_refused({"-J", "-j", "f", "h"}, 1, "cannot use both --json and --json-file");
  check_refused({"--hash-algorithm", "md5", "h"}, 1, "hash algorithm must be either 'crc32' or 'sha256'");
  check_refused({"-T", "-U", "h"}, 1, "cannot use both TCP and UDP");
  check_refused({"-4", "-6", "h"}, 1, "cannot force both IPv4 and IPv6");
  for (const char* port : {"-1", "65536", "99999999999999999999"})
    check_refused({"-p", port, "h"}, 1, "destination port must be between 0 and 65535");
  check_refused({"-s", "65531", "h"}, 1, "source port+parallel probes must be below 65535");
  check_refused({"-s", "65530", "h"}, 1, "source port+parallel probes must be below 65535");
  CHECK(good({"-s", "65529", "h"}).source_port == 65529);
  check_refused({"-m", "256", "h"}, 1, "maximum TTL must be between 0 and 255");
  check_refused({"-m", "-1", "h"}, 1, "maximum TTL must be between 0 and 255");
}

TEST_CASE("what ETR lets pass in silence is refused too", "[trace]") {
  check_refused({"-P", "0", "h"}, 1, "parallel probes must be between 1 and 512");
  check_refused({"-P513", "h"}, 1, "parallel probes must be between 1 and 512");
  check_refused({"-m0", "h"}, 1, "maximum TTL must be at least 1");
  check_refused({"-d", "0", "h"}, 1, "--inter-probe-delay must be at least 10ms");
  check_refused({"-t", "0s", "h"}, 1, "--timeout must be at least 1ms");
  check_refused({"-t", "25h", "h"}, 1, "--timeout must be at most 24h");
  check_refused({"-c", "-1", "h"}, 1, "count must not be negative");
  check_refused({"-6", "192.0.2.1"}, 1, "192.0.2.1 is an IPv4 address: it contradicts --ipv6");
  check_refused({"2001:db8::1", "-4"}, 1, "2001:db8::1 is an IPv6 address: it contradicts --ipv4");
  check_refused({"224.0.0.1"}, 1, "\"224.0.0.1\": a multicast address cannot be traced");
  check_refused({"[2001:db8::1]"}, 1, "\"[2001:db8::1]\": expected an IPv6 address without brackets");
  check_refused({"fe80::1%eth0"}, 1,
                "\"fe80::1%eth0\": expected an address without a zone: use the key interface for that");
  check_refused({"a.example:443"}, 1,
                "\"a.example:443\": expected an IPv6 address, or a host without a port: use the key port");
  check_refused({"::"}, 1, "\"::\": the unspecified address cannot be traced");
  check_refused({"-I", "-T", "h"}, 1, "cannot use both TCP and ICMP");
  check_refused({"-I", "-U", "h"}, 1, "cannot use both UDP and ICMP");
  check_refused({"-I", "-p", "80", "h"}, 1, "ICMP has no destination port");
  check_refused({"--json", "--report", "h"}, 1, "cannot use both --json and --report");
  check_refused({"--json", "--diagram=svg", "h"}, 1, "cannot use both --json and --diagram");
  check_refused({"--report", "--diagram=svg", "h"}, 1, "cannot use both --report and --diagram");
  check_refused({"--report", "-c0", "h"}, 1, "--report, --diagram and --find need a count of at least 1");
  check_refused({"--diagram=png", "h"}, 1, "diagram must be 'ascii', 'utf8', 'dot' or 'svg'");
  check_refused({"--log-level=loud", "h"}, 1, "log level must be 'debug', 'info', 'warn' or 'error'");
  check_refused({"-j", "", "h"}, 1, "--json-file needs the path of a file");
  check_refused({"--seed=1", "h"}, 1, "--seed is for --simulate");
  check_refused({"--source-address=::1", "192.0.2.1"}, 1, "source address and destination are of different families");
  check_refused({"--json-file=", "192.0.2.1"}, 1, "--json-file needs the path of a file");
  check_refused({"fe80::1"}, 1, "\"fe80::1\": a link-local address: say which interface it is behind");
  CHECK(good({"--interface=eth0", "fe80::1"}).interface == "eth0");
  check_refused({"--source-address=\x1b[2J", "h"}, 1, "\"\\u{1b}[2J\" is not an address");
}

TEST_CASE("arguments that cannot be understood end with exit status 2", "[trace]") {
  for (const Arguments& arguments : {Arguments{"--jsn", "h"}, {"-x", "h"}, {"h", "another"}, {"-P"}, {"-J=no", "h"}}) {
    CAPTURE(arguments);
    const auto early = std::get<EarlyExit>(parse(arguments));
    CHECK(early.code == 2);
    CHECK_THAT(early.error, Catch::StartsWith("Error: ") && Catch::EndsWith("\nTry 'ecmp_trace --help'.\n"));
    CHECK(std::ranges::count(early.error, '\n') == 2);
  }
  check_refused({"-P", "four", "h"}, 2, "--parallel-probes: \"four\" is not a number");
  check_refused({"-p", "80x", "h"}, 2, "--dest-port: \"80x\" is not a number");
  check_refused({"--count=", "192.0.2.1"}, 2, "--count: \"\" is not a number");
  check_refused({"-d", "2", "h"}, 2, "--inter-probe-delay: \"2\" is not a time such as 100ms, 1.5s or 1m");
  check_refused({"-i", "-5ms", "h"}, 2, "--inter-ttl-delay: \"-5ms\" is not a time such as 100ms, 1.5s or 1m");
}

TEST_CASE("a simulated network needs no destination", "[trace]") {
  const TraceRequest request = good({"--simulate", "x.toml", "--seed", "9"});
  CHECK(request.host.empty());
  CHECK(request.scenario_file == "x.toml");
  CHECK(request.seed == 9);
}

TEST_CASE("ecmp_trace tells its version as ETR does", "[trace]") {
  const auto early = std::get<EarlyExit>(parse({"-v"}));
  CHECK(early.code == 0);
  CHECK(early.out == "ecmp_trace " + std::string(version()) + " (commit: " + std::string(revision()) +
                         ", built: " + std::string(built()) + ")\n");
  CHECK_THAT(std::string(built()), Catch::Matches("20\\d\\d-\\d\\d-\\d\\d"));
}

TEST_CASE("every option of the table is in the help, in lines that fit a terminal", "[trace]") {
  const auto early = std::get<EarlyExit>(parse({"--help", "--json"}));
  CHECK(early.code == 0);
  CHECK(early.error.empty());
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const TraceOption& option : trace_options()) {
    CAPTURE(option.name);
    const std::string head = (option.letter != 0 ? std::string("  -") + option.letter + ", " : std::string(6, ' ')) +
                             "--" + std::string(option.name);
    CHECK_THAT(early.out, Catch::Contains(head + (option.value.empty() ? " " : " " + std::string(option.value))));
    CHECK(names.insert(option.name).second);
    if (option.letter != 0) CHECK(letters.insert(option.letter).second);
    CHECK_FALSE(option.help.empty());
    CHECK_FALSE(option.help.ends_with('.'));
    CHECK(option.value.empty() == (option.kind == TraceValue::none));
    CHECK((option.kind != TraceValue::words || !option.words.empty()));
  }
  for (std::size_t at = 0; at < early.out.size();) {
    const std::size_t end = early.out.find('\n', at);
    REQUIRE(end != std::string::npos);
    CHECK(end - at <= 114);
    at = end + 1;
  }
}

TEST_CASE("A replay needs no destination and takes no option that probes", "[trace]") {
  const auto parse = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "ecmp_trace");
    return parse_trace_command_line(static_cast<int>(arguments.size()), arguments.data());
  };
  const auto only = parse({"--replay", "rounds.json"});
  REQUIRE(std::holds_alternative<TraceRequest>(only));
  CHECK(std::get<TraceRequest>(only).recording == "rounds.json");
  CHECK(std::get<TraceRequest>(only).host.empty());
  const auto named = parse({"--replay", "rounds.json", "fra edge", "--report"});
  REQUIRE(std::holds_alternative<TraceRequest>(named));
  CHECK(std::get<TraceRequest>(named).host == "fra edge");  // names of a configuration are any text
  for (const std::vector<const char*>& wrong : {std::vector{"--replay", ""},
                                                {"--replay", "x", "-T"},
                                                {"--replay", "x", "-d", "1s"},
                                                {"--replay", "x", "--seed", "1"}}) {
    const auto refused = parse(wrong);
    REQUIRE(std::holds_alternative<EarlyExit>(refused));
    CHECK(std::get<EarlyExit>(refused).code == 1);
  }
}
