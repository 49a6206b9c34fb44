"""Streams of STAMP packets to a reflector that is not ours, over a fan whose routers limit their ICMP as Linux does."""
import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from exporter import ROOT, Exporter, config, eventually
from lab import DESTINATION, Fan

FLOWS = 16
PORTS = range(50000, 50000 + FLOWS)
TRACE = os.environ.get("ECMP_TRACE") or os.path.join(ROOT, "build/dev/src/ecmp_trace")
REFLECTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stamp_reflector.py")
SUITE = shutil.which("stamp-suite", path=os.environ.get("PATH", "") + ":" + os.path.expanduser("~/.cargo/bin"))
LOSS = 0.2
ENOUGH = 400  # packets: a fifth of them is 80, give or take 3 x 8


@contextlib.contextmanager
def reflector(fan, address, mode):
    process = fan.network.popen("dst", [sys.executable, REFLECTOR, address, "862", mode], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"listening\n"
        yield process
    finally:
        process.kill()
        process.wait()


def stamp_config(destinations):
    return config([{"protocol": "stamp", "flows": FLOWS, "source_port": PORTS[0], "packet_interval": "30ms", **each}
                   for each in destinations], probe={"interval": "3s", "timeout": "2500ms"})


def counted(exporter, family, name):
    """{(path, direction): count}"""
    return exporter.metrics().values(f"ecmp_path_oneway_{family}_total", ("path", "direction"), destination=name)


class Growth:
    """Packets and losses since it was made."""

    def __init__(self, exporter, name):
        self.exporter, self.name = exporter, name
        self.before = self.read()

    def read(self):
        return {family: counted(self.exporter, family, self.name) for family in ("packets", "losses")}

    def __call__(self):
        now = self.read()
        return {family: {key: value - self.before[family].get(key, 0) for key, value in now[family].items()}
                for family in now}

    def enough(self, paths, direction, packets=ENOUGH):
        grown = self()
        return grown if all(grown["packets"].get((path, direction), 0) >= packets for path in paths) else None


def settle(exporter, name, paths):
    """Waits until what was lost before is judged."""
    for _ in range(10):
        growth = Growth(exporter, name)
        grown = eventually(lambda: growth.enough(paths, "forward", 100), 60, growth)
        if not any(grown["losses"].values()):
            return
    raise AssertionError(f"losses go on: {grown}")


def wait_for_losses(exporter, name, direction):
    """Waits until losses are counted that come now: packets that left before the fault are judged by then."""
    def count():
        return sum(lost for (_, of), lost in counted(exporter, "losses", name).items() if of == direction)
    before = count()
    eventually(lambda: count() > before, 60, lambda: counted(exporter, "losses", name))


def lines_of(exporter, path):
    return [json.loads(line) for line in exporter.get(path).text.splitlines()]


def events(exporter, kind, phase=None):
    return [event for event in lines_of(exporter, "/events")
            if event["kind"] == kind and (phase is None or event["phase"] == phase)]


def in_sum(records):
    """{(direction, packets or losses): count}"""
    records = list(records)
    return {(way, count): sum(record[way][count] for record in records)
            for way in ("forward", "reverse", "unresolved") for count in ("packets", "losses")}


def check_surfaces(exporter, paths):
    """Rounds say in sum what /topology says of flows, but for what has come since."""
    rounds = in_sum(each["oneway"]["flow"] for each in exporter.paths(destination="far", since="1h"))

    def topology():
        one = json.loads(exporter.get("/topology?destination=far").text)["destinations"][0]
        flows = in_sum(flow["oneway"] for flow in one["flows"])
        return all(count <= flows[key] for key, count in rounds.items()) and (one, flows)
    one, flows = eventually(topology, 30, lambda: rounds)
    assert one["reflector"] == {"up": True, "mode": "stateful", "clock": "unsynchronised", "clock_error_ns": None,
                                "restarts": 0}
    assert rounds["forward", "losses"] > 0 < rounds["reverse", "losses"]
    assert rounds["forward", "packets"] > 0.5 * flows["forward", "packets"]
    for path in one["paths"]:
        if path["id"] in paths:
            assert path["oneway"]["forward"]["packets"] >= path["oneway"]["reverse"]["packets"] > 0
            assert path["oneway"]["reverse"]["window"]["delay_variation_ns"]["p95"] > 0


def mode_of(exporter, name):
    found = exporter.metrics().values("ecmp_reflector_info", "mode", destination=name)
    return next(iter(found), None)


def lose_replies(fan, node, ratio):
    """The branch loses this share of what it should forward from the destination."""
    fan._rule(node, "forward", f'iifname "{fan._onward(node)}" {fan._drop(ratio)}')


def refused(fan):
    """Destination unreachable messages that the agent's host has sent."""
    table = fan.network.run_in("agent", ["cat", "/proc/net/snmp"]).splitlines()
    names, values = (line.split() for line in table if line.startswith("Icmp:"))
    return int(values[names.index("OutDestUnreachs")])


@pytest.mark.parametrize("family", [4, 6])
def test_a_stateful_reflector_shows_the_direction_of_loss(family):
    with Fan(width=4, icmp="kernel") as fan, reflector(fan, DESTINATION[family], "stateful"), \
            Exporter(stamp_config([{"name": "far", "host": DESTINATION[family]}]), fan.network.ns("agent")) as exporter:
        eventually(lambda: len(exporter.metrics().flow_paths("far")) == FLOWS and mode_of(exporter, "far") == "stateful",
                   60, lambda: exporter.metrics().text)
        flows = exporter.metrics().flow_paths("far")
        node = fan.branch(2)
        crossing = {flows[port] for port, path in fan.expected_paths(DESTINATION[family], PORTS, port=862).items()
                    if fan.addresses[node][family] in path}
        others = set(flows.values()) - crossing
        assert crossing and others

        # Nothing is lost where routers limit their ICMP, and the trace reaches the reflector too.
        quiet = Growth(exporter, "far")
        grown = eventually(lambda: quiet.enough(crossing | others, "forward"), 60, quiet)
        assert not any(grown["losses"].values()), grown
        assert exporter.metrics().values("ecmp_destination_up", "destination") == {"far": 1}
        assert exporter.metrics().values("ecmp_reflector_up", "destination") == {"far": 1}

        fan.lose(node, LOSS)
        wait_for_losses(exporter, "far", "forward")
        there = Growth(exporter, "far")
        grown = eventually(lambda: there.enough(crossing, "forward"), 60, there)
        fan.heal(node)
        for path in crossing:
            share = grown["losses"][path, "forward"] / grown["packets"][path, "forward"]
            assert 0.1 < share < 0.3, grown
        assert sum(lost for (path, direction), lost in grown["losses"].items()
                   if direction == "reverse" or path in others) <= 2, grown
        begun = eventually(lambda: crossing == {event["oneway"]["path"] for event in events(exporter, "oneway_loss", "begin")},
                           60, lambda: events(exporter, "oneway_loss"))
        assert begun
        assert {event["oneway"]["direction"] for event in events(exporter, "oneway_loss")} == {"forward"}

        settle(exporter, "far", crossing)
        lose_replies(fan, node, LOSS)
        wait_for_losses(exporter, "far", "reverse")
        back = Growth(exporter, "far")
        # Replies are hashed anew: which flows come back over the branch is not known here, that some do is.
        grown = eventually(lambda: back.enough(crossing | others, "reverse"), 60, back)
        fan.heal(node)
        lost = {direction: sum(count for (_, of), count in grown["losses"].items() if of == direction)
                for direction in ("forward", "reverse", "unresolved")}
        assert lost["reverse"] > 50, grown
        assert lost["forward"] <= 0.05 * lost["reverse"] + 5, grown
        assert lost["unresolved"] <= 0.2 * sum(lost.values()), grown
        assert refused(fan) == 0
        check_surfaces(exporter, crossing | others)


def test_a_stateless_reflector_shows_no_direction():
    with Fan(width=2, icmp="kernel") as fan, reflector(fan, DESTINATION[4], "stateless"), \
            Exporter(stamp_config([{"name": "far", "host": DESTINATION[4]}]), fan.network.ns("agent")) as exporter:
        eventually(lambda: len(exporter.metrics().flow_paths("far")) == FLOWS and mode_of(exporter, "far") == "stateless",
                   60, lambda: exporter.metrics().text)
        fan.lose(fan.branch(1), LOSS)
        growth = Growth(exporter, "far")

        def lost():
            grown = growth()["losses"]
            return sum(count for (_, direction), count in grown.items() if direction == "unresolved") > 50 and grown
        grown = eventually(lost, 60, growth)
        assert not any(count for (_, direction), count in grown.items() if direction != "unresolved"), grown

        report = fan.network.run_in("agent", [TRACE, "--stamp", "--report", "-n", "-P", "4", "-c", "12", "-d", "500ms", "-t",
                                              "400ms", DESTINATION[4]])
        assert "copies sequence numbers" in report, report
        lines = [line.split() for line in report[report.index("lost forward"):].splitlines()[1:]]
        assert len(lines) == 4, report
        for port, path, forward, reverse, *unresolved in lines:
            assert 32768 <= int(port) <= 49151 and path != "-" and (forward, reverse) == ("-", "-"), report
            assert int(unresolved[0].split("/")[1]) >= 5, report


@pytest.mark.skipif(SUITE is None, reason="stamp-suite is not installed (tests/peers.sh stamp-suite)")
@pytest.mark.parametrize("family, mode, sealed", [(4, "stateful", False), (6, "stateless", False), (4, "stateful", True)],
                         ids=["stateful-open-ipv4", "stateless-open-ipv6", "stateful-authenticated-ipv4"])
def test_the_reflector_of_stamp_suite(family, mode, sealed, tmp_path):
    (tmp_path / "key").write_text("00112233445566778899aabbccddeeff\n")
    (tmp_path / "key").chmod(0o600)
    command = [SUITE, "--is-reflector", "--local-addr", DESTINATION[family], "--local-port", "862"]
    command += ["--stateful-reflector"] if mode == "stateful" else []
    command += ["--auth-mode", "A", "--hmac-key-file", str(tmp_path / "key")] if sealed else []
    own = {"key_file": str(tmp_path / "key")} if sealed else {}
    text = stamp_config([{"name": "far", "host": DESTINATION[family], **own}])
    with Fan(width=2, icmp="kernel") as fan, open(tmp_path / "log", "w") as log:
        suite = fan.network.popen("dst", command, stdout=log, stderr=log)
        try:
            with Exporter(text, fan.network.ns("agent")) as exporter:
                eventually(lambda: len(exporter.metrics().flow_paths("far")) == FLOWS and mode_of(exporter, "far") == mode,
                           60, lambda: (tmp_path / "log").read_text() + exporter.metrics().text)
                quiet = Growth(exporter, "far")
                paths = set(exporter.metrics().flow_paths("far").values())
                way = "forward" if mode == "stateful" else "unresolved"
                grown = eventually(lambda: quiet.enough(paths, way, 100), 60, quiet)
                assert not any(grown["losses"].values()), grown
                fan.lose(fan.branch(1), LOSS)
                wait_for_losses(exporter, "far", way)
                lossy = Growth(exporter, "far")

                def lost():
                    return sum(count for (_, of), count in lossy()["losses"].items() if of == way) > 30
                eventually(lost, 60, lossy)
                assert all(of == way or count <= 2 for (_, of), count in lossy()["losses"].items()), lossy()
                assert exporter.metrics().values("ecmp_reflector_up", "destination") == {"far": 1}
                assert refused(fan) == 0
        finally:
            suite.kill()
            suite.wait()
