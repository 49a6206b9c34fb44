#!/usr/bin/python3
"""Measures the exporter beside the least that probing can cost and beside scamper: see docs/performance.md.

Run by run.sh, as root, or with the names of the measurements: core, tun, lab, rtt, model,
render, localisation, memory, scrape, abuse, mesh. All of it happens in namespaces of its own.
"""
import argparse
import json
import os
import re
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ECMP_BUILD_DIRECTORY") or os.path.join(ROOT, "build/bench")
os.environ.setdefault("ECMP_EXPORTER", os.path.join(BUILD, "src/ecmp_exporter"))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
import mesh  # noqa: E402
from abuse import PER_SECOND, STUCK, Abuse  # noqa: E402
from exporter import Exporter, config, parse_metrics  # noqa: E402
from lab import AGENT, Fan  # noqa: E402
from netns import Network, close_on_exit, write_sysctls  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
FLOWS = 32
TUN_FIRST, TUN_HOPS, LAB_HOPS = (10, 200, 0, 1), 12, 4
LAB_FIRST = (10, 78, 0, 1)
# All destinations share the near hops: at the default of 500 a second per responder they would be held back.
LIMITS = {"probes_per_second": 200000, "probes_per_second_per_responder": 200000}


def bench_program(name):
    return os.path.join(BUILD, "tests/bench", name)


def addresses(first, count):
    base = int.from_bytes(bytes(first), "big")
    return [".".join(str(b) for b in (base + i).to_bytes(4, "big")) for i in range(count)]


def print_row(what, value, unit, remark=""):
    print(f"  {what:44} {value:>9} {unit:10} {remark}", flush=True)


def cpu_seconds(pid):
    """utime + stime of a process, children left out."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid, field="VmRSS"):
    """Or the most that ever was: VmHWM."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(field + r":\s+(\d+) kB", file.read()).group(1)) / 1024


def sent_packets(network, node, interface):
    return network.ip_json(node, "-s", "link", "show", "dev", interface)[0]["stats64"]["tx"]["packets"]


class Counters:
    """What the exporter counts of itself, by difference."""
    NAMES = ("ecmp_exporter_rounds_skipped_total", "ecmp_exporter_capture_dropped_total",
             "ecmp_exporter_send_errors_total", "ecmp_exporter_replies_ignored_total",
             "ecmp_exporter_schedule_lag_seconds")

    def __init__(self, exporter):
        self.families = parse_metrics(exporter.get("/metrics?" + "&".join(f"name[]={n}" for n in self.NAMES)).text)

    def since(self, before, name):
        total = sum(value for _, value in self.families.get(name, []))
        return total - sum(value for _, value in before.families.get(name, []))

    def lags(self, before):
        """[(upper bound in seconds, probes that left at most so late)] since then."""
        def buckets(families):
            return {labels["le"]: value for labels, value in families["ecmp_exporter_schedule_lag_seconds_bucket"]}
        old, new = buckets(before.families), buckets(self.families)
        return sorted((float(le), new[le] - old.get(le, 0)) for le in new)

    def lag_quantile(self, before, quantile):
        """The upper bound of the bucket that the quantile lies in, in ms."""
        return lag_quantile(self.lags(before), quantile)


def lag_quantile(counts, quantile):
    wanted = counts[-1][1] * quantile
    return next(le for le, count in counts if count >= wanted) * 1e3


def measure_exporter(network, node, interface, exporter, seconds, windows, warm_up):
    """Windows of seconds: CPU of the process per packet that the interface has sent."""
    pid = exporter.process.pid
    time.sleep(warm_up)
    first = Counters(exporter)
    per_probe, shares, rates, steps = [], [], [], []
    for _ in range(windows):
        cpu, sent, begin = cpu_seconds(pid), sent_packets(network, node, interface), time.monotonic()
        time.sleep(seconds)
        cpu, sent = cpu_seconds(pid) - cpu, sent_packets(network, node, interface) - sent
        took = time.monotonic() - begin
        per_probe.append(cpu * 1e6 / sent)
        shares.append(100 * cpu / took)
        rates.append(sent / took)
        steps.append(f"{per_probe[-1]:.2f}")
    last = Counters(exporter)
    print_row("exporter, CPU per probe", f"{statistics.median(per_probe):.2f}", "us", "of " + ", ".join(steps))
    print_row("  share of one core", f"{statistics.median(shares):.1f}", "%",
              f"{statistics.median(rates):.0f} probes/s")
    for what, name in (("rounds skipped", "rounds_skipped"), ("capture drops", "capture_dropped"),
                       ("send errors", "send_errors"), ("replies ignored", "replies_ignored")):
        print_row(f"  {what}", f"{last.since(first, f'ecmp_exporter_{name}_total'):.0f}", "")
    print_row("  schedule lag, p99 below", f"{last.lag_quantile(first, 0.99):.1f}", "ms")
    print_row("  resident", f"{resident_mib(pid):.0f}", "MiB")
    return statistics.median(per_probe)


def measure_floor(network, node, arguments, seconds, runs):
    """CPU per probe of the minimal sender, with and without capturing."""
    results = {}
    for what, extra in (("sender and capturer without logic", []), ("sender alone", ["--no-capture"])):
        values, last = [], {}
        for _ in range(runs):
            last = json.loads(network.run_in(node, [bench_program("floor_bench"), *arguments, "--seconds", str(seconds),
                                                    *extra]))
            values.append(last["cpu_ns"] / last["sent"] / 1e3)
        results[what] = statistics.median(values)
        remark = f"{last['captured'] / last['sent']:.2f} captured per probe" if not extra else ""
        if last["dropped"] or last["send_errors"]:
            remark += f", {last['dropped']} dropped, {last['send_errors']} not sent"
        print_row(what, f"{results[what]:.2f}", "us", remark)
    return results


def measure_scamper(network, node, interface, destinations, runs):
    if not shutil.which("scamper"):
        print_row("scamper", "-", "", "is not installed")
        return None
    values = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="ecmp-bench-") as directory:
            listed, out = os.path.join(directory, "list"), os.path.join(directory, "out")
            with open(listed, "w") as file:
                file.write("\n".join(destinations) + "\n")
            sent = sent_packets(network, node, interface)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begin = time.monotonic()
            network.run_in(node, ["scamper", "-O", "warts", "-o", out, "-p", "10000", "-w", "1000", "-c",
                                  "trace -P udp-paris -q 1 -w 1", "-f", listed])
            took = time.monotonic() - begin
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            sent = sent_packets(network, node, interface) - sent
            values.append(cpu * 1e6 / sent)
    print_row("scamper, trace -P udp-paris", f"{statistics.median(values):.2f}", "us",
              f"{sent} probes in {took:.1f} s")
    return statistics.median(values)


def core(_options):
    print("core: engine, codec and path model over canned answers; aim: below 500 ns", flush=True)
    subprocess.run([bench_program("core_bench")], check=True)


def tun_network(network, hops=TUN_HOPS, width=0):
    network.add_nodes(["a"])
    write_sysctls(network.ns("a"), {"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
                                    "net.ipv6.conf.default.disable_ipv6": 1})
    simulator = network.popen("a", [bench_program("tun_sim"), "tun0", str(hops), str(width)], stdout=subprocess.PIPE, text=True)
    if simulator.stdout.readline() != "ready\n":
        raise SystemExit("tun_sim has not started")
    # A burst of everybody at once has to find room until the simulator has slept.
    network.batch("a", ["link set lo up", "link set tun0 txqueuelen 10000 up", "addr add 10.50.0.1/32 dev tun0",
                        "route add default dev tun0 src 10.50.0.1"])
    return simulator


def tun(options):
    count = options.destinations
    rate = count * FLOWS * TUN_HOPS / 10
    print(f"tun: {count} destinations x {FLOWS} flows x {TUN_HOPS} hops each 10 s over a TUN device; aim: {rate:.0f} "
          "probes/s on at most 20 % of a core, no round skipped", flush=True)
    with Network(f"ecmpbench{os.getpid()}") as network:
        simulator = tun_network(network)
        hosts = [{"name": f"d{i}", "host": host} for i, host in enumerate(addresses(TUN_FIRST, count))]
        text = config(hosts, {"interval": "10s", "timeout": "2s", "max_ttl": 30, "flows": FLOWS}, LIMITS)
        with Exporter(text, network.ns("a"), ready_seconds=60) as exporter:
            own = measure_exporter(network, "a", "tun0", exporter, 20, options.runs, 25)
        arguments = ["--interface", "tun0", "--first", "10.200.0.1", "--destinations", str(count), "--pps",
                     str(round(rate))]
        floor = measure_floor(network, "a", arguments, 10, options.runs)
        scamper = measure_scamper(network, "a", "tun0", addresses(TUN_FIRST, 5000), options.runs)
        print_ratios(own, floor, scamper)
        dropped = network.ip_json("a", "-s", "link", "show", "dev", "tun0")[0]["stats64"]["tx"]["dropped"]
        simulator.terminate()
        print(f"  the device dropped {dropped}; the simulator: {simulator.stdout.read().strip()}")


def tun_exporter(network, count, memory="64MiB"):
    hosts = [{"name": f"d{i}", "host": host} for i, host in enumerate(addresses(TUN_FIRST, count))]
    text = config(hosts, {"interval": "10s", "timeout": "2s", "max_ttl": 30, "flows": FLOWS}, LIMITS)
    return Exporter(f"{text}\n[history]\nmemory = \"{memory}\"\n", network.ns("a"), ready_seconds=60)


# What Prometheus servers ask for, with and without native histograms, and what a person at a terminal does.
PROTOBUF = ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "gzip")
SCRAPES = (PROTOBUF, ("application/openmetrics-text;version=1.0.0", "gzip"), ("text/plain", "identity"),
           (PROTOBUF[0], "identity"))


class Scraper:
    """Another process each time, which gives way to everything else: a scraper stands on another machine."""

    def __init__(self, network, exporter):
        self.network, self.url = network, f"http://127.0.0.1:{exporter.port}/metrics"
        self.bytes, self.seconds, self.next = 0, [], 0

    def scrape(self):
        accept, encoding = SCRAPES[self.next % len(SCRAPES)]
        self.next += 1
        told = self.network.run_in("a", ["nice", "-n", "19", "curl", "-sS", "-f", "-o", "/dev/null", "-H",
                                         f"Accept: {accept}", "-H", f"Accept-Encoding: {encoding}", "-w",
                                         "%{size_download} %{time_total}", self.url]).split()
        self.bytes += int(told[0])
        self.seconds.append(float(told[1]))

    def during(self, seconds):
        """A scrape each second, or as often as they come to an end."""
        begin = time.monotonic()
        for turn in range(seconds):
            time.sleep(max(0, begin + turn - time.monotonic()))
            if time.monotonic() - begin < seconds:
                self.scrape()
        time.sleep(max(0, begin + seconds - time.monotonic()))


def add_up(histograms):
    return [(bounds[0][0], sum(count for _, count in bounds)) for bounds in zip(*histograms)]


def beside(exporter, options, seconds, what, during):
    """Windows of so many seconds with something beside the tracing and without, in turn; prints what it does to it."""
    pid, lags, cpu = exporter.process.pid, {"without": [], "with": []}, {"without": 0.0, "with": 0.0}
    first = Counters(exporter)
    for _ in range(options.runs):
        for which in lags:
            before, used = Counters(exporter), cpu_seconds(pid)
            during(seconds) if which == "with" else time.sleep(seconds)
            cpu[which] += cpu_seconds(pid) - used
            lags[which].append(Counters(exporter).lags(before))
    last = Counters(exporter)
    for which, histograms in lags.items():
        total = add_up(histograms)
        quantiles = ", ".join(f"{100 * q:g} % below {lag_quantile(total, q):.1f} ms" for q in (0.5, 0.9, 0.99, 0.999))
        print_row(f"schedule lag {which} {what}", f"{total[-1][1]:.0f}", "probes", quantiles)
        print_row("  p99 of each window, below",
                  ", ".join(f"{lag_quantile(one, 0.99):.1f}" for one in histograms), "ms")
        print_row("  share of one core", f"{100 * cpu[which] / seconds / options.runs:.1f}", "%")
    print("  share of probes that left later than so many ms, without and with:")
    without, with_it = add_up(lags["without"]), add_up(lags["with"])
    for (bound, few), (_, many) in zip(without, with_it):
        if few < without[-1][1] or many < with_it[-1][1]:
            print(f"    {bound * 1e3:9.2f}  {1 - few / without[-1][1]:8.5f}  {1 - many / with_it[-1][1]:8.5f}")
    print_row("rounds skipped", f"{last.since(first, 'ecmp_exporter_rounds_skipped_total'):.0f}", "")
    print_row("resident", f"{resident_mib(pid):.0f}", "MiB", f"{resident_mib(pid, 'VmHWM'):.0f} at the most")


def scrape(options):
    count, hops, seconds = options.scrape_destinations, 15, 20
    print(f"scrape: {count} destinations x {FLOWS} flows x {hops} hops each 10 s over a TUN device, a path for each "
          f"flow, with a scrape of everything each second and without, {seconds} s each in turn; aim: the same lag",
          flush=True)
    with Network(f"ecmpbench{os.getpid()}") as network:
        simulator = tun_network(network, hops, FLOWS)
        with tun_exporter(network, count) as exporter:
            scraper = Scraper(network, exporter)
            time.sleep(25)
            beside(exporter, options, seconds, "scrapes", scraper.during)
        simulator.terminate()
    print_row("scrapes", len(scraper.seconds), "", f"{scraper.bytes / len(scraper.seconds) / 1e6:.1f} MB each in "
              f"{statistics.median(scraper.seconds):.2f} s; text, OpenMetrics and protobuf, plain and gzip")


def abuse(options):
    count, hops, seconds = options.scrape_destinations, 15, 20
    print(f"abuse: {count} destinations x {FLOWS} flows x {hops} hops each 10 s over a TUN device, with "
          f"{PER_SECOND} connections a second and {STUCK} followers that do not read, and without, {seconds} s each in "
          "turn; aim: p99 of the lag below 20 ms, no round skipped", flush=True)
    told = []
    with Network(f"ecmpbench{os.getpid()}") as network:
        simulator = tun_network(network, hops, 16)
        with tun_exporter(network, count) as exporter:
            def during(seconds):
                clients = Abuse(network.ns("a"), exporter.port)
                time.sleep(seconds)
                told.append(f"{clients.made} made, {clients.failed} failed, {clients.late} late, "
                            f"{clients.stuck()} followers stuck")
                clients.close()
            time.sleep(25)
            beside(exporter, options, seconds, "abuse", during)
            refused = parse_metrics(exporter.get("/metrics?name[]=ecmp_exporter_http_connections_refused_total").text)
        simulator.terminate()
    print("\n".join(f"  connections of a window: {line}" for line in told))
    print("  refused: " + ", ".join(f"{labels['reason']} {value:.0f}" for rows in refused.values()
                                    for labels, value in rows if value))


def memory(options):
    print("memory: engine, models, snapshots, history and scrapes over canned answers, and the whole program over a TUN "
          "device; aims: 96 MiB with 100 destinations, 768 MiB with 1,000", flush=True)
    for count, width in ((100, FLOWS), (100, 16), (1000, FLOWS), (1000, 16)):
        history = "8" if count == 100 else "64"
        subprocess.run([bench_program("memory_bench"), str(count), str(options.memory_minutes), str(width), history],
                       check=True)
    for count, width, history in ((100, FLOWS, "8MiB"), (100, 16, "8MiB"), (1000, FLOWS, "64MiB"), (1000, 16, "64MiB")):
        with Network(f"ecmpbench{os.getpid()}") as network:
            simulator = tun_network(network, 15, width)
            with tun_exporter(network, count, history) as exporter:
                time.sleep(60 * options.tun_minutes)
                before, scraper = resident_mib(exporter.process.pid), Scraper(network, exporter)
                for _ in SCRAPES:
                    scraper.scrape()
                after, peak = resident_mib(exporter.process.pid), resident_mib(exporter.process.pid, "VmHWM")
            simulator.terminate()
        print_row(f"{count} destinations, {width} paths each", f"{before:.0f}", "MiB", f"{after:.0f} after scrapes, "
                  f"{peak:.0f} at the most; {options.tun_minutes:g} minutes, {history} of history")


def print_ratios(own, floor, scamper):
    captured, alone = floor.values()
    print_row("exporter over sender and capturer", f"{own - captured:.2f}", "us", f"{own / captured:.2f} times")
    print_row("exporter over sender alone", f"{own - alone:.2f}", "us", f"{own / alone:.2f} times")
    if scamper:
        print_row("scamper over exporter", f"{scamper / own:.2f}", "times")


def lab(options):
    count = options.lab_destinations
    rate = count * FLOWS * LAB_HOPS
    print(f"lab: {count} destinations x {FLOWS} flows x {LAB_HOPS} hops each 1 s over routers of the kernel, a fan of "
          "4; aim: at most 4 us over the lab's own cost", flush=True)
    with Fan(width=4, prefix=f"ecmpbench{os.getpid()}") as fan:
        network = fan.network
        network.run_in("agent", ["ping", "-c", "1", "-W", "2", "10.99.0.1"])
        hosts = [{"name": f"d{i}", "host": host} for i, host in enumerate(addresses(LAB_FIRST, count))]
        text = config(hosts, {"interval": "1s", "timeout": "500ms", "flows": FLOWS}, LIMITS)
        with Exporter(text, network.ns("agent"), ready_seconds=60) as exporter:
            own = measure_exporter(network, "agent", "r1", exporter, 10, options.runs, 15)
        arguments = ["--interface", "r1", "--first", "10.78.0.1", "--destinations", str(count), "--hops",
                     str(LAB_HOPS), "--pps", str(rate)]
        floor = measure_floor(network, "agent", arguments, 10, options.runs)
        scamper = measure_scamper(network, "agent", "r1", addresses(LAB_FIRST, 20000), options.runs)
        print_ratios(own, floor, scamper)


def pcap_pairs(path):
    """{(source port, TTL): [(when the reply came, ns since 1970; RTT in ns)]} of UDP probes and their ICMP errors.

    Probe and reply belong together by ports, addresses and IP-ID, which the reply quotes.
    """
    with open(path, "rb") as file:
        data = file.read()
    if struct.unpack("<I", data[:4])[0] != 0xa1b23c4d:
        raise SystemExit("not a little-endian pcap file with nanoseconds")
    link = {1: 14, 12: 0, 101: 0}[struct.unpack("<I", data[20:24])[0]]
    probes, pairs, at = {}, {}, 24
    while at + 16 <= len(data):
        seconds, nanoseconds, captured, _ = struct.unpack("<IIII", data[at:at + 16])
        stamp = seconds * 10**9 + nanoseconds
        packet = data[at + 16 + link:at + 16 + captured]
        at += 16 + captured
        if len(packet) < 28 or packet[0] != 0x45:
            continue
        if packet[9] == 17:
            probes[packet[4:6] + packet[12:24]] = (stamp, packet[8])
        elif packet[9] == 1 and packet[20] in (3, 11) and len(packet) >= 56:
            quote = packet[28:]
            sent = probes.pop(quote[4:6] + quote[12:24], None)
            if sent:
                port = struct.unpack("!H", quote[20:22])[0]
                pairs.setdefault((port, sent[1]), []).append((stamp, stamp - sent[0]))
    return pairs


def wall_nanoseconds(text):
    """Of RFC 3339 in UTC with nanoseconds."""
    whole, fraction = text.rstrip("Z").split(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 10**9 + int(fraction)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[int(q * (len(ordered) - 1))]


def rtt(options):
    print("rtt: /paths against tcpdump at the same interface; aims: p50 at most 2 us, p99 at most 7 us", flush=True)
    with tempfile.TemporaryDirectory(prefix="ecmp-bench-") as directory, \
            Fan(width=4, prefix=f"ecmpbench{os.getpid()}") as fan:
        path = os.path.join(directory, "pcap")
        network = fan.network
        log = open(path + ".log", "w+")
        tcpdump = network.popen("agent", ["tcpdump", "-n", "-i", "r1", "-Z", "root", "-B", "16384", "-U",
                                          "--time-stamp-precision=nano", "--immediate-mode", "-w", path,
                                          "icmp or udp"], stderr=log)
        text = config([{"name": "d", "host": "10.99.0.1"}], {"interval": "500ms", "timeout": "300ms", "flows": FLOWS},
                      LIMITS)
        with Exporter(text, network.ns("agent")) as exporter:
            time.sleep(options.rtt_seconds)
            lines = exporter.paths(destination="d", since=f"{options.rtt_seconds + 10}s")
        tcpdump.terminate()
        tcpdump.wait(10)
        dropped = re.search(r"(\d+) packets dropped by kernel", open(path + ".log").read())
        pairs = pcap_pairs(path)
    differences, by_hop, missing = [], {}, 0
    for line in lines:
        for hop in line["hops"]:
            if hop.get("rtt_ns") is None or not hop.get("recv_time"):
                continue
            came = wall_nanoseconds(hop["recv_time"])
            near = [p for p in pairs.get((line["source_port"], hop["ttl"]), []) if abs(p[0] - came) < 100_000_000]
            if not near:
                missing += 1
                continue
            _, true_rtt = min(near, key=lambda pair: abs(pair[0] - came))
            differences.append(abs(hop["rtt_ns"] - true_rtt) / 1e3)
            by_hop.setdefault(hop["ttl"], []).append((hop["rtt_ns"] / 1e3, true_rtt / 1e3))
    print_row("pairs", len(differences), "", f"{missing} without a partner, tcpdump dropped {dropped.group(1)}")
    print_row("difference, median", f"{quantile(differences, 0.5):.3f}", "us")
    print_row("difference, p99", f"{quantile(differences, 0.99):.3f}", "us", f"largest {max(differences):.3f}")
    for ttl, values in sorted(by_hop.items()):
        ours, theirs = zip(*values)
        print_row(f"hop {ttl}: RTT p1 / p50 / p99",
                  f"{quantile(ours, 0.5):.1f}", "us", f"{quantile(ours, 0.01):.1f} / {quantile(ours, 0.5):.1f} / "
                  f"{quantile(ours, 0.99):.1f}; tcpdump {quantile(theirs, 0.01):.1f} / {quantile(theirs, 0.5):.1f} / "
                  f"{quantile(theirs, 0.99):.1f}")


def programs(*names):
    def run(_options):
        for name in names:
            print(f"{name}:", flush=True)
            subprocess.run([bench_program(name)], check=True)
    return run


BENCHES = {"core": core, "tun": tun, "lab": lab, "rtt": rtt, "model": programs("model_bench"),
           "render": programs("render_bench"), "localisation": programs("localisation_bench"), "memory": memory,
           "scrape": scrape, "abuse": abuse, "mesh": lambda options: mesh.run(options, print_row)}
UNPRIVILEGED = {"core", "model", "render", "localisation"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help=" ".join(BENCHES))
    parser.add_argument("--runs", type=int, default=3, help="of each, whose median is told")
    parser.add_argument("--destinations", type=int, default=1000, help="over the TUN device")
    parser.add_argument("--scrape-destinations", type=int, default=100)
    parser.add_argument("--memory-minutes", type=float, default=15, help="of the network's time")
    parser.add_argument("--tun-minutes", type=float, default=6, help="before memory is looked at")
    parser.add_argument("--lab-destinations", type=int, default=200)
    parser.add_argument("--rtt-seconds", type=int, default=30)
    parser.add_argument("--mesh-seconds", type=int, default=20)
    options = parser.parse_args()
    for name in options.name:
        if name not in BENCHES:
            parser.error(f"{name} is none of: {' '.join(BENCHES)}")
    if os.geteuid() != 0 and not (options.name and UNPRIVILEGED.issuperset(options.name)):
        parser.error(f"all but {', '.join(sorted(UNPRIVILEGED))} need root, for network namespaces")
    close_on_exit()
    for name in options.name or BENCHES:
        BENCHES[name](options)


if __name__ == "__main__":
    main()
