#include "config/changes.hpp"

#include "parsing.hpp"

using namespace ecmp::config;
using Names = std::vector<std::string>;

namespace {

constexpr std::string_view kBefore = R"(
[[destination]]
name = "a"
host = "192.0.2.1"
labels = { site = "fra" }
[[destination]]
name = "b"
host = "192.0.2.2"
[[destination]]
name = "c"
host = "c.example"
)";

Changes changes_to(std::string_view after) {
  return plan_changes(must_parse(kBefore), must_parse(after));
}

Names names_of(const std::vector<Destination>& destinations) {
  Names names;
  for (const Destination& each : destinations)
    names.push_back(each.name);
  return names;
}

/// The effect of another key in a destination that has `was` before.
EditEffect effect_of_keys(const std::string& was, const std::string& is) {
  const std::string head = "[[destination]]\nname = \"x\"\nhost = \"x.example\"\n";
  const Changes changes = plan_changes(must_parse(head + was), must_parse(head + is));
  CAPTURE(was, is);
  CHECK(changes.added.empty());
  CHECK(changes.removed.empty());
  if (changes.edited.empty()) {
    CHECK(changes.unchanged == 1);
    return {};
  }
  CHECK(changes.unchanged == 0);
  return changes.edited.front().effect;
}

}  // namespace

TEST_CASE("the same configuration changes nothing, whatever the order of its destinations", "[config][reload]") {
  const Changes same = changes_to(kBefore);
  CHECK_FALSE(same.any());
  CHECK(same.unchanged == 3);
  const Changes turned = changes_to(R"([[destination]]
name = "c"
host = "c.example"
[[destination]]
name = "b"
host = "192.0.2.2"
[[destination]]
name = "a"
host = "192.0.2.1"
labels.site = "fra"
)");
  CHECK_FALSE(turned.any());
  CHECK(turned.unchanged == 3);
}

TEST_CASE("destinations that come, go and stay are told apart by their names", "[config][reload]") {
  const Changes changes = changes_to(R"([[destination]]
name = "a"
host = "192.0.2.1"
labels.site = "ams"
[[destination]]
name = "other"
host = "192.0.2.2"
[[destination]]
name = "c"
host = "c.example"
)");
  CHECK(changes.any());
  CHECK_FALSE(changes.settings);
  CHECK(changes.removed == Names{"b"});
  CHECK(names_of(changes.added) == Names{"other"});
  REQUIRE(changes.edited.size() == 1);
  CHECK(changes.edited[0].after.name == "a");
  CHECK(changes.edited[0].after.labels.front().second == "ams");
  CHECK(changes.edited[0].effect == EditEffect{.labels = true});
  CHECK(changes.unchanged == 1);
}

TEST_CASE("each key of a destination has the effect it must have, and no other", "[config][reload]") {
  CHECK(effect_of_keys("", "labels.a = \"b\"") == EditEffect{.labels = true});
  CHECK(effect_of_keys("", "expected_paths = 4") == EditEffect{.labels = true});
  CHECK(effect_of_keys("", "interval = \"5s\"") == EditEffect{.schedule = true});
  CHECK(effect_of_keys("", "timeout = \"1s\"") == EditEffect{.schedule = true});
  CHECK(effect_of_keys("", "confirm_rounds = 3") == EditEffect{.judging = true});
  CHECK(effect_of_keys("", "flows = 17") == EditEffect{.rounds = true});
  CHECK(effect_of_keys("flows = 512", "flows = \"auto\"") == EditEffect{.search = true, .rounds = true});
  CHECK(effect_of_keys("flows = \"auto\"", "flows = \"auto\"\nmax_flows = 100") == EditEffect{.rounds = true});
  CHECK(effect_of_keys("flows = \"auto\"", "flows = \"auto\"\nconfidence = 0.99") == EditEffect{.search = true});
  CHECK(effect_of_keys("", "max_ttl = 17") == EditEffect{.rounds = true});
  for (const char* key :
       {"protocol = \"tcp\"", "protocol = \"icmp\"", "port = 1", "source_port = 1000", "source_ports = \"1000-2000\"",
        "interface = \"eth0\"", "fwmark = 7", "packet_size = 100", "dscp = 1"}) {
    CHECK(effect_of_keys("", key) == EditEffect{.headers = true});
    CHECK(effect_of_keys(key, "") == EditEffect{.headers = true});
  }
  CHECK(effect_of_keys("", "family = \"ipv6\"") == EditEffect{.family = true});
  CHECK(effect_of_keys("", "source_address = \"192.0.2.9\"") == EditEffect{.headers = true, .family = true});
  CHECK(effect_of_keys("dscp = 0", "") == EditEffect{});
  CHECK(effect_of_keys("", "dscp = 1\ninterval = \"1s\"\nlabels.a = \"b\"") ==
        EditEffect{.labels = true, .schedule = true, .headers = true});
}

TEST_CASE("another host is an edit, another all is another destination", "[config][reload]") {
  const auto text = [](const char* rest) { return "[[destination]]\nname = \"x\"\n" + std::string(rest); };
  const Config before = must_parse(text("host = \"x.example\""));
  const Changes host = plan_changes(before, must_parse(text("host = \"192.0.2.1\"")));
  REQUIRE(host.edited.size() == 1);
  CHECK(host.edited[0].effect == EditEffect{.host = true});
  CHECK(host.edited[0].effect.restarts());
  const Changes all = plan_changes(before, must_parse(text("host = \"x.example\"\nall = true")));
  CHECK(all.edited.empty());
  CHECK(all.removed == Names{"x"});
  CHECK(names_of(all.added) == Names{"x"});
}

TEST_CASE("settings are told apart by what must be done about them", "[config][reload]") {
  const auto settings = [](const char* text) { return plan_changes(Config{}, must_parse(text)); };
  CHECK_FALSE(settings("").settings);
  for (const char* text : {"[limits]\nprobes_per_second = 7", "[limits]\nmax_series = 7", "[dns]\nnames = false",
                           "[dns]\nrefresh = \"7s\"", "[history]\nmemory = \"1MiB\"", "[history]\nretention = \"7h\"",
                           "[limits]\nmax_destinations = 7", "[reflector]\nallow = [\"192.0.2.0/24\"]",
                           "[reflector]\nkey_file = \"k\"", "[reflector]\npackets_per_second_per_source = 7"}) {
    CAPTURE(text);
    CHECK(settings(text).settings);
    CHECK_FALSE(settings(text).judging);
    CHECK(settings(text).any());
    CHECK(settings(text).need_restart.empty());
  }
  for (const char* text :
       {"[window]\nduration = \"1m\"", "[histograms]\nhops = \"off\"", "[histograms]\nrtt_buckets = [1]",
        "[histograms]\nformat = \"classic\"", "[limits]\nmax_paths_per_destination = 7"}) {
    CAPTURE(text);
    CHECK(settings(text).settings);
    CHECK(settings(text).judging);
  }
  const Changes web = settings("[web]\nlisten_addresses = [\":1\"]");
  CHECK(web.need_restart == std::vector<std::string_view>{"web.listen_addresses"});
  CHECK_FALSE(web.any());
  const Changes reflector = settings("[reflector]\nlisten_addresses = [\":862\"]\nmax_sessions = 7");
  CHECK(reflector.need_restart ==
        std::vector<std::string_view>{"reflector.listen_addresses", "reflector.max_sessions"});
  CHECK_FALSE(reflector.any());
}
