"""Hosts and routers as Linux delivers them: what they do not answer for their ICMP limits is no loss.

docs/reality.md, "Limits of ICMP answers". Nothing is set in these namespaces but what routers need to forward. Linux
answers each prober with one error a second (IPv4) and one in 100 ms (IPv6, 1 s before 2026), six at once.
"""
import contextlib
import itertools
import socket
import time

import pytest

from beside import beside
from exporter import Exporter, Metrics
from netns import Network, write_sysctls
from tracer import run

# The README's four lines, once for each family: UDP, 16 flows, a round each ten seconds.
USUAL = ""
DENSE = "[probe]\nflows = 64\ninterval = \"1s\"\n"
SECONDS = 75
# The same to hosts whose firewalls reject it, as iptables and nftables do where nothing else is said, and as firewalld does.
TCP = '[probe]\nprotocol = "tcp"\n'
ECHO = '[probe]\nprotocol = "icmp"\n'
FIREWALLS = {TCP: "meta l4proto tcp reject",
             ECHO: "icmp type echo-request reject with icmp type admin-prohibited\n"
                   "icmpv6 type echo-request reject with icmpv6 type admin-prohibited"}
LOADS = {"usual": USUAL, "dense": DENSE, "tcp": TCP, "echo": ECHO}


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


@contextlib.contextmanager
def others_ask(network, node, hosts, seconds):
    """Another program at the address of `node`: each `seconds` it asks closed ports of the hosts and, as mtr does, the
    routers before them. Their answers are taken from what is left for the exporter."""
    def ask(done):
        port = 33434
        while not done.wait(seconds):
            port = port + 1 if port < 33500 else 33434
            for ttl in (1, 2, 64):
                for (host, asking), option in zip(zip(hosts, sockets), (four, six)):
                    asking.setsockopt(*option, ttl)
                    with contextlib.suppress(OSError):  # refused: an error about an earlier one
                        asking.sendto(b"x", (host, port))

    four = socket.IPPROTO_IP, socket.IP_TTL
    six = socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS
    with network.entered(node):
        sockets = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
    try:
        with beside(ask):
            yield
    finally:
        for each in sockets:
            each.close()


# Seconds from one round of another prober at our address to the next one, from the second half on.
OTHERS = {"mtr": 1, "flood": 0.05}


@pytest.fixture(scope="module")
def told():
    """What exporters report after the first minute: (routers, load) -> (exporter's metrics, /paths, /events)."""
    result = {}
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        running = {}
        lines = {}
        kinds = [*itertools.product((0, 2), LOADS.values()), *((2, who) for who in OTHERS)]
        for tag, (routers, load) in enumerate(kinds):
            lines[routers, load] = line_up(network, tag, routers)
            if load in FIREWALLS:
                network.nft(f"h{tag}", "table inet lab {\nchain input {\ntype filter hook input priority 0;\n"
                                       f"{FIREWALLS[load]}\n}}\n}}\n")
        time.sleep(3)  # link-local addresses are tentative for so long: until then routers do lose
        for (routers, load), (agent, four, six) in lines.items():
            text = "".join(f'[[destination]]\nname = "{name}"\nhost = "{host}"\n'
                           for name, host in (("four", four), ("six", six)))
            text = text if load in OTHERS else load + text
            running[routers, load] = stack.enter_context(Exporter(text, agent))
        half = {}
        for moment in range(2):
            time.sleep(SECONDS / 2)
            for key, exporter in running.items():
                half.setdefault(key, []).append(exporter.metrics())
            for tag, key in enumerate(lines):
                if moment == 0 and key[1] in OTHERS:
                    stack.enter_context(others_ask(network, f"a{tag}", lines[key][1:], OTHERS[key[1]]))
        for key, exporter in running.items():
            result[key] = (half[key], exporter.paths(since="10m"), exporter.get("/events").text)
    return result


@pytest.mark.parametrize("name", ["four", "six"])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
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
    if load != DENSE:  # about one round each second and a quarter, a trial left out
        assert sum(count > 0 for count in flows.values()) >= 12, flows


@pytest.mark.parametrize("name", ["four", "six"])
@pytest.mark.parametrize("who", OTHERS)
def test_what_another_prober_at_our_address_uses_up_is_no_loss(told, who, name):
    moments, rounds, events = told[2, who]
    outcomes = {}
    for line in rounds:
        if line["destination"] == name:
            outcomes[line["outcome"]] = outcomes.get(line["outcome"], 0) + 1
    print(outcomes)
    for metrics in moments:
        assert metrics.total("ecmp_destination_up", destination=name) == 1
        assert metrics.total("ecmp_flow_probes_total", destination=name) == metrics.total("ecmp_flow_replies_total",
                                                                                        destination=name)
        assert metrics.total("ecmp_hop_losses_total", destination=name) == 0
    assert "verdict" not in events and "down" not in events
    assert outcomes.get("lost", 0) == 0
    # It has met silence: the test asks what it is to ask.
    assert outcomes.get("undecided", 0) > 0 or (who, name) == ("mtr", "six")


@pytest.fixture(scope="module")
def lines():
    """Hosts behind 0 and 2 routers with nothing set, and one that answers everything but loses a fifth of the probes."""
    with Network() as network:
        limited = {routers: line_up(network, f"t{routers}", routers) for routers in (0, 2)}
        lossy = line_up(network, "tl", 2)
        for node in ("rtl0", "rtl1", "htl"):
            write_sysctls(network.ns(node), {"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0,
                                             "net.ipv4.icmp_msgs_per_sec": 1000000, "net.ipv4.icmp_msgs_burst": 100000})
        network.nft("htl", "table inet lab {\nchain input {\ntype filter hook input priority 0;\n"
                           "meta l4proto udp numgen random mod 1000 < 200 drop\n}\n}\n")
        time.sleep(3)
        yield limited, lossy


def outcomes_of(done):
    assert done.code == 0, done.err
    counted = {}
    for line in done.lines:
        counted[line["outcome"]] = counted.get(line["outcome"], 0) + 1
        assert line["loss"] == (line["outcome"] == "lost")
    return counted


@pytest.mark.parametrize("arguments", [["-P", 16, "-c", 3], ["-P", 64, "-c", 2], ["-c", 12, "-d", "500ms"]],
                         ids=["16x3", "64x2", "default-flows"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("routers", [0, 2])
def test_a_short_trace_takes_no_limit_for_loss(lines, routers, family, arguments):
    agent, four, six = lines[0][routers]
    time.sleep(8)  # what the trace before has used up is there again
    done = run("-J", "-U", "-i", "20ms", *arguments, four if family == 4 else six, namespace=agent)
    counted = outcomes_of(done)
    print(counted)
    assert counted.get("lost", 0) == 0 and counted["reached"] >= 4, counted
    # All flows take the only way there is.
    assert len({line["path"] for line in done.lines}) <= 2


@pytest.mark.parametrize("routers", [0, 2])
def test_a_trace_right_after_another_takes_no_limit_for_loss(lines, routers):
    """IPv4: the trace before has used up the six answers that Linux gives at once."""
    agent, four, _ = lines[0][routers]
    for rounds in (1, 1, 2, 3):
        counted = outcomes_of(run("-J", "-U", "-i", "50ms", "-c", rounds, four, namespace=agent))
        print(rounds, counted)
        assert counted.get("lost", 0) == 0, counted


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("rounds", [1, 10])
def test_a_short_trace_reports_real_loss(lines, family, rounds):
    agent, four, six = lines[1]
    done = run("-J", "-U", "-i", "5ms", "-d", "1s", "-P", 400 // rounds, "-c", rounds, four if family == 4 else six,
               namespace=agent)
    counted = outcomes_of(done)
    print(counted)
    # 400 trials at 20 %: 80, give or take four standard deviations of 8.
    assert 48 <= counted.get("lost", 0) <= 112 and counted["reached"] >= 280, counted


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_one_off_traces_report_real_loss(lines, protocol):
    """Rounds over UDP are judged whether they are answered or not, as those over other protocols are."""
    agent, four, six = lines[1]
    module = f'[modules.lossy]\nprotocol = "{protocol}"\nflows = 32\nrounds = 3\ninterval = "300ms"\ntimeout = "500ms"\n'
    limits = '[one_off]\nallowed_networks = ["10.70.0.0/16", "fd70::/16"]\nrequests_per_second = 20\nburst = 20\n'
    probes = replies = 0
    with Exporter(module + limits, agent) as exporter:
        for host in (four, six) * 3:
            answer = exporter.get(f"/probe?destination={host}&module=lossy")
            metrics = Metrics(answer.text)
            probes += metrics.total("ecmp_flow_probes_total")
            replies += metrics.total("ecmp_flow_replies_total")
    # Of 6 x 32 x 3 rounds. 20 %, give or take four standard deviations; echo requests are not dropped here.
    assert probes >= 500, probes
    assert abs((probes - replies) - (0.2 * probes if protocol == "udp" else 0)) <= 4 * (0.16 * probes) ** 0.5, (probes, replies)


@pytest.mark.parametrize("routers", [0, 2])
def test_one_off_traces_take_no_limit_for_loss(lines, routers):
    """Twice in a row, so that the first trace has used up what Linux gives at once."""
    agent, four, six = lines[0][routers]
    limits = '[one_off]\nallowed_networks = ["10.70.0.0/16", "fd70::/16"]\nrequests_per_second = 20\nburst = 20\n'
    with Exporter('[modules.usual]\nflows = 16\nrounds = 3\ninterval = "300ms"\n' + limits, agent) as exporter:
        for host in (four, four, six, six):
            metrics = Metrics(exporter.get(f"/probe?destination={host}&module=usual").text)
            probes = metrics.total("ecmp_flow_probes_total")
            assert probes == metrics.total("ecmp_flow_replies_total") > 0, host
            assert metrics.total("ecmp_probe_success") == 1
