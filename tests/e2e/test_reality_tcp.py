"""The state that other hosts' TCP keeps: what real listeners, firewalls and proxies do to SYNs that come again, and that
none of it enters the figures. Kernel defaults everywhere. What is known of it is in docs/adr/0023."""
import contextlib
import socket
import struct
import time

import pytest

from exporter import Exporter, config, eventually
from netns import Network, write_sysctls

HOST = {4: "10.61.0.1", 6: "fd61::1"}
ROUTER = {4: ("10.61.0.2", "10.61.1.2"), 6: ("fd61::2", "fd61:1::2")}
SERVER = {4: "10.61.1.1", 6: "fd61:1::1"}
PORT = 443
FLOWS = 8
INVALID = """table inet firewall {
  chain input {
    type filter hook input priority 0; policy accept;
    iif lo accept
    ct state established accept
    ct state invalid drop
  }
}
"""


@contextlib.contextmanager
def network_of_three(listens=True):
    """A host, a router, and a server that listens: all as the kernel sets them up."""
    with Network() as network, contextlib.ExitStack() as stack:
        nodes = ["host", "router", "server"]
        network.add_nodes(nodes)
        for node in nodes:
            write_sysctls(network.ns(node), {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0})
        write_sysctls(network.ns("router"), {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        network.batch(None, [f"link add hv netns {network.ns('host')} type veth peer name rh netns {network.ns('router')}",
                             f"link add sv netns {network.ns('server')} type veth peer name rs netns {network.ns('router')}"])
        for family, bits in ((4, 24), (6, 64)):
            flags = " nodad" if family == 6 else ""
            for node, lines in (("host", [(HOST[family], "hv")]), ("server", [(SERVER[family], "sv")]),
                                ("router", [(ROUTER[family][0], "rh"), (ROUTER[family][1], "rs")])):
                network.batch(node, [f"addr add {address}/{bits} dev {name}{flags}" for address, name in lines])
        for node, names in (("host", ["hv"]), ("server", ["sv"]), ("router", ("rh", "rs"))):
            network.batch(node, ["link set lo up", *(f"link set {name} up" for name in names)])
        for family in (4, 6):
            network.batch("host", [f"route add default via {ROUTER[family][0]}"], family=f"-{family}")
            network.batch("server", [f"route add default via {ROUTER[family][1]}"], family=f"-{family}")
        if listens:
            with network.entered("server"):
                for family in (socket.AF_INET, socket.AF_INET6):
                    listener = stack.enter_context(socket.socket(family))
                    if family == socket.AF_INET6:
                        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    listener.bind(("", PORT))
                    listener.listen(4096)
        yield network


def exporter_of(network, **probe):
    destinations = [{"name": name, "host": SERVER[family], "protocol": "tcp", "port": PORT, "flows": FLOWS}
                    for family, name in ((4, "four"), (6, "six"))]
    return Exporter(config(destinations, probe={"interval": "1s", "timeout": "800ms", "max_ttl": 8, **probe}),
                    network.ns("host"))


def counts(exporter):
    metrics = exporter.metrics()
    return {name: (sum(metrics.values("ecmp_flow_probes_total", "flow", destination=name).values()),
                   sum(metrics.values("ecmp_flow_replies_total", "flow", destination=name).values()))
            for name in ("four", "six")}


def half_open(network):
    """Connections that the server waits for."""
    return len(network.run_in("server", ["ss", "-Htan", "state", "syn-recv"]).splitlines())


def own_resets(exporter):
    return exporter.metrics().total("ecmp_exporter_tcp_resets_sent_total")


def watch_rounds(exporter, rounds, seconds):
    def enough():
        return all(probes >= rounds * FLOWS for probes, _ in counts(exporter).values())
    eventually(enough, seconds, lambda: counts(exporter))


def test_a_firewall_that_drops_what_conntrack_calls_invalid():
    """nft drops the SYN-ACK, for conntrack has seen no SYN (nf_conntrack_proto_tcp.c): the kernel sends no RST."""
    with network_of_three() as network:
        network.nft("host", INVALID)
        with exporter_of(network) as exporter:
            watch_rounds(exporter, 10, 40)
            found = counts(exporter)
            assert all(probes == replies for probes, replies in found.values()), found
            assert own_resets(exporter) >= FLOWS * 10
        eventually(lambda: half_open(network) <= 2 * FLOWS, 3, lambda: half_open(network))


def test_a_firewall_that_drops_the_kernels_rst():
    """As hosts have it whose owner was taught to for raw SYN scans: `output tcp flags rst drop`."""
    with network_of_three() as network:
        network.nft("host", "table inet firewall { chain output { type filter hook output priority 0; "
                            "tcp flags & rst == rst drop; }; }")
        with exporter_of(network) as exporter:
            watch_rounds(exporter, 8, 40)
            found = counts(exporter)
            assert all(probes == replies for probes, replies in found.values()), found
            assert own_resets(exporter) > 0


def test_without_a_firewall_the_kernel_sends_the_rst():
    """RFC 9293 section 3.10.7.1: ours would be one too many."""
    with network_of_three() as network:
        with exporter_of(network) as exporter:
            watch_rounds(exporter, 8, 40)
            found = counts(exporter)
            assert all(probes == replies for probes, replies in found.values()), found
            assert own_resets(exporter) == 0


def test_a_connection_that_was_left_half_open():
    """What another SYN of the same addresses and ports gets: a bare ACK (tcp_check_req() of Linux). Here of a SYN with a
    number that is none of ours, as an exporter leaves it that is killed; the firewall keeps the kernel from clearing it."""
    with network_of_three() as network:
        network.nft("host", INVALID + "table inet half { chain o { type filter hook output priority 0; "
                                      "tcp flags & rst == rst drop; }; }")
        with network.entered("host"):
            for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                with socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
                    raw.bind((HOST[family], 0))
                    for port in range(50000, 50000 + FLOWS):
                        raw.sendto(syn(HOST[family], SERVER[family], port, PORT, 0x01020304), (SERVER[family], 0))
        eventually(lambda: half_open(network) == 2 * FLOWS, 3, lambda: half_open(network))
        with exporter_of(network, source_port=50000) as exporter:
            for name in ("four", "six"):
                eventually(lambda name=name: [line for line in exporter.paths(destination=name)
                                              if line.get("unobserved") == "tcp_state"],
                           15, f"a round of {name} whose answer is not known")
                assert not [line for line in exporter.paths(destination=name) if line["loss"]]


def syn(source, destination, source_port, destination_port, sequence):
    header = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, 0, 0x50, 2, 65535, 0, 0)
    if ":" in source:
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
        pseudo = addresses + struct.pack("!IHH", len(header), 0, 6)
    else:
        pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(header))
    total = sum(struct.unpack(f"!{(len(pseudo) + len(header)) // 2}H", pseudo + header))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return header[:16] + struct.pack("!H", ~total & 0xffff) + header[18:]


@pytest.mark.parametrize("firewall", [False, True])
def test_lost_syn_acks_are_lost(firewall):
    """Linux sends a SYN-ACK again after 1 s (RFC 6298): within a timeout of 2 s half of the losses would be answers."""
    with network_of_three() as network:
        if firewall:
            network.nft("host", INVALID)
        network.nft("router", "table inet loss { chain forward { type filter hook forward priority 0; "
                              "tcp sport 443 tcp flags & (syn | ack) == (syn | ack) numgen random mod 10 < 3 drop; }; }")
        with exporter_of(network, interval="3s", timeout="2s", flows=32) as exporter:
            time.sleep(60)
            found = counts(exporter)
            slow = [hop["rtt"] for line in exporter.paths(since="5m") for hop in line["hops"] if hop.get("rtt", 0) > 500_000]
            assert not slow
        probes = sum(one for one, _ in found.values())
        lost = probes - sum(replies for _, replies in found.values())
        # 16 flows x 19 rounds: a standard deviation is 2.6 %.
        assert probes > 250 and abs(lost / probes - 0.3) < 0.09, found


def test_a_syn_proxy_answers_for_a_server_that_is_dead():
    """nft `synproxy` (nf_synproxy_core.c): nearer than the server, and alive. Told as what answers, and no loss."""
    with network_of_three(listens=False) as network:
        try:
            network.nft("router", "table inet proxy { chain raw { type filter hook prerouting priority -300; "
                                  "tcp dport 443 tcp flags syn notrack; }; "
                                  "chain forward { type filter hook forward priority 0; "
                                  "tcp dport 443 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; }; }")
        except Exception as error:  # noqa: BLE001
            pytest.skip(f"no synproxy in this kernel: {error}")
        with exporter_of(network) as exporter:
            # That of Linux 6.18 answers no SYN over IPv6: nothing leaves the router.
            eventually(lambda: counts(exporter)["four"][0] >= 6 * FLOWS, 40, lambda: counts(exporter))
            probes, replies = counts(exporter)["four"]
            assert probes == replies
