"""Source ports as they are by default: spread over a block, the same after a restart, none of another flow of ours, and
none that a socket of the host has."""
import socket

import pytest

import tracer
from exporter import Exporter, config, eventually, now
from lab import DESTINATION, Fan
from netns import entered

BLOCK = range(32768, 49152)
SPREAD = {"source_ports": f"{BLOCK[0]}-{BLOCK[-1]}"}
FLOWS = 16
# Two names of one address over one protocol, beside another protocol and the other family.
DESTINATIONS = [
    {"name": "a", "host": DESTINATION[4]}, {"name": "b", "host": DESTINATION[4]},
    {"name": "tcp", "host": DESTINATION[4], "protocol": "tcp"}, {"name": "icmp", "host": DESTINATION[4], "protocol": "icmp"},
    {"name": "six", "host": DESTINATION[6]}]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


def text():
    return config([{**each, "flows": FLOWS} for each in DESTINATIONS], SPREAD)


def ports_of(exporter):
    found = {each["name"]: {} for each in DESTINATIONS}
    for line in exporter.paths():
        if line["reached_dest"]:
            found[line["destination"]][line["probe_id"]] = line["source_port"]
    return found


def unsent(line):
    return not line["reached_dest"] and {hop["reply"] for hop in line["hops"]} == {"send_failed"}


def all_reached(exporter):
    return all(len(flows) == FLOWS for flows in ports_of(exporter).values())


def test_ports_are_spread_and_the_same_after_a_restart_and_no_two_flows_share_one(fan):
    seen = []
    for _ in range(2):
        with Exporter(text(), fan.network.ns("agent")) as exporter:
            eventually(lambda: all_reached(exporter), 20, lambda: str(ports_of(exporter)))
            seen.append(ports_of(exporter))
    assert seen[0] == seen[1]
    for name, flows in seen[0].items():
        assert len(set(flows.values())) == FLOWS and all(port in BLOCK for port in flows.values()), name
        gaps = {flows[i + 1] - flows[i] for i in range(FLOWS - 1)}
        assert len(gaps) > FLOWS // 2, (name, flows)  # no pattern
    assert not set(seen[0]["a"].values()) & set(seen[0]["b"].values())


def test_ecmp_trace_takes_the_ports_that_the_exporter_has(fan):
    destination = [{"host": DESTINATION[4], "flows": 4, "protocol": "udp"}]
    with Exporter(config(destination, SPREAD), fan.network.ns("agent")) as exporter:
        eventually(lambda: len(exporter.metrics().flow_paths(DESTINATION[4])) == 4, 20, "paths")
        ours = sorted(exporter.metrics().flow_paths(DESTINATION[4]))
    done = tracer.run(tracer.SPREAD, "-U", "-J", "-P4", "-c1", *tracer.FAST, DESTINATION[4], namespace=fan.network.ns("agent"))
    assert sorted({line["source_port"] for line in done.lines}) == ours


@pytest.mark.parametrize("family", (4, 6))
def test_a_flow_rests_while_a_socket_has_its_ports_and_that_is_no_loss(fan, family):
    name = {4: "a", 6: "six"}[family]
    with Exporter(text(), fan.network.ns("agent")) as exporter:
        eventually(lambda: all_reached(exporter), 20, "rounds of all flows")
        port = ports_of(exporter)[name][3]
        with entered(fan.network.ns("agent")):
            holder = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
            holder.bind(("", port))

        def newest():
            return {line["source_port"]: line for line in exporter.paths() if line["destination"] == name}

        eventually(lambda: unsent(newest()[port]), 15, lambda: str(newest()[port]))
        errors = exporter.metrics().values("ecmp_exporter_send_errors_total", "reason", reason="port_in_use")
        assert errors["port_in_use"] > 0
        since = now()
        eventually(lambda: len(exporter.rounds(name, since).get(port, [])) >= 3, 10, "rounds of the flow that rests")
        for flow, lines in exporter.rounds(name, since).items():
            for line in lines:
                assert not line["loss"]
                assert unsent(line) if flow == port else line["reached_dest"], line
        holder.close()
        eventually(lambda: newest()[port]["reached_dest"], 15, lambda: str(newest()[port]))
