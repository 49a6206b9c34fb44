// What replies and their quotes give away: seen at the hop where it begins, and nowhere else.
#include <set>
#include <tuple>

#include "path/model/quote_findings.hpp"
#include "sim/engine_fixture.hpp"
#include "sim/random.hpp"
#include "sim/scenario.hpp"
#include "sim/seed.hpp"

using namespace ecmp;
using namespace ecmp::sim;
using namespace std::chrono_literals;

namespace {

/// Something that a router does, and where it shows.
struct Deed {
  const char* what;
  const char* settings;
  FindingKind kind;
  bool at_itself;  ///< or else at the hop after it
  const char* detail;
  std::uint8_t dscp = 0;
  std::uint16_t packet_size = 60;
  Protocol protocol = Protocol::udp;
  Family family = Family::ipv4;
};

constexpr const char* kV6Nat = "nat = { addresses = [\"2001:db8:9::7\"], quote = \"untouched\" }";

const Deed kDeeds[] = {
    {"bleaching", "dscp = 0", FindingKind::dscp, false, "46 to 0", 46},
    {"bleaching, IPv6", "dscp = 0", FindingKind::dscp, false, "46 to 0", 46, 80, Protocol::udp, Family::ipv6},
    {"marking, TCP", "dscp = 10", FindingKind::dscp, false, "0 to 10", 0, 60, Protocol::tcp},
    {"congestion experienced", "ecn = 3", FindingKind::ecn, false, "not-ect to ce"},
    {"congestion experienced, IPv6", "ecn = 3", FindingKind::ecn, false, "not-ect to ce", 46, 80, Protocol::icmp,
     Family::ipv6},
    {"NAT that restores all but the checksum", "nat = { addresses = [\"203.0.113.7\"], quote = \"checksum_left\" }",
     FindingKind::nat, false, "checksum"},
    {"NAT of ports that restores all but the checksum",
     "nat = { addresses = [\"203.0.113.7\"], port_offset = 4000, quote = \"checksum_left\" }", FindingKind::nat, false,
     "checksum"},
    {"NAT that restores nothing", "nat = { addresses = [\"203.0.113.7\"], quote = \"untouched\" }", FindingKind::nat,
     false, "source 203.0.113.7"},
    {"NAT that restores nothing, IPv6", kV6Nat, FindingKind::nat, false, "source 2001:db8:9::7", 0, 80, Protocol::icmp,
     Family::ipv6},
    {"a TTL that was more than run out", "quoted_ttl = 7", FindingKind::quoted_ttl, true, "7"},
    {"a long way back", "reply_ttl = 60", FindingKind::return_path, true, nullptr},
    {"interfaces", R"(interfaces = [{ index = 17, name = "ge-0/0/17", address = "10.9.8.7", mtu = 9000 }])",
     FindingKind::interface, true, "incoming ge-0/0/17 index 17 address 10.9.8.7 mtu 9000"},
    {"hostile interfaces, IPv6", "interfaces = [{ role = \"outgoing\", name = \"\\u001b[2J\\n\\\"\" }]",
     FindingKind::interface, true, "outgoing ?[2J?\"", 0, 80, Protocol::icmp, Family::ipv6},
    {"a small MTU", "mtu = 100", FindingKind::mtu, false, "100", 0, 120},
};

std::vector<HopEvidence> evidence(const std::vector<HopSnapshot>& hops) {
  std::vector<HopEvidence> made;
  for (const HopSnapshot& hop : hops)
    made.push_back(evidence_of(hop));
  return made;
}

std::vector<HopEvidence> evidence(const std::vector<HopResult>& hops) {
  std::vector<HopEvidence> made;
  for (const HopResult& hop : hops)
    made.push_back(evidence_of(hop));
  return made;
}

/// In words, to be read when a test fails.
std::string told_of(const std::vector<HopEvidence>& hops) {
  std::string words;
  for (const Finding& finding : findings_of(hops)) {
    words += std::string(to_string(finding.kind)) + " at " + std::to_string(hops[finding.hop].ttl) + ": " +
             finding.detail + "\n";
  }
  return words;
}

std::string scenario_text(const std::string& router, const std::string& settings) {
  return R"(
  family = "both"
  wires = ["agent - r1 - (a1..a4) - r2 - (b1..b4) - r3 - dst"]
  [link."*"]
  delay = "1ms"
  [destination.dst]
  [router.)" +
         router + "]\n" + settings + "\n";
}

/// Whether what was found on a way is what the deed must show there: once, behind the right hop, and nothing else.
void check(const std::vector<HopEvidence>& hops, const Deed& deed, const IpAddress& doer) {
  const auto found = findings_of(hops);
  INFO(told_of(hops));
  const auto place = std::ranges::find(hops, doer, &HopEvidence::responder);
  if (place == hops.end()) {
    CHECK(found.empty());
    return;
  }
  if (!deed.at_itself && deed.protocol != Protocol::udp && place + 2 == hops.end()) {
    CHECK(found.empty());  // only the destination is behind it, which answers without a quote
    return;
  }
  if (deed.kind == FindingKind::mtu) {  // a refusal: the doer answers what the hop after it would have
    REQUIRE(found.size() == 1);
    CHECK(hops[found[0].hop].responder == doer);
  } else if (deed.kind == FindingKind::return_path && place + 1 != hops.end()) {
    REQUIRE(found.size() == 1);
    CHECK(hops[found[0].hop].responder == doer);
    CHECK(found[0].now == found[0].before + 4);
  } else {
    REQUIRE(found.size() == 1);
    const auto shown = deed.at_itself ? place : place + 1;
    REQUIRE(shown != hops.end());
    CHECK(hops[found[0].hop].responder == shown->responder);
    if (!deed.at_itself) CHECK(found[0].behind == doer);
  }
  CHECK(found[0].kind == deed.kind);
  if (deed.detail != nullptr) CHECK(found[0].detail == deed.detail);
}

}  // namespace

TEST_CASE("what a router does to a datagram is seen where it begins and nowhere else", "[quotes]") {
  const std::array<const char*, 11> routers = {"r1", "a1", "a2", "a3", "a4", "r2", "b1", "b2", "b3", "b4", "r3"};
  for (const Deed& deed : kDeeds) {
    int over = 0;
    for (std::uint64_t number = 0; number < 12; ++number) {
      const Seed seed(7100 + number);
      Random random(seed);
      const std::string router = routers.at(random.next() % routers.size());
      CAPTURE(deed.what, router);
      const auto scenario = parse_scenario(scenario_text(router, deed.settings), "quotes");
      REQUIRE(scenario);
      EngineRun run(*scenario, seed,
                    {.protocol = deed.protocol,
                     .family = deed.family,
                     .flows = 12,
                     .dscp = deed.dscp,
                     .packet_size = deed.packet_size});
      run.run(8s);
      const IpAddress doer = run.network().address(router, deed.family);
      const auto told = run.snapshot("dst");
      for (const PathSnapshot& path : told->paths) {
        if (deed.kind == FindingKind::mtu) continue;  // the path behind it was never seen
        if (path.flows > 0) check(evidence(path.hops), deed, doer);
        over += std::ranges::count(path.hops, doer, &HopSnapshot::responder) > 0 ? 1 : 0;
      }
      for (std::uint32_t flow = 0; flow < 12; ++flow) {
        const auto hops = evidence(run.newest_round("dst", flow).hops);
        if (deed.kind == FindingKind::mtu) {
          over += std::ranges::count(hops, doer, &HopEvidence::responder) > 0 ? 1 : 0;
          // The doer stands there twice: for itself, and for what it refused.
        }
        check(hops, deed, doer);
      }
    }
    CHECK(over > 10);
  }
}

TEST_CASE("a NAT that puts everything right again in quotes cannot be seen", "[quotes]") {
  const Seed seed(7200);
  const auto scenario = parse_scenario(
      scenario_text("a2", "nat = { addresses = [\"203.0.113.7\"], port_offset = 9, quote = \"restored\" }"), "quotes");
  REQUIRE(scenario);
  EngineRun run(*scenario, seed, {.flows = 16});
  run.run(8s);
  CHECK(run.totals("dst").lost == 0);
  for (std::uint32_t flow = 0; flow < 16; ++flow)
    CHECK(findings_of(evidence(run.newest_round("dst", flow).hops)).empty());
}

TEST_CASE("nothing is found where nothing is wrong, whatever answers are lost", "[quotes]") {
  for (std::uint64_t number = 0; number < 10; ++number) {
    const Seed seed(7300 + number);
    const auto scenario = parse_scenario(
        scenario_text("\"*\"", "reply_loss = 0.2\n[router.r2]\nsilent = true\n[router.b1]\nhash = \"per_packet\""),
        "quotes");
    REQUIRE(scenario);
    for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
      EngineRun run(*scenario, seed, {.protocol = protocol, .family = Family::ipv4, .flows = 8, .dscp = 46});
      run.watch = [](std::uint32_t, const Round& round, const PathVerdict&) {
        CHECK(told_of(evidence(round.hops)) == "");
      };
      run.run(10s);
      const auto told = run.snapshot("dst");
      for (const PathSnapshot& path : told->paths)
        CHECK(told_of(evidence(path.hops)) == "");
    }
  }
}

TEST_CASE("a change that hides behind silent hops is told at the first hop that shows it", "[quotes]") {
  const Seed seed(7400);
  const auto scenario = parse_scenario(scenario_text("r2", "dscp = 8\n[router.\"b*\"]\nsilent = true\n"), "quotes");
  REQUIRE(scenario);
  EngineRun run(*scenario, seed, {.flows = 8, .dscp = 46});
  run.run(5s);
  for (std::uint32_t flow = 0; flow < 8; ++flow) {
    const Round& round = run.newest_round("dst", flow);
    const auto found = findings_of(evidence(round.hops));
    REQUIRE(found.size() == 1);
    CHECK(found[0].detail == "46 to 8");
    CHECK(found[0].behind == run.network().address("r2"));
    CHECK(round.hops[found[0].hop].responder == run.network().address("r3"));
  }
}
