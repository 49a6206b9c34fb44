#!/usr/bin/python3
"""The lab: routers made of network namespaces, joined by veth, with the kernel's own equal-cost routing.

    agent -- r1 -- { b1-1 .. b1-W } -- r2 [ -- { b2-1 .. b2-W } -- r3 ] -- dst

As a library (Fan, etr_topology) it serves the tests, as a program (lab.py up | down | exec | ...) the quickstart and
people; docs/lab.md tells how. Every router has one address of its own (10.S.B.1, fd00:ec:S:B::1) and answers from it
whatever way a packet came, so that what a path must look like can be told from the routes alone. Links carry no
addresses but link-local ones: routes of both families use the same next hops (RFC 8950), so a branch changes for both
at once. Only the agent's uplinks have IPv4 addresses, as a host would.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from netns import LabError, Network, missing_requirements, write_sysctls  # noqa: E402

AGENT = {4: "10.50.0.1", 6: "fd00:ec:50::1"}
AGENT_SECOND = {4: "10.50.0.2", 6: "fd00:ec:50::2"}
AGENT_PREFIX = {4: "10.50.0.0/24", 6: "fd00:ec:50::/64"}
DESTINATION = {4: "10.99.0.1", 6: "fd00:ec:99::1"}
ANYIP_PREFIX = {4: "10.78.0.0/16", 6: "fd00:ec:78::/64"}
MAXIMUM_WIDTH = 16
IP = {4: "-4", 6: "-6"}

ROUTER_SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    # The way back of a packet may be another than its way there.
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    # Addresses are unique by construction; duplicate detection would hold each back for a second.
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    # Ports take part in the hash, as on real routers. Policy 1 believes a hash that a packet brings along, and across
    # veth that is one its socket drew at random when it was connected: expected_paths() is right for packet and raw
    # sockets and for forwarded packets, not for sockets that were connect()ed.
    "net.ipv4.fib_multipath_hash_policy": 1,
    "net.ipv6.fib_multipath_hash_policy": 1,
}
# Policy 3 over protocol (4), source port (16) and destination port (32).
PORTS_ONLY_HASH = {"net.ipv4.fib_multipath_hash_policy": 3, "net.ipv4.fib_multipath_hash_fields": 52}
# An empty mask limits no ICMP type, neither per peer nor over all peers (that limit is the whole machine's before 6.13).
UNLIMITED_ICMP = {
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_ratemask": 0,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv6.icmp.ratemask": "",
}
# Source ports of probes, which no other socket of the agent shall be given.
RESERVED_PORTS = "33000-36000,50000-52000"


class Fan:
    """One or more stages of equal-cost branches between an agent and a destination, for IPv4 and IPv6 alike.

    `uplinks` is the number of first hops (g1, g2, ...) that the agent itself balances over; with 1 it stands beside r1.
    `icmp` is "unlimited", or "kernel" for the limits that Linux has by default. With `attach` nothing is made: the lab
    of this prefix is up already, and stays up.
    """

    def __init__(self, width=4, stages=1, uplinks=1, icmp="unlimited", prefix=None, seed=1, attach=False):
        if not 1 <= width <= MAXIMUM_WIDTH or not 1 <= stages <= 3 or not 1 <= uplinks <= 4:
            raise LabError("a fan is 1 to 16 wide and 1 to 3 stages long, with 1 to 4 uplinks")
        if icmp not in ("unlimited", "kernel"):
            raise LabError(f"ICMP limits are 'unlimited' or 'kernel', not {icmp!r}")
        reasons = missing_requirements()
        if reasons:
            raise LabError("no lab can be made here: " + "; ".join(reasons))
        self.width, self.stages, self.uplinks, self.icmp, self.seed = width, stages, uplinks, icmp, seed
        self.network = Network(prefix)
        self.links = []      # (node, node)
        self.addresses = {}  # node -> {4: its own address, 6: its own address}
        self.cores = [f"r{k}" for k in range(1, stages + 2)]
        self.gateways = [f"g{k}" for k in range(1, uplinks + 1)] if uplinks > 1 else []
        self.branches = {s: [f"b{s}-{i}" for i in range(1, width + 1)] for s in range(1, stages + 1)}
        self.spares = [f"s{s}" for s in range(1, stages + 1)] + ["t"]
        self._name_addresses()
        self._name_links()
        if attach:
            self.network.forget()
            return
        try:
            self._build()
        except BaseException:
            self.network.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.network.close()

    # --- construction ------------------------------------------------------------------------------------------------

    def _build(self):
        self.network.add_nodes(list(self.addresses))
        self._set_sysctls()
        self._make_links()
        for node in self.addresses:
            self.network.batch(node, self._interface_lines(node))
        self._turn_offloads_off()
        # Next hop objects are refused without carrier: all links are up by now.
        self._route_agent()
        self._route_gateways()
        for stage in range(1, self.stages + 1):
            self._route_stage(stage)
        self._route_end()

    def _name_addresses(self):
        self.addresses["agent"] = dict(AGENT)
        for k, node in enumerate(self.gateways, 1):
            self.addresses[node] = self._own(k, 200)
        for k, node in enumerate(self.cores, 1):
            self.addresses[node] = self._own(0, k)
        for stage, branches in self.branches.items():
            for i, node in enumerate(branches, 1):
                self.addresses[node] = self._own(stage, i)
            self.addresses[f"s{stage}"] = self._own(stage, 100)
        self.addresses["t"] = self._own(0, 100)
        self.addresses["dst"] = dict(DESTINATION)

    @staticmethod
    def _own(stage, number):
        return {4: f"10.{stage}.{number}.1", 6: f"fd00:ec:{stage}:{number}::1"}

    def _set_sysctls(self):
        for index, node in enumerate(self.addresses):
            settings = dict(ROUTER_SYSCTLS)
            if self.icmp == "unlimited":
                settings.update(UNLIMITED_ICMP)
            # Were the hash the same at two stages, each branch of the first would see one branch of the second only.
            if os.path.exists("/proc/sys/net/ipv4/fib_multipath_hash_seed"):
                settings["net.ipv4.fib_multipath_hash_seed"] = self.seed * 1000 + index + 1
            elif node in self.cores[1::2]:
                settings.update(PORTS_ONLY_HASH)  # kernels before 6.11 have one seed for all, so other fields here
            if node == "agent":
                settings["net.ipv4.ip_local_reserved_ports"] = RESERVED_PORTS
                settings["net.ipv6.conf.all.keep_addr_on_down"] = 1
                settings["net.ipv6.conf.default.keep_addr_on_down"] = 1
            write_sysctls(self.network.ns(node), settings)

    def _name_links(self):
        first_hops = self.gateways or ["r1"]
        self.links += [("agent", hop) for hop in first_hops] + [(gateway, "r1") for gateway in self.gateways]
        for stage, branches in self.branches.items():
            near, far = self.cores[stage - 1], self.cores[stage]
            for branch in [*branches, f"s{stage}"]:
                self.links += [(near, branch), (branch, far)]
            # The spare of a stage can also stand before its first branch, which then is one hop longer.
            self.links.append((f"s{stage}", branches[0]))
        last = self.cores[-1]
        self.links += [(last, "dst"), (last, "t"), ("t", "dst")]

    def _make_links(self):
        ns = self.network.ns
        self.network.batch(None, [f"link add name {b} netns {ns(a)} type veth peer name {a} netns {ns(b)}"
                                  for a, b in self.links])

    def _ends(self, node):
        """(neighbour, our link-local address, its link-local address) of every link of a node."""
        for a, b in self.links:
            if node == a:
                yield b, "fe80::1", "fe80::2"
            elif node == b:
                yield a, "fe80::2", "fe80::1"

    def _interface_lines(self, node):
        lines = ["link set dev lo up"]
        lines += [f"addr add {self.addresses[node][4]}/32 dev lo", f"addr add {self.addresses[node][6]}/128 dev lo nodad"]
        if node == "agent":
            lines += [f"addr add {AGENT_SECOND[4]}/32 dev lo", f"addr add {AGENT_SECOND[6]}/128 dev lo nodad"]
        if node == "dst":
            lines += [f"route add local {prefix} dev lo" for prefix in ANYIP_PREFIX.values()]
        for neighbour, own, _ in self._ends(node):
            lines += [f"link set dev {neighbour} addrgenmode none up", f"addr add {own}/64 dev {neighbour} nodad"]
            uplink = self._uplink_address(node, neighbour)
            if uplink:
                lines.append(f"addr add {uplink}/30 dev {neighbour}")
        return lines

    def _uplink_address(self, node, neighbour):
        for number, hop in enumerate(self.gateways or ["r1"]):
            if (node, neighbour) == ("agent", hop):
                return f"10.51.{number}.1"
            if (node, neighbour) == (hop, "agent"):
                return f"10.51.{number}.2"
        return None

    def _turn_offloads_off(self):
        # veth leaves checksums to the receiver, who never computes them: captures would show wrong ones.
        for node in ("agent", "dst"):
            for neighbour, _, _ in self._ends(node):
                self.network.run_in(node, ["ethtool", "-K", neighbour, "tx", "off", "rx", "off", "tso", "off", "gso",
                                           "off", "gro", "off"])

    def _gateway(self, node, neighbour):
        return next(far for name, _, far in self._ends(node) if name == neighbour)

    def _via(self, node, neighbour):
        return f"via inet6 {self._gateway(node, neighbour)} dev {neighbour}"

    def _route(self, node, prefixes, how, verb="replace"):
        """Routes both families of a prefix one way, answering from the node's own address."""
        for family in (4, 6):
            line = how.replace("via inet6", "via") if family == 6 else how
            self.network.batch(node, [f"route {verb} {prefixes[family]} {line} src {self.addresses[node][family]}"],
                               family=IP[family])

    def agent_routes(self, source=None):
        """The agent's default routes, by its first hops; `source` is the address it then sends from."""
        source = source or AGENT
        hops = self.gateways or ["r1"]
        four = " ".join(f"nexthop via 10.51.{number}.2 dev {hop}" for number, hop in enumerate(hops))
        six = " ".join(f"nexthop via fe80::2 dev {hop}" for hop in hops)
        self.network.batch("agent", [f"route replace default src {source[4]} {four}"], family="-4")
        # IPv6 adds to a multipath route instead of replacing it.
        self.network.batch("agent", ["route flush default"], family="-6", force=True)
        self.network.batch("agent", [f"route add default src {source[6]} {six}"], family="-6")

    def _route_agent(self):
        self.agent_routes()

    def _route_gateways(self):
        default = {4: "default", 6: "default"}
        for gateway in self.gateways:
            self._route(gateway, AGENT_PREFIX, self._via(gateway, "agent"))
            self._route(gateway, default, self._via(gateway, "r1"))
        back = self.gateways[0] if self.gateways else "agent"
        self._route("r1", AGENT_PREFIX, self._via("r1", back))

    def _route_stage(self, stage):
        default = {4: "default", 6: "default"}
        near, far = self.cores[stage - 1], self.cores[stage]
        spare = f"s{stage}"
        for branch in [*self.branches[stage], spare]:
            self._route(branch, AGENT_PREFIX, self._via(branch, near))
            self._route(branch, default, self._via(branch, far))
        ids = range(1, self.width + 1)
        for node, prefixes, first in ((near, default, 100), (far, AGENT_PREFIX, 200)):
            lines = [f"nexthop add id {first + i} via {self._gateway(node, branch)} dev {branch}"
                     for i, branch in zip(ids, self.branches[stage])]
            group = "/".join(str(first + i) for i in ids)
            self.network.batch(node, lines + [f"nexthop add id {first} group {group}"])
            self._route(node, prefixes, f"nhid {first}")

    def _route_end(self):
        last, default = self.cores[-1], {4: "default", 6: "default"}
        self._route(last, default, self._via(last, "dst"))
        self._route("t", AGENT_PREFIX, self._via("t", last))
        self._route("t", default, self._via("t", "dst"))
        self._route("dst", default, self._via("dst", last))

    # --- what must be true -------------------------------------------------------------------------------------------

    def expected_paths(self, destination, source_ports, protocol="udp", port=33434, source=None, back=False):
        """The addresses on the way of each flow, TTL 1 first, by asking every router on it where it would forward.

        ICMP has no ports; all its flows take one way then. With `back` it is the way of what the destination answers from
        `port`, and the agent's address stands at the end.
        """
        family = 6 if ":" in destination else 4
        source = source or AGENT[family]
        if back:
            source, destination = destination, source
        flows = {sport: ("dst" if back else "agent", None, []) for sport in source_ports}
        done = {}
        for _ in range(64):
            if not flows:
                return done
            onward = {}
            for node in sorted({at for at, _, _ in flows.values()}):
                here = [(sport, came, hops) for sport, (at, came, hops) in flows.items() if at == node]
                devices = self._ask_routes(node, family, destination, source, protocol, port,
                                           [(sport, came) for sport, came, _ in here], back)
                for (sport, _, hops), device in zip(here, devices):
                    if device == "lo":
                        done[sport] = [*hops[:-1], destination]
                    else:
                        onward[sport] = (device, node, [*hops, self.addresses[device][family]])
            flows = onward
        raise LabError("the routes lead in a circle")

    def _ask_routes(self, node, family, destination, source, protocol, port, flows, back=False):
        lines = []
        for sport, came in flows:
            # A socket's IPv6 route is looked up before it has a source (ADR 24; test_reality_routing.py).
            line = f"route get {destination}" + (f" from {source}" if came or family == 4 else "")
            if came:
                line += f" iif {came}"
            line += f" ipproto {protocol if protocol != 'icmp' or family == 4 else 'ipv6-icmp'}"
            ports = f"sport {port} dport {sport}" if back else f"sport {sport} dport {port}"
            lines.append(line if protocol == "icmp" else f"{line} {ports}")
        output = self.network.batch(node, lines, family=IP[family])
        answers = [line for line in output.splitlines() if line and not line[0].isspace()]
        if len(answers) != len(flows):
            raise LabError(f"{node} was asked for {len(flows)} routes and gave {len(answers)} answers")
        return ["lo" if answer.startswith("local ") else re.search(r" dev (\S+)", answer).group(1)
                for answer in answers]

    # --- faults ------------------------------------------------------------------------------------------------------

    def branch(self, number, stage=1):
        return self.branches[stage][number - 1]

    def _onward(self, node):
        """The device that leads a branch towards the destination."""
        match = re.match(r"[bs](\d+)", node)
        if not match:
            raise LabError(f"{node!r} is no branch; branches are {' '.join(sum(self.branches.values(), []))}")
        return self.cores[int(match.group(1))]

    @staticmethod
    def _drop(ratio):
        # nft refuses a comparison that always holds.
        return "drop" if ratio >= 1 else f"numgen random mod 1000 < {round(ratio * 1000)} drop"

    def _rule(self, node, hook, rule):
        self.network.nft(node, f"""table inet lab {{
            chain {hook} {{
                type filter hook {hook} priority 0; policy accept;
                {rule}
            }}
        }}""")

    def lose(self, node, ratio):
        """The branch loses this share of what it should forward towards the destination, at random."""
        self._rule(node, "forward", f'oifname "{self._onward(node)}" {self._drop(ratio)}')

    def lose_answers(self, node, ratio):
        """The router forwards all, and does not send this share of its own ICMP messages."""
        share = self._drop(ratio)
        self._rule(node, "output", f"icmp type time-exceeded {share}; icmpv6 type time-exceeded {share};")

    def limit_answers(self, node, per_second, burst=5):
        """The router sends no more of its own ICMP errors than this."""
        limit = f"limit rate over {per_second}/second burst {burst} packets drop"
        self._rule(node, "output", f"icmp type time-exceeded {limit}; icmpv6 type time-exceeded {limit};")

    def black_hole(self, node):
        """The branch drops all that it should forward towards the destination."""
        self._rule(node, "forward", f'oifname "{self._onward(node)}" drop')

    def reject(self, node):
        """The branch refuses to forward, and says so: administratively prohibited."""
        self._rule(node, "forward", f'oifname "{self._onward(node)}" reject with icmpx type admin-prohibited')

    def heal(self, node):
        """Ends lose, lose_answers, limit_answers, black_hole and reject of a node."""
        self.network.nft(node, "table inet lab\ndelete table inet lab\n")

    def replace_branch(self, number, stage=1):
        """The place of a branch in the fan is taken by the stage's spare router; other flows stay where they are."""
        near, spare = self.cores[stage - 1], f"s{stage}"
        self.network.batch(near, [f"nexthop replace id {100 + number} via {self._gateway(near, spare)} dev {spare}"])
        return spare

    def restore_branch(self, number, stage=1):
        near, branch = self.cores[stage - 1], self.branch(number, stage)
        self.network.batch(near, [f"nexthop replace id {100 + number} via {self._gateway(near, branch)} dev {branch}"])

    def lengthen_branch(self, stage=1):
        """The spare router stands before the stage's first branch: its flows have one hop more."""
        spare = f"s{stage}"
        self._route(spare, {4: "default", 6: "default"}, self._via(spare, self.branch(1, stage)))
        return self.replace_branch(1, stage)

    def shorten_branch(self, stage=1):
        self.restore_branch(1, stage)
        spare = f"s{stage}"
        self._route(spare, {4: "default", 6: "default"}, self._via(spare, self.cores[stage]))

    def grow(self):
        """One more router before the destination, for all flows."""
        self._route(self.cores[-1], {4: "default", 6: "default"}, self._via(self.cores[-1], "t"))

    def shrink(self):
        """Ends grow()."""
        self._route(self.cores[-1], {4: "default", 6: "default"}, self._via(self.cores[-1], "dst"))

    def narrow(self, width, stage=1):
        """Only the first `width` branches stay in the group (towards the destination)."""
        ids = "/".join(str(100 + i) for i in range(1, width + 1))
        self.network.batch(self.cores[stage - 1], [f"nexthop replace id 100 group {ids}"])

    def widen(self, stage=1):
        self.narrow(self.width, stage)

    def uplink_down(self, number=1):
        """The agent's link fails: its routes over it are gone."""
        hop = (self.gateways or ["r1"])[number - 1]
        self.network.batch("agent", [f"link set dev {hop} down"])

    def uplink_up(self, number=1):
        hop = (self.gateways or ["r1"])[number - 1]
        # Addresses of a link that is down go with it at the other end's loss of carrier for neither family here.
        self.network.batch("agent", [f"link set dev {hop} up"])
        self.network.batch("agent", [f"addr replace fe80::1/64 dev {hop} nodad"], force=True)
        self.agent_routes()

    def change_source(self, second=True):
        """The agent's routes prefer its second address (or its first again)."""
        self.agent_routes(AGENT_SECOND if second else AGENT)


def main(arguments=None):
    from lab_cli import main as cli_main
    return cli_main(arguments)


if __name__ == "__main__":
    sys.exit(main())
