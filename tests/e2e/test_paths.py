"""Every flow is told on the path that the routers send it, and on no other; a flow never changes what they hash."""
import collections

import pytest

from capture import Capture
from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan

FLOWS = 32
FIRST_PORT = 50000
PORTS = range(FIRST_PORT, FIRST_PORT + FLOWS)
DESTINATION_PORT = {"udp": 33434, "tcp": 443, "icmp": 0}
CASES = [(protocol, family) for protocol in ("udp", "tcp", "icmp") for family in (4, 6)]
ROUNDS = 5

Run = collections.namedtuple("Run", "fan exporter metrics lines probes")


def name(protocol, family):
    return f"{protocol}-ipv{family}"


def destinations():
    for protocol, family in CASES:
        destination = {"name": name(protocol, family), "host": DESTINATION[family], "protocol": protocol,
                       "flows": FLOWS, "source_port": FIRST_PORT, "dscp": 10}
        if protocol != "icmp":
            destination["port"] = DESTINATION_PORT[protocol]
        yield destination


@pytest.fixture(scope="module", params=[1, 2], ids=["W=4", "4x4"])
def run(request, tmp_path_factory):
    """An exporter with all protocols and both families on a fan, after some rounds of every flow."""
    with Fan(width=4, stages=request.param) as fan:
        capture = Capture(fan.network, "agent", "r1", str(tmp_path_factory.mktemp("capture") / "agent.pcap"))
        with Exporter(config(destinations(), {"interval": "1s", "timeout": "800ms"}), fan.network.ns("agent")) as exporter:
            def finished():
                replies = exporter.metrics().values("ecmp_flow_replies_total", ("destination", "flow"))
                return len(replies) == FLOWS * len(CASES) and min(replies.values()) >= ROUNDS
            eventually(finished, 40, f"{ROUNDS} answered rounds of each flow")
            metrics, lines = exporter.metrics(), exporter.paths()
            yield Run(fan, exporter, metrics, lines, capture.stop())


@pytest.fixture(params=CASES, ids=[name(*case) for case in CASES])
def case(request):
    return request.param


def expected_paths(run, protocol, family):
    return {sport: tuple(path) for sport, path in run.fan.expected_paths(
        DESTINATION[family], PORTS, protocol, DESTINATION_PORT[protocol]).items()}


def test_every_flow_is_on_its_path(run, case):
    expected = expected_paths(run, *case)
    paths = run.metrics.paths(name(*case))
    assert {flow: paths[path] for flow, path in run.metrics.flow_paths(name(*case)).items()} == expected


def test_no_path_is_told_that_does_not_exist(run, case):
    expected = set(expected_paths(run, *case).values())
    if case[0] == "icmp":
        assert len(expected) == 1
    hops = collections.defaultdict(dict)
    for have, _ in run.metrics.families["ecmp_path_hop_info"]:
        if have["destination"] == name(*case):
            hops[have["path"]][int(have["ttl"])] = have["hop"]
    told = {tuple(at.get(ttl) for ttl in range(1, max(at) + 1)) for at in hops.values()}
    assert told == expected
    assert run.metrics.values("ecmp_paths", "destination", destination=name(*case)) == {name(*case): len(expected)}


# Not by ICMP: Linux hashes nothing of an echo request that differs between flows.
@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "icmp"], ids=lambda case: name(*case))
def test_each_branch_is_seen(run, case):
    paths = run.metrics.paths(name(*case)).values()
    for stage, branches in run.fan.branches.items():
        own = {run.fan.addresses[branch][case[1]] for branch in branches}
        assert {path[2 * stage - 1] for path in paths} == own


def test_the_newest_rounds_tell_the_same_hops(run, case):
    lines = {line["source_port"]: line for line in run.lines if line["destination"] == name(*case)}
    assert {flow: tuple(hop["ip"] for hop in line["hops"]) for flow, line in lines.items()} == expected_paths(run, *case)
    for line in lines.values():
        assert line["reached_dest"] is True and line["loss"] is False and line["changed"] == ""
        assert line["protocol"] == case[0].upper() and line["destination_ip"] == DESTINATION[case[1]]
        assert [hop["ttl"] for hop in line["hops"]] == list(range(1, len(line["hops"]) + 1))
        for hop in line["hops"]:
            assert 0 < hop["rtt_ns"] < 800_000_000 and hop["rtt"] == hop["rtt_ns"] // 1000 and not hop["timeout"]


def test_nothing_is_lost_and_nothing_changes(run, case):
    probes = run.metrics.values("ecmp_flow_probes_total", "flow", destination=name(*case))
    assert probes == run.metrics.values("ecmp_flow_replies_total", "flow", destination=name(*case))
    for family in ("ecmp_hop_losses_total", "ecmp_hop_silences_total", "ecmp_flow_path_changes_total"):
        assert run.metrics.total(family, destination=name(*case)) == 0, family


def test_a_flow_never_changes_what_routers_hash(run, case):
    flows = collections.defaultdict(list)
    for probe in run.probes:
        if probe.protocol == case[0] and probe.destination == DESTINATION[case[1]]:
            flows[probe.source_port].append(probe)
    assert sorted(flows) == list(PORTS)
    length = len(next(iter(expected_paths(run, *case).values())))
    for flow, probes in flows.items():
        constant = {probe._replace(ttl=0) for probe in probes}
        assert len(constant) == 1, f"flow {flow} is sent as {sorted(constant)}"
        assert constant.pop().traffic_class == 10 << 2
        assert set(range(1, length + 1)) <= {probe.ttl for probe in probes}
        assert len(probes) >= ROUNDS * length
    if case[1] == 6 and case[0] != "icmp":
        assert all(probes[0].flow_label != 0 for probes in flows.values())
