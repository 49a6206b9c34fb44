#!/usr/bin/python3
"""ecmp_trace beside mtr and scamper on one lab of four branches: the hops, the RTTs, and a branch that loses 10 %.

docs/comparison.md shows what this prints; run it as root, with a release build (ECMP_TRACE names the program).
"""
import collections
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))
from lab import DESTINATION, Fan  # noqa: E402
from netns import close_on_exit  # noqa: E402

PROGRAM = os.environ.get("ECMP_TRACE") or os.path.join(HERE, "../../build/release/src/ecmp_trace")
PORTS = range(50000, 50016)
HOPS = 4


def in_agent(fan, *command):
    return fan.network.run_in("agent", [str(word) for word in command])


def ecmp_trace(fan, host, rounds):
    """{source port: rounds}, each a list of hops"""
    flows = collections.defaultdict(list)
    for line in in_agent(fan, PROGRAM, "-U", f"-P{len(PORTS)}", "-s", PORTS[0], f"-c{rounds}", "-d", "250ms", "-i", "10ms",
                         "-t", "200ms", "-n", "-J", host).splitlines():
        parsed = json.loads(line)
        flows[parsed["source_port"]].append(parsed)
    return flows


def mtr(fan, host, rounds):
    """Its rows: address, loss in percent, probes, mean and best RTT in microseconds."""
    report = json.loads(in_agent(fan, "mtr", "--udp", "-n", "-j", "-c", rounds, "-i", "0.25", "-G", "1", host))["report"]
    return [(hub["host"], float(hub["Loss%"]), hub["Snt"], hub["Avg"] * 1000, hub["Best"] * 1000) for hub in report["hubs"]]


def scamper(fan, host, ports, times):
    """{source port: {ttl: (addresses, RTTs in microseconds)}}"""
    found = {port: collections.defaultdict(lambda: (set(), [])) for port in ports}
    for port in ports:
        # Its destination port is that of the flow at all TTLs, so that this is the very flow of ecmp_trace.
        for _ in range(times):
            text = in_agent(fan, "scamper", "-I", f"trace -P udp-paris -s {port} -d 33434 -q 1 -w 1 {host}")
            for ttl, address, rtt in re.findall(r"^\s*(\d+)\s+(\S+)\s+([0-9.]+) ms", text, re.M):
                addresses, rtts = found[port][int(ttl)]
                addresses.add(address)
                rtts.append(float(rtt) * 1000)
    return found


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def rtts_of(rounds, ttl):
    return [one["hops"][ttl - 1]["rtt_ns"] / 1000 for one in rounds
            if len(one["hops"]) >= ttl and not one["hops"][ttl - 1]["timeout"]]


def compare_hops_and_rtts(fan, host):
    ours = ecmp_trace(fan, host, 20)
    theirs = scamper(fan, host, PORTS, 3)
    rows_of_mtr = mtr(fan, host, 60)
    expected = fan.expected_paths(host, PORTS)
    agree = sum(all([hop["ip"] for hop in one["hops"]] == expected[port] for one in ours[port]) for port in PORTS)
    scamper_agrees = sum([sorted(theirs[port][ttl][0]) for ttl in range(1, HOPS + 1)] == [[a] for a in expected[port]]
                         for port in PORTS)
    print(f"{host}: flows whose hops are those that the routers say: ecmp_trace {agree} of {len(PORTS)}, "
          f"scamper {scamper_agrees} of {len(PORTS)} (one run for each flow)\n")
    rows = []
    for ttl in range(1, HOPS + 1):
        own = [rtt for rounds in ours.values() for rtt in rtts_of(rounds, ttl)]
        of_scamper = [rtt for port in PORTS for rtt in theirs[port][ttl][1]]
        address, _, _, mean, best = rows_of_mtr[ttl - 1]
        rows.append((ttl, len({one["hops"][ttl - 1]["ip"] for rounds in ours.values() for one in rounds}), address,
                     f"{min(own):.0f} / {statistics.mean(own):.0f}",
                     f"{min(of_scamper):.0f} / {statistics.mean(of_scamper):.0f}", f"{best:.0f} / {mean:.0f}",
                     f"{statistics.mean(of_scamper) - statistics.mean(own):+.0f}", f"{mean - statistics.mean(own):+.0f}"))
    table(["TTL", "addresses ecmp_trace saw", "address mtr shows", "ecmp_trace RTT us, best / mean", "scamper", "mtr",
           "scamper - ecmp_trace", "mtr - ecmp_trace"], rows)


def compare_loss(fan, host):
    branch = fan.branch(2)
    fan.lose(branch, 0.1)
    try:
        ours = ecmp_trace(fan, host, 100)
        rows_of_mtr = mtr(fan, host, 100)
    finally:
        fan.heal(branch)
    expected = fan.expected_paths(host, PORTS)
    print(f"{host}: {branch} ({fan.addresses[branch][6 if ':' in host else 4]}) loses 10 % of what it forwards\n\n"
          "ecmp_trace:\n")
    by_path = collections.defaultdict(list)
    for port, rounds in ours.items():
        by_path[tuple(expected[port])].append((port, rounds))
    rows = []
    for path, flows in sorted(by_path.items()):
        every = [one for _, rounds in flows for one in rounds]
        lost = sum(one["loss"] for one in every)
        rows.append((path[1], " ".join(str(port) for port, _ in flows), len(every), f"{100 * lost / len(every):.1f} %"))
    table(["path over", "flows", "rounds", "loss"], rows)
    print("mtr:\n")
    table(["TTL", "address", "probes", "loss"],
          [(ttl, address, sent, f"{loss:.1f} %") for ttl, (address, loss, sent, _, _) in enumerate(rows_of_mtr, 1)])


def main():
    close_on_exit()
    with Fan(width=4) as fan:
        for host in DESTINATION.values():
            compare_hops_and_rtts(fan, host)
        for host in DESTINATION.values():
            compare_loss(fan, host)


if __name__ == "__main__":
    main()
