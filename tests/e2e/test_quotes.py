"""What routers do to datagrams is told at the hop where it begins, and nowhere else."""
import contextlib
import gzip
import json
import os

import pytest

import tracer
from exporter import Exporter, config, eventually
from lab import AGENT, DESTINATION, Fan
from mmdb import database, maxmind_city
from tracer import FAST

FLOWS = 12
DSCP = 46
NATTED = "10.50.0.77"


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@contextlib.contextmanager
def rules(fan, node, text):
    fan.network.nft(node, "table inet quotes {\n" + text + "\n}\n")
    try:
        yield
    finally:
        fan.network.nft(node, "table inet quotes\ndelete table inet quotes\n")


def chain(hook, priority, rule):
    return f"chain {hook} {{ type filter hook {hook} priority {priority}; policy accept; {rule}; }}"


def findings_of(line):
    return [(hop["ip"], found["kind"], found["detail"], found["behind"])
            for hop in line["hops"] for found in hop.get("findings", [])]


@contextlib.contextmanager
def exporter_on(fan, family=4, protocol="udp"):
    destination = {"name": "dst", "host": DESTINATION[family], "protocol": protocol, "flows": FLOWS, "dscp": DSCP,
                   "packet_size": 80}
    with Exporter(config([destination]), fan.network.ns("agent")) as exporter:
        yield exporter


def newest(exporter, rounds=4):
    """The newest round of every flow, once each has had so many that reached the destination."""
    def enough():
        lines = exporter.paths()
        good = [line for line in lines if line["probe_num"] >= rounds and line["reached_dest"]]
        return lines if len(good) == FLOWS else None
    return eventually(enough, 30, f"{rounds} rounds of each flow")


@pytest.mark.parametrize("family", [4, 6])
def test_a_router_that_bleaches_dscp_is_found_behind_the_hop_before_it(fan, family):
    node = fan.branch(2)
    bleach = f"{'ip' if family == 4 else 'ip6'} daddr {DESTINATION[family]} {'ip' if family == 4 else 'ip6'} dscp set cs0"
    with rules(fan, node, chain("forward", 0, bleach)), exporter_on(fan, family) as exporter:
        lines = newest(exporter)
        here, beyond = fan.addresses[node][family], fan.addresses["r2"][family]
        crossing = [line for line in lines if here in [hop["ip"] for hop in line["hops"]]]
        assert 0 < len(crossing) < FLOWS
        for line in lines:
            expected = [(beyond, "dscp", f"{DSCP} to 0", here)] if line in crossing else []
            assert findings_of(line) == expected
        told = exporter.metrics().values("ecmp_hop_finding_info", ("hop", "kind", "detail", "ttl"))
        assert set(told) == {(beyond, "dscp", f"{DSCP} to 0", "3")}


def test_a_nat_without_states_shows_in_quotes_behind_it(fan):
    """Both ways by hand, as a NAT that does not look into ICMP: quotes come back as the routers behind it saw them."""
    node = fan.branch(1)
    there = chain("forward", 0, f"ip daddr {DESTINATION[4]} ip saddr set {NATTED}")
    back = chain("prerouting", -300, f"ip daddr {NATTED} ip daddr set {AGENT[4]}")
    with rules(fan, node, there + "\n" + back):
        # The way back of NATTED is that of the agent's own address: towards the branch that knows it.
        fan.network.run_in("r2", ["ip", "route", "replace", NATTED + "/32", *via(fan, "r2", node)])
        try:
            with exporter_on(fan) as exporter:
                lines = newest(exporter, 6)
                here, beyond = fan.addresses[node][4], fan.addresses["r2"][4]
                crossing = [line for line in lines if here in [hop["ip"] for hop in line["hops"]]]
                assert 0 < len(crossing) < FLOWS
                for line in lines:
                    expected = [(beyond, "nat", f"source {NATTED}", here)] if line in crossing else []
                    assert findings_of(line) == expected
        finally:
            fan.network.run_in("r2", ["ip", "route", "del", NATTED + "/32"])


def via(fan, node, neighbour):
    return fan._via(node, neighbour).split()  # pylint: disable=protected-access


def test_a_nat_of_linux_leaves_no_trace_in_quotes(fan):
    """conntrack puts address, port and checksum of quotes right again: nothing can be seen, and nothing is told."""
    node = "r1"
    masquerade = ('chain postrouting { type nat hook postrouting priority 100; policy accept; '
                  f'ip daddr {DESTINATION[4]} meta l4proto udp snat to {AGENT[4]}:20000-30000; }}')
    with rules(fan, node, masquerade), exporter_on(fan) as exporter:
        for line in newest(exporter):
            assert findings_of(line) == []


def test_labels_interfaces_and_the_rest_are_told_by_the_trace(tmp_path):
    """What no kernel here can do: from the simulated network."""
    network = tmp_path / "network.toml"
    network.write_text("""
wires = ["agent - r1 - p1 - p2 - r2 - dst"]
[link."*"]
delay = "1ms"
[router.p1]
mpls = [{ label = 16004, ttl = 1 }]
interfaces = [{ index = 5, name = "ge-0/0/5", mtu = 9000 }]
quoted_ttl = 3
[router.r2]
ecn = 3
[destination.dst]
""")
    done = tracer.simulated(str(network), "-J", "-U", "-P", "2", "-c", "3", "-n")
    assert done.code == 0
    for line in done.lines:
        hops = {hop["ttl"]: hop for hop in line["hops"]}
        assert [label["label"] for label in hops[2]["mpls"]] == [16004]
        assert {(found["kind"], found["detail"]) for found in hops[2]["findings"]} == {
            ("quoted_ttl", "3"), ("interface", "incoming ge-0/0/5 index 5 mtu 9000")}
        assert [(found["kind"], found["detail"], found["behind"]) for found in hops[5]["findings"]] == [
            ("ecn", "not-ect to ce", hops[4]["ip"])]
        assert all("findings" not in hops[ttl] for ttl in (1, 3, 4))
    report = tracer.simulated(str(network), "--report", "-U", "-P", "2", "-c", "3", "-n").out
    assert "interface: incoming ge-0/0/5 index 5 mtu 9000" in report
    assert "ecn: not-ect to ce (behind " in report


def test_the_flows_that_lose_are_found_with_commands_that_reproduce_it(fan):
    node = fan.branch(3)
    fan.lose(node, 0.3)
    try:
        done = tracer.run(*FAST, "-n", "-U", "-P", FLOWS, "--find", "loss", DESTINATION[4],
                          namespace=fan.network.ns("agent"), seconds=120)
    finally:
        fan.heal(node)
    assert done.code == 0
    paths = fan.expected_paths(DESTINATION[4], range(50000, 50000 + FLOWS), "udp", 33434)
    bad = {port for port, path in paths.items() if fan.addresses[node][4] in path}
    losing, clean = done.out.split("\nThese do not:\n")
    ports = {int(line.split()[1].rstrip(":")) for line in losing.splitlines() if line.startswith("  port ")}
    assert ports and ports <= bad
    assert not bad & {int(line.split()[1].rstrip(":")) for line in clean.splitlines() if line.startswith("  port ")}
    port = min(ports)
    assert f"iperf3 -4 -u -c {DESTINATION[4]} -p 33434 --cport {port} -B {AGENT[4]}" in losing
    assert f"hping3 -2 -s {port} -k -p 33434" in losing
    # Where it begins is as sure as so few losses are: at the bad branch's link, or at the one behind it.
    begins = [line for line in losing.splitlines() if line.startswith("Loss of ")]
    assert begins and all(fan.addresses["r2"][4] in line for line in begins)


def test_lossy_rounds_are_asked_for(fan):
    node = fan.branch(3)
    with exporter_on(fan) as exporter:
        newest(exporter, 1)
        assert exporter.get("/paths?lossy=maybe").status == 400
        fan.lose(node, 0.5)
        try:
            lines = eventually(lambda: exporter.paths(lossy="true", since="1h"), 30, "lossy rounds")
        finally:
            fan.heal(node)
        assert all(line["loss"] for line in lines)
        assert any(not line["loss"] for line in exporter.paths(since="1h"))


def test_origins_come_from_a_file_and_follow_it(fan, tmp_path):
    table = tmp_path / "origins.tsv.gz"
    branches = {fan.addresses[fan.branch(number)][4] for number in range(1, 5)}

    def write(origin):
        with gzip.open(str(table) + ".new", "wt") as file:
            file.write(f"10.0.0.0\t8\t64500\n10.1.0.0\t16\t{origin}\n")
        os.replace(str(table) + ".new", table)

    write("64501_64502")
    destination = {"name": "dst", "host": DESTINATION[4], "protocol": "udp", "flows": FLOWS}
    text = config([destination]).replace("[dns]\n", f'[dns]\nasn_database = "{table}"\n')
    with Exporter(text, fan.network.ns("agent")) as exporter:
        def told():
            origins = {hop: asn for hop, asn in exporter.metrics().values("ecmp_hop_info", ("hop", "asn"))}
            return origins if branches <= set(origins) else {}
        eventually(lambda: {told().get(hop) for hop in branches} == {"64501_64502"}, 20, "origins of the branches")
        assert told()[fan.addresses["r2"][4]] == "64500"
        assert {hop["asn"] for line in exporter.paths() for hop in line["hops"] if hop["ip"] in branches} == {
            "64501_64502"}
        write("64503")
        eventually(lambda: {told().get(hop) for hop in branches} == {"64503"}, 30, "the other table")
        write("nobody")
        eventually(lambda: f"{table}:2: the third field is no AS number" in exporter.read_log(), 30, "a warning")
        assert {told().get(hop) for hop in branches} == {"64503"}


def test_places_come_from_a_database_and_follow_it(fan, tmp_path):
    path = tmp_path / "places.mmdb"
    branches = {fan.addresses[fan.branch(number)][4] for number in range(1, 5)}

    def replace(content):
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", path)

    replace(database({"10.1.0.0/16": maxmind_city("Frankfurt am Main", "DE")}))
    destination = {"name": "dst", "host": DESTINATION[4], "protocol": "udp", "flows": FLOWS}
    text = config([destination]).replace("[dns]\n", f'[dns]\ncity_database = "{path}"\nasn_database = "{tmp_path / "systems.mmdb"}"\n')
    (tmp_path / "systems.mmdb").write_bytes(database({"10.1.0.0/16": {"autonomous_system_number": 64500}}))
    with Exporter(text, fan.network.ns("agent")) as exporter:

        def shown():
            values = exporter.metrics().values("ecmp_hop_info", ("hop", "asn", "city", "country"))
            return {(asn, city, country) for hop, asn, city, country in values if hop in branches}

        eventually(lambda: shown() == {("64500", "Frankfurt am Main", "DE")}, 60, lambda: f"places: {shown()}\n{exporter.read_log()}")
        hops = [hop for line in exporter.paths() for hop in line["hops"] if hop["ip"] in branches]
        assert {(hop["asn"], hop["city"], hop["country"]) for hop in hops} == {("64500", "Frankfurt am Main", "DE")}
        nodes = json.loads(exporter.get("/topology?destination=dst").body)["nodes"]
        assert {(node["city"], node["country"]) for node in nodes if node["address"] in branches} == {("Frankfurt am Main", "DE")}
        labels = {name for name in exporter.metrics().families if "city" in str(exporter.metrics().families[name])}
        assert labels == {"ecmp_hop_info"}
        # Cut short while it is open: what there was stays, and one line says so.
        os.truncate(path, 300)
        said = f"{path}: is no database in MaxMind's format, or it is cut short or damaged"
        eventually(lambda: said in exporter.read_log(), 60, "a warning")
        assert shown() == {("64500", "Frankfurt am Main", "DE")}
        replace(database({"10.1.0.0/16": {"city": "Zürich", "country": "CH"}}))
        eventually(lambda: shown() == {("64500", "Zürich", "CH")}, 60, lambda: f"places: {shown()}")
        assert exporter.read_log().count(said) == 1
