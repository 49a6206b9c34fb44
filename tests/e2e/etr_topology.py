"""The topology of the end-to-end test of ETR, the program that this one follows:

    probe -- hop1 -- { hop2a | hop2b } -- hop3 -- dst

Its addresses and routes are kept as they are there: /24 and /64 links, no loopback addresses, equal-cost routes in both
directions. So hop3 answers from the link that the way back takes, and not always from the one a packet came by.
"""
from netns import LabError, Network, missing_requirements, write_sysctls
from lab import IP, RESERVED_PORTS, ROUTER_SYSCTLS, UNLIMITED_ICMP

P = "fd16:24b7:6fcd"
# (near node, far node, link): near has .101, far has .102
LINKS = [("probe", "hop1", (1, 1)), ("hop1", "hop2a", (2, 1)), ("hop1", "hop2b", (2, 2)),
         ("hop2a", "hop3", (3, 1)), ("hop2b", "hop3", (3, 2)), ("hop3", "dst", (4, 1))]
# node -> [(networks x of 10.x/16, gateways as (link, host))]
ROUTES = {
    "probe": [((2, 3, 4), [((1, 1), 102)])],
    "hop1": [((3, 4), [((2, 1), 102), ((2, 2), 102)])],
    "hop2a": [((1,), [((2, 1), 101)]), ((4,), [((3, 1), 102)])],
    "hop2b": [((1,), [((2, 2), 101)]), ((4,), [((3, 2), 102)])],
    "hop3": [((1, 2), [((3, 1), 101), ((3, 2), 101)])],
    "dst": [((1, 2, 3), [((4, 1), 101)])],
}
DESTINATION = {4: "10.4.1.102", 6: f"{P}:41::102"}
# At TTL 2 a flow sees one of these.
SECOND_HOPS = {4: {"10.2.1.102", "10.2.2.102"}, 6: {f"{P}:21::102", f"{P}:22::102"}}


def address(family, link, host):
    return f"10.{link[0]}.{link[1]}.{host}" if family == 4 else f"{P}:{link[0]}{link[1]}::{host}"


def _prefixes(family, network):
    """All links of one of ETR's networks: 10.x/16 as it is, the IPv6 links one by one."""
    if family == 4:
        return [f"10.{network}.0.0/16"]
    return [f"{P}:{x}{y}::/64" for _, _, (x, y) in LINKS if x == network]


def etr_topology(prefix=None, hash_seed=7):
    """Builds it and returns the Network (nodes probe, hop1, hop2a, hop2b, hop3, dst); close it."""
    reasons = missing_requirements()
    if reasons:
        raise LabError("no lab can be made here: " + "; ".join(reasons))
    network = Network(prefix)
    try:
        _build(network, hash_seed)
    except BaseException:
        network.close()
        raise
    return network


def _build(network, hash_seed):
    network.add_nodes(list(ROUTES))
    for node in ROUTES:
        settings = {**ROUTER_SYSCTLS, **UNLIMITED_ICMP}
        if node == "probe":
            settings["net.ipv4.ip_local_reserved_ports"] = RESERVED_PORTS
        write_sysctls(network.ns(node), settings)
    try:
        for node in ("hop1", "hop3"):
            write_sysctls(network.ns(node), {"net.ipv4.fib_multipath_hash_seed": hash_seed})
    except LabError:
        pass  # before Linux 6.11: the mapping then differs with every boot
    network.batch(None, [f"link add name {far} netns {network.ns(near)} type veth peer name {near} "
                         f"netns {network.ns(far)}" for near, far, _ in LINKS])
    for node in ROUTES:
        lines = ["link set dev lo up"]
        for near, far, link in LINKS:
            if node in (near, far):
                device, host = (far, 101) if node == near else (near, 102)
                lines.append(f"link set dev {device} up")
                lines += [f"addr add {address(4, link, host)}/24 dev {device}",
                          f"addr add {address(6, link, host)}/64 dev {device} nodad"]
        network.batch(node, lines)
    for node in ("probe", "dst"):
        device = "hop1" if node == "probe" else "hop3"
        network.run_in(node, ["ethtool", "-K", device, "tx", "off", "rx", "off"])
    for node, routes in ROUTES.items():
        for family in (4, 6):
            lines = [f"route add {prefix} " + " ".join(f"nexthop via {address(family, *gateway)}" for gateway in gateways)
                     for networks, gateways in routes for x in networks for prefix in _prefixes(family, x)]
            network.batch(node, lines, family=IP[family])
