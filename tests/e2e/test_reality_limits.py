"""Hosts and routers as Linux delivers them: what they do not answer for their ICMP limits is no loss.

docs/reality.md, "Limits of ICMP answers". Nothing is set in these namespaces but what routers need to forward. Linux
answers each prober with one error a second (IPv4) and one in 100 ms (IPv6, 1 s before 2026), six at once.
"""
import contextlib
import time

import pytest

from exporter import Exporter
from netns import Network, write_sysctls

# The README's four lines, once for each family: UDP, 16 flows, a round each ten seconds.
USUAL = ""
DENSE = "[probe]\nflows = 64\ninterval = \"1s\"\n"
SECONDS = 75


def line_up(network, tag, routers):
    """agent - routers - host, in a row; returns the namespace of the agent and the addresses of the host."""
    nodes = [f"a{tag}", *(f"r{tag}{i}" for i in range(routers)), f"h{tag}"]
    network.add_nodes(nodes)
    ns = network.ns
    for node in nodes[1:-1]:
        write_sysctls(ns(node), {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
    for i, (near, far) in enumerate(zip(nodes, nodes[1:])):
        network.batch(None, [f"link add name far netns {ns(near)} type veth peer name near netns {ns(far)}"])
        network.batch(near, ["link set dev lo up", "link set dev far up", f"addr add 10.70.{i}.1/24 dev far",
                             f"addr add fd70:{i}::1/64 dev far nodad"])
        network.batch(far, ["link set dev lo up", "link set dev near up", f"addr add 10.70.{i}.2/24 dev near",
                            f"addr add fd70:{i}::2/64 dev near nodad"])
    last = len(nodes) - 1
    for i, node in enumerate(nodes):
        if i < last:
            network.batch(node, [f"route add default via 10.70.{i}.2", f"route add ::/0 via fd70:{i}::2"])
        for back in range(i - 1):
            network.batch(node, [f"route add 10.70.{back}.0/24 via 10.70.{i - 1}.1",
                                 f"route add fd70:{back}::/64 via fd70:{i - 1}::1"])
    return ns(nodes[0]), f"10.70.{last - 1}.2", f"fd70:{last - 1}::2"


@pytest.fixture(scope="module")
def told():
    """What four exporters say after the first minute: (routers, load) -> (exporter's metrics, /paths, /events)."""
    result = {}
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        running = {}
        lines = {}
        for tag, (routers, load) in enumerate([(0, USUAL), (2, USUAL), (0, DENSE), (2, DENSE)]):
            lines[routers, load] = line_up(network, tag, routers)
        time.sleep(3)  # link-local addresses are tentative for so long: until then routers do lose
        for (routers, load), (agent, four, six) in lines.items():
            text = load + "".join(f'[[destination]]\nname = "{name}"\nhost = "{host}"\n'
                                  for name, host in (("four", four), ("six", six)))
            running[routers, load] = stack.enter_context(Exporter(text, agent))
        half = {}
        for moment in range(2):
            time.sleep(SECONDS / 2)
            for key, exporter in running.items():
                half.setdefault(key, []).append(exporter.metrics())
        for key, exporter in running.items():
            result[key] = (half[key], exporter.paths(since="10m"), exporter.get("/events").text)
    return result


@pytest.mark.parametrize("name", ["four", "six"])
@pytest.mark.parametrize("load", [USUAL, DENSE], ids=["usual", "dense"])
@pytest.mark.parametrize("routers", [0, 2])
def test_default_limits_are_no_loss(told, routers, load, name):
    moments, rounds, events = told[routers, load]
    for metrics in moments:
        assert metrics.total("ecmp_destination_up", destination=name) == 1
        probes = metrics.total("ecmp_flow_probes_total", destination=name)
        assert probes == metrics.total("ecmp_flow_replies_total", destination=name) > 0
        assert metrics.total("ecmp_hop_losses_total", destination=name) == 0
    assert "verdict" not in events and "down" not in events
    own = [line for line in rounds if line["destination"] == name]
    outcomes = {}
    for line in own:
        outcomes[line["outcome"]] = outcomes.get(line["outcome"], 0) + 1
    print(outcomes)
    assert outcomes.get("lost", 0) == 0
    assert outcomes["reached"] >= 15
    # What was not judged is counted, and nothing is both.
    last = moments[-1]
    unjudged = last.total("ecmp_flow_unjudged_total", destination=name)
    assert unjudged > 0 or name == "six"
    flows = last.values("ecmp_flow_probes_total", ("flow",), destination=name)
    if load == USUAL:  # about one round each second and a quarter, a trial left out
        assert sum(count > 0 for count in flows.values()) >= 12, flows
