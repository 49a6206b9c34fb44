"""The lab itself, proven with another tracer: what it predicts is what scamper sees, and its faults do what they say."""
import json
import subprocess

import pytest

from etr_topology import DESTINATION as ETR_DESTINATION, SECOND_HOPS, etr_topology
from lab import DESTINATION, Fan


def scamper(network, node, destination, source_ports, method, port):
    """{source port: ([(address, ICMP type, code), ...], why it stopped)}; all ports at once. Where scamper ends without a
    trace there are no hops, and None."""
    running = {
        sport: network.popen(node, ["scamper", "-O", "json", "-p", "1000", "-c",
                                    f"trace -w 1 -q 1 -P {method} -s {sport} -d {port}", "-i", destination],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for sport in source_ports}
    traces = {}
    for sport, process in running.items():
        lines = [json.loads(line) for line in process.communicate()[0].splitlines()]
        trace = next((line for line in lines if line["type"] == "trace"), {})
        hops = sorted(trace.get("hops", []), key=lambda hop: hop["probe_ttl"])
        traces[sport] = ([(hop["addr"], hop.get("icmp_type"), hop.get("icmp_code")) for hop in hops],
                         trace.get("stop_reason"))
    return traces


def addresses(trace):
    return [hop[0] for hop in trace[0]]


# scamper sends IPv6 UDP from connected sockets, whose hash the kernel draws at random; see lab.py.
@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("family,method,protocol,port",
                         [(4, "udp-paris", "udp", 33434), (4, "tcp", "tcp", 443), (6, "tcp", "tcp", 443)])
def test_what_the_routers_say_is_where_packets_go(stages, family, method, protocol, port):
    with Fan(width=4, stages=stages) as fan:
        ports = range(50000, 50024)
        expected = fan.expected_paths(DESTINATION[family], ports, protocol, port)
        seen = scamper(fan.network, "agent", DESTINATION[family], ports, method, port)
        # Side by side they hear each other's answers, and now and then one takes another's for its own: what differs is
        # asked again, alone.
        for sport in ports:
            if addresses(seen[sport]) != expected[sport]:
                seen |= scamper(fan.network, "agent", DESTINATION[family], [sport], method, port)
        assert {sport: addresses(trace) for sport, trace in seen.items()} == expected
        assert len({path[1] for path in expected.values()}) == 4


def test_a_fan_of_sixteen_has_sixteen_branches():
    with Fan(width=16) as fan:
        expected = fan.expected_paths(DESTINATION[4], range(50000, 50200))
        assert len({path[1] for path in expected.values()}) == 16


def test_faults_do_what_they_say():
    with Fan(width=2) as fan:
        there = DESTINATION[4]
        expected = fan.expected_paths(there, range(50000, 50016))
        branch = fan.branch(1)
        own = fan.addresses[branch][4]
        port = next(sport for sport, path in expected.items() if own in path)

        def trace():
            return scamper(fan.network, "agent", there, [port], "udp-paris", 33434)[port]

        fan.reject(branch)
        assert trace()[0][-1] == (own, 3, 13)
        fan.heal(branch)
        fan.black_hole(branch)
        assert [hop[0] for hop in trace()[0]] == expected[port][:2]
        fan.heal(branch)
        fan.lose_answers(branch, 1.0)
        assert [hop[0] for hop in trace()[0]] == expected[port][:1] + expected[port][2:]
        fan.heal(branch)

        for change, undo, longer in ((lambda: fan.replace_branch(1), lambda: fan.restore_branch(1), 0),
                                     (fan.lengthen_branch, fan.shorten_branch, 1), (fan.grow, fan.shrink, 1)):
            change()
            after = fan.expected_paths(there, range(50000, 50016))
            assert [hop[0] for hop in trace()[0]] == after[port] != expected[port]
            assert len(after[port]) == len(expected[port]) + longer
            undo()
            assert fan.expected_paths(there, range(50000, 50016)) == expected
        fan.uplink_down()
        fan.uplink_up()
        assert [hop[0] for hop in trace()[0]] == expected[port]


def test_the_topology_of_etr_has_two_branches():
    with etr_topology() as network:
        for family, destination in ETR_DESTINATION.items():
            traces = scamper(network, "probe", destination, range(50000, 50024), "tcp", 443)
            assert {hops[1][0] for hops, _ in traces.values()} == SECOND_HOPS[family]
            assert all(hops[-1][0] == destination and len(hops) == 4 for hops, _ in traces.values())
