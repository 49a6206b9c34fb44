"""The host's own routing: probes leave as the packets of a connected socket with the same addresses and ports do. The
yardstick is the kernel: the same destinations are asked by real sockets, and both are seen as they leave. What is
known of it is in docs/adr/0024."""
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import tracer
from exporter import Exporter, config, eventually
from netns import Network, write_sysctls

ETH_P_ALL = 3
OUTGOING = socket.PACKET_OUTGOING
FLOWS = 8
FIRST_PORT = 20000  # no connection of this test takes it: Linux chooses from 32768 on
UPLINKS = ("u0", "u1")
OWN = {4: ("10.60.0.1", "10.60.1.1"), 6: ("fd60::1", "fd60:1::1")}
GATEWAYS = {4: ("10.60.0.2", "10.60.1.2"), 6: ("fd60::2", "fd60:1::2")}
ANYWHERE = {4: "10.70.0.0/16", 6: "fd70::/64"}
LOOPBACK = {4: "10.255.0.1", 6: "fdff::1"}
DESTINATIONS = {4: [f"10.70.0.{i}" for i in range(1, 7)], 6: [f"fd70::{i}" for i in range(1, 7)]}
PORTS = {"udp": 33434, "tcp": 443}
PROTOCOLS = {6: "tcp", 17: "udp"}


def gateway(family, number):
    return f"via {GATEWAYS[family][number]} dev {UPLINKS[number]}"


def both(family):
    return f"nexthop {gateway(family, 0)} nexthop {gateway(family, 1)}"


class Leaving:
    """Which way the packets of a host leave: {(protocol, destination, source port): {(interface, source)}}."""

    def __init__(self, network, node):
        with network.entered(node):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.settimeout(0.1)
        self.seen = {}
        self.over = False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while not self.over:
            try:
                data, where = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            if where[2] != OUTGOING or len(data) < 28:
                continue
            v4 = data[0] >> 4 == 4
            protocol = PROTOCOLS.get(data[9] if v4 else data[6])
            if protocol is None:
                continue
            source, destination = (data[12:16], data[16:20]) if v4 else (data[8:24], data[24:40])
            family = socket.AF_INET if v4 else socket.AF_INET6
            own, remote = struct.unpack_from("!HH", data, (data[0] & 15) * 4 if v4 else 40)
            if remote != PORTS[protocol]:
                continue
            key = (protocol, socket.inet_ntop(family, destination), own)
            self.seen.setdefault(key, set()).add((where[0], socket.inet_ntop(family, source)))

    def take(self):
        found, self.seen = self.seen, {}
        return found

    def close(self):
        self.over = True
        self.thread.join()
        self.socket.close()


@contextlib.contextmanager
def two_uplinks():
    """A host with two uplinks to one neighbour, which answers nothing."""
    with Network() as network:
        network.add_nodes(["host", "peer"])
        write_sysctls(network.ns("host"), {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0})
        write_sysctls(network.ns("peer"), {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0})
        for number, name in enumerate(UPLINKS):
            network.batch(None, [f"link add {name} netns {network.ns('host')} type veth "
                                 f"peer name p{number} netns {network.ns('peer')}"])
        for family, bits in ((4, 24), (6, 64)):
            flags = " nodad" if family == 6 else ""
            for node, names, of in (("host", UPLINKS, OWN), ("peer", ("p0", "p1"), GATEWAYS)):
                network.batch(node, [f"addr add {of[family][i]}/{bits} dev {names[i]}{flags}" for i in (0, 1)])
        for node, names in (("host", UPLINKS), ("peer", ("p0", "p1"))):
            network.batch(node, ["link set lo up", *(f"link set {name} up" for name in names)])
        for family in (4, 6):
            network.batch("host", [f"addr add {LOOPBACK[family]}/{32 if family == 4 else 128} dev lo"])
            network.batch("host", [f"route add {ANYWHERE[family]} {both(family)}"], family=f"-{family}")
            for number in (0, 1):  # a gateway that is not resolved yet is no question of routing
                eventually(lambda: subprocess.run(
                    ["nsenter", f"--net=/run/netns/{network.ns('host')}", "ping", "-qc1", "-W1", GATEWAYS[family][number]],
                    capture_output=True).returncode == 0, 10, "a gateway that answers")
        yield network


def real_sockets(network, family, seen, source=None, interface=None, mark=None):
    """What connected sockets with the probes' ports do."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    anything = "0.0.0.0" if family == 4 else "::"
    with network.entered("host"):
        for protocol, remote in PORTS.items():
            for destination in DESTINATIONS[family]:
                for port in range(FIRST_PORT, FIRST_PORT + FLOWS):
                    with socket.socket(kind, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as end:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        if interface:
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                        if mark:
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
                        end.bind((source or anything, port))
                        end.setblocking(False)
                        with contextlib.suppress(OSError):
                            end.connect((destination, remote))
                            if protocol == "udp":
                                end.send(b"x")
    expected = len(PORTS) * len(DESTINATIONS[family]) * FLOWS
    found = {}

    def all_seen():
        found.update(seen.take())
        return len(found) == expected
    eventually(all_seen, 5, lambda: f"{len(found)} of {expected} seen")
    return found


def probes(network, family, seen, **keys):
    """What our probes with the same ports do."""
    destinations = [{"name": f"{protocol} {address}", "host": address, "protocol": protocol, "port": PORTS[protocol]}
                    for protocol in PORTS for address in DESTINATIONS[family]]
    made = config(destinations, probe={"flows": FLOWS, "source_port": FIRST_PORT, "interval": "1s", "timeout": "200ms",
                                       "max_ttl": 1, **keys})
    expected = len(destinations) * FLOWS
    found = {}

    def all_seen():
        found.update(seen.take())
        return len(found) == expected
    with Exporter(made, network.ns("host")):
        eventually(all_seen, 10, lambda: f"{len(found)} of {expected} seen")
    seen.take()
    return found


def compare(network, family, both_used=True, keys=None, **wishes):
    seen = Leaving(network, "host")
    try:
        ours = probes(network, family, seen, **(keys or {}))
        theirs = real_sockets(network, family, seen, **wishes)
    finally:
        seen.close()
    different = {key: (ours.get(key), theirs[key]) for key in theirs if ours.get(key) != theirs[key]}
    assert not different, f"{len(different)} of {len(theirs)} leave otherwise: {list(different.items())[:5]}"
    used = {interface for ways in theirs.values() for interface, _ in ways}
    if both_used:
        assert used == (set(UPLINKS) if both_used is True else {both_used})


def hash_policy(network, policy):
    write_sysctls(network.ns("host"), {"net.ipv4.fib_multipath_hash_policy": policy,
                                       "net.ipv6.fib_multipath_hash_policy": policy})


# fib_multipath_hash of net/ipv4/route.c, rt6_multipath_hash of net/ipv6/route.c. Policy 3 of IPv4 is not among them:
# the kernel computes another hash for a question by netlink than for a socket (docs/reality.md).
@pytest.mark.parametrize("family, policy", [(4, 0), (4, 1), (4, 2), (6, 0), (6, 1), (6, 2), (6, 3)])
def test_two_uplinks(family, policy):
    """Equal-cost uplinks, each with an address of its own."""
    with two_uplinks() as network:
        hash_policy(network, policy)
        compare(network, family)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("policy", [0, 1])
def test_an_interface_is_obeyed(family, policy):
    """SO_BINDTODEVICE (man 7 socket)."""
    with two_uplinks() as network:
        hash_policy(network, policy)
        for interface in UPLINKS:
            compare(network, family, interface, {"interface": interface}, interface=interface)


@pytest.mark.parametrize("family", [4, 6])
def test_a_source_address_is_used_over_both_uplinks(family):
    """A source address binds to no interface (RFC 1122 section 3.3.4.2, the weak end system model)."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        compare(network, family, True, {"source_address": LOOPBACK[family]}, source=LOOPBACK[family])
        # Linux 6.15 and later take the uplink that has the source, for IPv4.
        compare(network, family, None, {"source_address": OWN[family][1]}, source=OWN[family][1])


@pytest.mark.parametrize("family", [4, 6])
def test_interface_and_source_address_go_together(family):
    """As a socket that is bound to both."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        for interface in UPLINKS:
            compare(network, family, interface, {"interface": interface, "source_address": LOOPBACK[family]},
                    interface=interface, source=LOOPBACK[family])


@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_by_mark(family):
    """SO_MARK and `ip rule fwmark` (man 8 ip-rule)."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        network.batch("host", [f"route add default {gateway(family, 1)} table 7", "rule add fwmark 7 lookup 7"],
                      family=f"-{family}")
        compare(network, family, "u1", {"fwmark": 7}, mark=7)
        compare(network, family, True, {"fwmark": 8}, mark=8)


@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_by_ports_and_user(family):
    """`ip rule ipproto ... sport ... uidrange` (man 8 ip-rule)."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        middle = f"{FIRST_PORT + 2}-{FIRST_PORT + 5}"
        network.batch("host", [f"route add default {gateway(family, 0)} table 8", f"route add default {gateway(family, 1)} table 9",
                               f"rule add ipproto tcp sport {middle} lookup 8",
                               f"rule add ipproto udp dport 33434 sport {middle} lookup 9"], family=f"-{family}")
        compare(network, family)
        network.batch("host", [f"rule add pref 1 uidrange {os.geteuid()}-{os.geteuid()} lookup 9"], family=f"-{family}")
        compare(network, family, "u1")


@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_by_source_address(family):
    """Source routing, as every host with two providers has it (RFC 8043)."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        network.batch("host", [line for number in (0, 1) for line in
                               (f"route add default {gateway(family, number)} table 1{number}",
                                f"rule add from {OWN[family][number]} lookup 1{number}")], family=f"-{family}")
        compare(network, family)
        for number in (0, 1):
            compare(network, family, UPLINKS[number], {"source_address": OWN[family][number]}, source=OWN[family][number])


def test_routes_with_source_filters():
    """`ip -6 route add DESTINATION from PREFIX` (RFC 8043 section 3.2)."""
    with two_uplinks() as network:
        hash_policy(network, 1)
        network.batch("host", [f"route del {ANYWHERE[6]}",
                               *(f"route add {ANYWHERE[6]} from {OWN[6][number]} {gateway(6, number)}" for number in (0, 1))],
                      family="-6")
        for number in (0, 1):
            compare(network, 6, UPLINKS[number], {"source_address": OWN[6][number]}, source=OWN[6][number])


@pytest.mark.parametrize("family", [4, 6])
def test_alternative_names_of_interfaces(family):
    """`ip link property add altname` (man 8 ip-link)."""
    with two_uplinks() as network:
        name = "the-second-uplink-of-this-host"
        network.batch("host", [f"link property add dev u1 altname {name}"])
        compare(network, family, "u1", {"interface": name}, interface="u1")


@pytest.mark.parametrize("family", [4, 6])
def test_what_this_host_does_not_have_is_its_own_failure(family):
    """A socket cannot be bound to a foreign address (EADDRNOTAVAIL, man 7 ip), nor to an interface that is not there."""
    foreign = {4: "10.60.0.77", 6: "fd60::77"}[family]
    where = DESTINATIONS[family][0]
    with two_uplinks() as network:
        for keys, reason, words in (
                ({"source_address": foreign}, "no_source", f"this host has no address {foreign}"),
                ({"interface": "nope"}, "no_interface", 'there is no interface \\"nope\\"')):
            made = config([{"name": "x", "host": where}], probe={"flows": 4, "interval": "300ms", "timeout": "200ms", **keys})
            with Exporter(made, network.ns("host")) as exporter:
                def failures(wanted):
                    return sum(exporter.metrics().values("ecmp_exporter_send_errors_total", "reason",
                                                         reason=wanted).values())
                eventually(lambda: failures(reason) > 3, 10, reason)
                assert failures("no_route") == 0
                assert not sum(exporter.metrics().values("ecmp_exporter_probes_sent_total", "protocol").values())
                assert not [line for line in exporter.paths(since="5m") if line["loss"]]
                assert words in exporter.read_log() or words.replace('\\"', '"') in exporter.read_log()
        # It may appear later: nothing has to be restarted.
        done = tracer.run("-J", "-c", "1", "-U", "-m", "1", "--interface", "nope", where, namespace=network.ns("host"))
        assert 'there is no interface "nope"' in done.err, done.err
