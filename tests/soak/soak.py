#!/usr/bin/python3
"""A soak: random faults in a lab from a seed, and at the end a comparison of what was done with what was told.

Exit code 0 when all was told and nothing else, nothing grew and no counter went backwards; 1 when not; 77 without root.
"""
import argparse
import datetime
import json
import os
import random
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
os.environ["PATH"] += ":/usr/sbin:/sbin"
import netns  # noqa: E402
from exporter import Exporter, config, eventually  # noqa: E402
from lab import DESTINATION, Fan  # noqa: E402
from plan import DISCOVERED, SETTLE, WIDTH, make_plan  # noqa: E402
from watch import Crowd, Follower, PageReader, Scraper, destinations, footprint, slope  # noqa: E402

FLOWS = 16
NAMES = {4: "four", 6: "six"}
PORTS = range(50000, 50000 + FLOWS)
BEFORE = 1.0  # s: a round that began this long before a fault may have been hit by it
AFTER = SETTLE  # s after its end within which a path must be told as changed back
GROWTH = 4 << 20  # bytes of RSS: the allocator's noise, and series of paths and destinations that were new
GROWTH_PER_HOUR = 20 << 20


def configuration(label):
    made = [{"name": name, "host": DESTINATION[family], "flows": FLOWS, "labels": {"edition": label}}
            for family, name in NAMES.items()]
    # Little memory for rounds and a short window: what has a bound is to reach it before memory is looked at.
    return config(made) + '\n[history]\nmemory = "256KiB"\n[window]\nduration = "10s"\n[discovery]\nfiles = ["sd-*.json"]\n'


def moment(text):
    """Seconds since 1970 of a time as the exporter tells it."""
    whole, fraction = text.rstrip("Z").split(".")
    begin = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return begin.timestamp() + float("0." + fraction)


class Soak:
    def __init__(self, fan, exporter, plan, directory=None):
        self.fan, self.exporter, self.plan, self.directory = fan, exporter, plan, directory
        self.wrong = []
        self.edition = 0
        hosts = {**{name: (DESTINATION[family], family, PORTS) for family, name in NAMES.items()},
                 **{host: (host, 4, range(50000, 50002)) for host in DISCOVERED}}
        # Which branch each flow is on, by the kernel's word.
        self.branch = {}
        for name, (host, family, ports) in hosts.items():
            own = {fan.addresses[fan.branch(number)][family]: number for number in range(1, WIDTH + 1)}
            for port, hops in fan.expected_paths(host, ports).items():
                self.branch[name, port] = next(own[hop] for hop in hops if hop in own)

    # --- what is done ------------------------------------------------------------------------------------------------

    def begin(self, slot):
        node = self.fan.branch(slot.branch)
        {"loss": lambda: self.fan.lose(node, slot.ratio), "black_hole": lambda: self.fan.black_hole(node),
         "replace": lambda: self.fan.replace_branch(slot.branch), "link": self.fan.uplink_down,
         "icmp_limit": lambda: self.fan.limit_answers(node, 5, burst=2)}[slot.fault]()

    def end(self, slot):
        {"replace": lambda: self.fan.restore_branch(slot.branch), "link": self.fan.uplink_up}.get(
            slot.fault, lambda: self.fan.heal(self.fan.branch(slot.branch)))()

    def write(self, path, text):
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path}.new", path)

    def reload(self, text, successful):
        self.write(self.exporter.config_path, text)
        self.exporter.process.send_signal(signal.SIGHUP)
        name = "ecmp_exporter_config_last_reload_successful"
        eventually(lambda: self.exporter.metrics().families[name][0][1] == successful, 5, f"{name} {successful}")

    def annoy(self, slot):
        """Begins a nuisance; returns what ends it."""
        if slot.nuisance == "reload":
            self.edition += 1
            self.reload(configuration(str(self.edition)), 1)
            eventually(lambda: (destinations(self.exporter) or {}).get("four", {}).get("edition") == str(self.edition),
                       5, "the edited label is told")
        elif slot.nuisance == "bad_reload":
            self.reload(configuration("x") + "\nno = such\n", 0)
            return lambda: self.reload(configuration(str(self.edition)), 1)
        elif slot.hosts is not None:
            self.write(os.path.join(self.exporter.directory.name, "sd-soak.json"),
                       json.dumps([{"targets": slot.hosts, "labels": {"__ecmp_flows": "2"}}]))
            eventually(lambda: set(destinations(self.exporter) or ()) == {*NAMES.values(), *slot.hosts}, 5,
                       f"destinations {slot.hosts}")
        else:
            request = b"GET /paths?follow=true HTTP/1.1\r\nHost: a\r\n\r\n" if slot.nuisance == "stuck" else b"GET /pat"
            return Crowd(self.exporter, request, 20).close
        return lambda: None

    def perform(self):
        for number, slot in enumerate(self.plan, 1):
            print(f"soak: {number}/{len(self.plan)} {slot}", flush=True)
            slot.begin = time.time()
            self.begin(slot)
            try:
                calm = self.annoy(slot)
                time.sleep(max(0, slot.begin + slot.hold - time.time()))
            finally:
                self.end(slot)
                slot.end = time.time()
            calm()
            time.sleep(SETTLE)

    # --- what must have been told ------------------------------------------------------------------------------------

    def slots(self, at, after, *kinds):
        return [slot for slot in self.plan if slot.fault in kinds and slot.begin - BEFORE <= at <= slot.end + after]

    def complain(self, what, line):
        self.wrong.append(f"{what}: {json.dumps(line)[:400]}")

    def judge_rounds(self, rounds):
        """Each round that says something is to have a reason, and each reason is to be said."""
        told = {"loss": [], "unobserved": [], "changed": []}
        for line in rounds:
            at, number = moment(line["timestamp"]), self.branch[line["destination"], line["source_port"]]
            if line["loss"]:
                told["loss"].append((at, number))
                if number not in [slot.branch for slot in self.slots(at, 0, "loss", "black_hole")]:
                    self.complain("loss without a fault", line)
            if "unobserved" in line:
                told["unobserved"].append((at, number))
                if not self.slots(at, AFTER, "link"):
                    self.complain("unobserved though our link was up", line)
            if line["changed"]:
                told["changed"].append((at, number))
                if number not in [slot.branch for slot in self.slots(at, AFTER, "replace")]:
                    self.complain("a change of path without one", line)
        kinds = {"loss": "loss", "black_hole": "loss", "link": "unobserved", "replace": "changed"}
        for slot in self.plan:
            found = [number for at, number in told.get(kinds.get(slot.fault), ()) if slot.begin - BEFORE <= at <= slot.end + AFTER]
            wanted = list(self.branch.values()).count(slot.branch) and (slot.fault == "link" or slot.branch in found) and found
            if slot.fault in kinds and not wanted:
                self.wrong.append(f"not told: {slot}")
            if slot.fault == "replace":
                flows = [key for key, number in self.branch.items() if number == slot.branch and key[0] in NAMES.values()]
                for name, port in flows:
                    changes = [line for line in rounds if (line["destination"], line["source_port"]) == (name, port)
                               and line["changed"] and slot.begin <= moment(line["timestamp"]) <= slot.end + AFTER]
                    if len(changes) != 2:
                        self.wrong.append(f"{name} flow {port} changed {len(changes)} times, not there and back: {slot}")
        return {kind: len(found) for kind, found in told.items()}

    def judge_events(self, events):
        for event in events:
            at, kind = moment(event["time"]), event["kind"]
            if kind in ("down", "up"):
                reason = self.slots(at, AFTER, "link", "loss", "black_hole")
                reason = reason and (event["destination"] not in NAMES.values() or self.slots(at, AFTER, "link"))
            elif kind == "loss_verdict":
                begun = [slot for slot in self.plan if slot.fault in ("loss", "black_hole") and slot.begin < at]
                reason = any(address in json.dumps(event) for slot in begun
                             for address in self.fan.addresses[self.fan.branch(slot.branch)].values())
            elif kind in ("reroute", "remap"):
                reason = self.slots(at, AFTER, "replace")
            else:
                reason = kind == "delay_verdict"  # the machine's own: others may keep its processors busy
            if not reason:
                self.complain("an event without a reason", event)
        for slot in self.plan:
            if slot.fault == "replace" and not [event for event in events if event["kind"] in ("reroute", "remap")
                                                and slot.begin <= moment(event["time"]) <= slot.end + AFTER]:
                self.wrong.append(f"no event of it: {slot}")

    def judge_silence(self):
        found = self.exporter.metrics().values("ecmp_hop_silences_total", "hop")
        silent = {hop for hop, count in found.items() if count}
        def own(node):
            return set(self.fan.addresses[node].values())
        limited = [own(self.fan.branch(slot.branch)) for slot in self.plan if slot.fault == "icmp_limit"]
        # Behind a branch that loses, one probe may get lost where a farther one gets through.
        allowed = set().union(own("r2"), *limited)
        if not silent <= allowed:
            self.wrong.append(f"silent without a limit: {silent - allowed}")
        self.wrong += [f"a limit was not told: {addresses}" for addresses in limited if not addresses & silent]

    def judge_growth(self, scraper, before):
        figures = scraper.figures[len(scraper.figures) // 2:]
        seconds = figures[-1][0] - figures[0][0]
        growth = slope([(at, resident) for at, resident, _, _ in figures])
        allowed = GROWTH / seconds + GROWTH_PER_HOUR / 3600
        if growth > allowed:
            self.wrong.append(f"memory grows by {growth:.0f} bytes/s over the last {seconds:.0f} s; at most {allowed:.0f}")
        after = footprint(self.exporter.process.pid)
        for what, old, new in zip(("descriptors", "threads"), before[1:], after[1:]):
            if new > old:
                self.wrong.append(f"{new} {what} at the end, {old} at the beginning")
        return f"RSS {before[0] >> 10} to {after[0] >> 10} KiB, slope {growth:.0f} B/s, descriptors {after[1]}, threads {after[2]}"

    def keep(self, **told):
        """What was told, line by line, for whoever wants to know why something is wrong."""
        if self.directory is None:
            return
        os.makedirs(self.directory, exist_ok=True)
        for name, lines in told.items():
            with open(os.path.join(self.directory, f"{name}.json"), "w") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)

    def run(self):
        eventually(lambda: len([x for x in self.exporter.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        time.sleep(SETTLE)
        before = footprint(self.exporter.process.pid)
        paths, events = Follower(self.exporter, "/paths"), Follower(self.exporter, "/events")
        watchers = [paths, events, Scraper(self.exporter), PageReader(self.exporter)]
        for watcher in watchers:
            watcher.start()
        try:
            self.perform()
        finally:
            for watcher in watchers:
                watcher.stop()
        if self.exporter.process.poll() is not None:
            self.wrong.append(f"the exporter ended with {self.exporter.process.returncode}")
            return ""
        # A crowd's connections are gone when the exporter has noticed; those that are not by then have leaked.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and footprint(self.exporter.process.pid)[1] > before[1]:
            time.sleep(0.2)
        self.wrong += sum((watcher.wrong for watcher in watchers), [])
        self.keep(rounds=paths.lines, events=events.lines)
        told = self.judge_rounds(paths.lines)
        self.judge_events(events.lines)
        self.judge_silence()
        growth = self.judge_growth(watchers[2], before)
        return (f"{len(paths.lines)} rounds, {told}, {len(events.lines)} events, {watchers[2].series} counters; {growth}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options.add_argument("--keep", metavar="DIRECTORY", help="write all rounds and events there")
    chosen = options.parse_args()
    reasons = netns.missing_requirements()
    if reasons:
        print("skipped: " + "; ".join(reasons))
        return 77
    netns.close_on_exit()
    netns.reap_stale()
    plan = make_plan(chosen.seed, chosen.seconds)
    print(f"soak: seed {chosen.seed}, {len(plan)} faults", flush=True)
    with Fan(width=WIDTH) as fan, Exporter(configuration("0"), fan.network.ns("agent")) as exporter:
        soak = Soak(fan, exporter, plan, chosen.keep)
        try:
            print("soak: " + soak.run())
        except AssertionError as error:
            soak.wrong.append(str(error))
        if soak.wrong:
            print("\n".join([f"soak: {len(soak.wrong)} things are wrong, with --seed {chosen.seed}:", *soak.wrong[:40]]))
            print("\n".join(["soak: the plan was:", *map(str, plan), "soak: its log:", exporter.read_log()[-3000:]]))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
