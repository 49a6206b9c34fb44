"""An agent among many: what a packet of a STAMP stream costs it beside a probe of a trace, and what it costs to reflect."""
import os
import re
import statistics
import time

from exporter import Exporter, parse_metrics
from netns import Network

PEERS, FLOWS = 199, 16
TICKS = os.sysconf("SC_CLK_TCK")
# The other agents' addresses are one host's here, and ours are as many: each end has all of them as peers.
OURS, THEIRS = "10.71.0.", "10.70.0."


def mesh_network():
    """x --- r --- y: a router between the two, so that a trace has a hop before its end."""
    network = Network()
    network.add_nodes(["x", "r", "y"])
    network.batch(None, [f"link add {node}0 netns {network.ns(node)} type veth peer name r{node} netns {network.ns('r')}"
                         for node in "xy"])
    network.run_in("r", ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_ratemask=0"])
    network.batch("r", ["link set dev lo up", "addr add 10.72.0.1/32 dev lo", "link set dev rx up", "link set dev ry up",
                        f"route add {OURS}0/24 dev rx", f"route add {THEIRS}0/24 dev ry"])
    for node, prefix in (("x", OURS), ("y", THEIRS)):
        network.run_in(node, ["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_ratemask=0"])
        network.batch(node, ["link set dev lo up", f"link set dev {node}0 up",
                             *(f"addr add {prefix}{i}/32 dev {node}0" for i in range(1, PEERS + 1)),
                             f"route add default dev {node}0 src {prefix}1"])
        network.run_in("r", ["sysctl", "-qw", f"net.ipv4.conf.r{node}.proxy_arp=1"])
    return network


def configuration(prefix, keys, table="mesh"):
    head = '[dns]\nnames = false\n[limits]\nprobes_per_second_per_responder = 200000\nadapt_to_responders = false\n'
    head += "[localisation]\nenabled = false\n"
    lines = "".join(f"{key} = {value}\n" for key, value in {"flows": FLOWS, "max_ttl": 8, **keys}.items())
    # All of them are one address here.
    head += "[reflector]\npackets_per_second_per_source = 1e6\n"
    if table == "mesh":
        peers = ", ".join(f'"{prefix}{i}"' for i in range(1, PEERS + 1))
        return f"{head}[mesh]\npeers = [{peers}]\n{lines}"
    destinations = "".join(f'[[destination]]\nhost = "{prefix}{i}"\n' for i in range(1, PEERS + 1))
    return f"{head}[probe]\n{lines}{destinations}"


def thread_seconds(pid):
    """{name of a role: seconds of processor}: the first thread probes, the one of nice 5 reflects."""
    found = {"probing": 0.0, "reflecting": 0.0, "others": 0.0}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # of a connection that has ended
        role = "probing" if int(task) == pid else "reflecting" if fields[16] == "5" else "others"
        found[role] += (int(fields[11]) + int(fields[12])) / TICKS
    return found


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) << 10


COUNTED = {"streams": "ecmp_exporter_stream_packets_sent_total", "probes": "ecmp_exporter_probes_sent_total",
           "reflected": "ecmp_exporter_reflected_total", "refused": "ecmp_exporter_reflector_refused_total",
           "skipped": "ecmp_exporter_rounds_skipped_total", "errors": "ecmp_exporter_send_errors_total"}


def counts(exporter):
    # Not all families: a scrape of 200,000 series takes seconds.
    families = parse_metrics(exporter.get("/metrics?" + "&".join(f"name[]={name}" for name in COUNTED.values())).text)
    return {what: sum(value for _, value in families.get(name, [])) for what, name in COUNTED.items()}


def measure(exporter, seconds, windows, warm_up):
    """Medians over windows: processor seconds by role, and what was sent and reflected, each per second."""
    time.sleep(warm_up)
    rows = []
    for _ in range(windows):
        before, cpu, begin = counts(exporter), thread_seconds(exporter.process.pid), time.monotonic()
        time.sleep(seconds)
        used = {role: value - cpu[role] for role, value in thread_seconds(exporter.process.pid).items()}
        took = time.monotonic() - begin
        after = counts(exporter)
        rows.append({**{role: value / took for role, value in used.items()},
                     **{name: (after[name] - before[name]) / took for name in after}})
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def run(options, print_row):
    seconds, windows = options.mesh_seconds, options.runs
    with mesh_network() as network:
        x, y = network.ns("x"), network.ns("y")
        reflector = f'[reflector]\nlisten_addresses = [":10862"]\nallow = ["{OURS}0/24"]\npackets_per_second_per_source = 1e6\n'
        found, resident = {}, {}
        print(f"A mesh of {PEERS + 1}: {PEERS} peers x {FLOWS} flows")
        with Exporter(reflector, y):
            for name, keys, table in (
                    ("trace, 60 s", {"interval": '"60s"', "packet_size": 124}, "probe"),
                    ("trace, 10 s", {"interval": '"10s"', "packet_size": 124}, "probe"),
                    ("trace, 1 s", {"interval": '"1s"', "packet_size": 124}, "probe"),
                    ("streams, 1 s", {"interval": '"60s"', "packet_interval": '"1s"'}, "mesh"),
                    ("streams, 200 ms", {"interval": '"60s"', "packet_interval": '"200ms"'}, "mesh")):
                with Exporter(configuration(THEIRS, keys, table), x) as exporter:
                    found[name] = measure(exporter, seconds, windows, 12)
                    resident[name] = resident_bytes(exporter.process.pid)
                    one = found[name]
                    print_row(name, f"{100 * one['probing']:.2f}", "% of core",
                              f"{one['probes']:.0f} probes/s, {one['streams']:.0f} stream packets/s, "
                              f"{one['skipped']:.0f} rounds skipped, {one['errors']:.0f} errors, "
                              f"{resident[name] / 2**20:.1f} MiB")

        def slope(more, less, of):
            return 1e6 * (found[more]["probing"] - found[less]["probing"]) / (found[more][of] - found[less][of])
        print_row("a probe of a trace", f"{slope('trace, 1 s', 'trace, 10 s', 'probes'):.2f}", "us")
        print_row("a packet of a stream, reply and all", f"{slope('streams, 200 ms', 'streams, 1 s', 'streams'):.2f}", "us")
        streams = PEERS * FLOWS
        print_row("memory of a stream", f"{(resident['streams, 1 s'] - resident['trace, 60 s']) / streams:.0f}", "bytes",
                  "over a flow that is traced alone")

        both = {"packet_interval": '"1s"', "interval": '"10s"'}
        with Exporter(configuration(OURS, both), y), Exporter(configuration(THEIRS, both), x) as exporter:
            one = measure(exporter, seconds, windows, 20)
            print_row("both roles: probing", f"{100 * one['probing']:.2f}", "% of core",
                      f"{one['streams']:.0f} stream packets/s, {one['probes']:.0f} probes/s")
            print_row("both roles: reflecting", f"{100 * one['reflecting']:.2f}", "% of core",
                      f"{one['reflected']:.0f} requests/s, {one['refused']:.0f} refused/s")
            print_row("a request reflected", f"{1e6 * one['reflecting'] / max(one['reflected'], 1):.2f}", "us")
            print_row("resident", f"{resident_bytes(exporter.process.pid) / 2**20:.1f}", "MiB",
                      f"{one['skipped']:.0f} rounds skipped, {one['errors']:.0f} errors")
