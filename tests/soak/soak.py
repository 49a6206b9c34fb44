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
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
os.environ["PATH"] += ":/usr/sbin:/sbin"
import netns  # noqa: E402
from exporter import Exporter, config, eventually  # noqa: E402
from lab import DESTINATION, Fan  # noqa: E402
from plan import DISCOVERED, SETTLE, WIDTH, make_plan  # noqa: E402
from watch import Crowd, Follower, PageReader, Scraper, destinations, footprint, slope  # noqa: E402

HISTORY_ON_DISK = False  # [history] directory
FLOWS = 16
NAMES = {4: "four", 6: "six"}
PORTS = range(50000, 50000 + FLOWS)
BEFORE = 1.0  # s: a round that began this long before a fault may have been hit by it
WINDOW = 10  # s, over which losses are counted
AFTER = SETTLE  # s after its end within which a path must be told as changed back
GROWTH = 4 << 20  # bytes of RSS: the allocator's noise, and series of paths and destinations that were new
GROWTH_PER_HOUR = 20 << 20


def configuration(label, directory):
    made = [{"name": name, "host": DESTINATION[family], "flows": FLOWS, "labels": {"edition": label}}
            for family, name in NAMES.items()]
    disk = f'directory = "{directory}"\nmax_size = "16MiB"\n' if HISTORY_ON_DISK else ""
    # Little memory for rounds and a short window: what has a bound is to reach it before memory is looked at.
    return "\n".join([config(made), '[history]\nmemory = "256KiB"', disk, f'[window]\nduration = "{WINDOW}s"',
                      '[discovery]\nfiles = ["sd-*.json"]\n'])


def moment(text):
    """Seconds since 1970 of a time as the exporter tells it."""
    whole, fraction = text.rstrip("Z").split(".")
    begin = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return begin.timestamp() + float("0." + fraction)


class Soak:
    def __init__(self, fan, exporter, plan, history, directory=None):
        self.fan, self.exporter, self.plan, self.history, self.directory = fan, exporter, plan, history, directory
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
            self.reload(configuration(str(self.edition), self.history), 1)
            eventually(lambda: (destinations(self.exporter) or {}).get("four", {}).get("edition") == str(self.edition),
                       5, "the edited label is told")
        elif slot.nuisance == "bad_reload":
            self.reload(configuration("x", self.history) + "\nno = such\n", 0)
            return lambda: self.reload(configuration(str(self.edition), self.history), 1)
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

    def own(self, node):
        return set(self.fan.addresses[node].values())

    def blames_a_fault(self, event, at):
        """A branch loses what it should forward, so its link onward is to be among those that cannot be told apart. Of a
        destination that was new while it was lost no router behind that is known, nor perhaps the branch itself."""
        ended = event["phase"] == "end"
        for slot in self.plan:
            if slot.fault not in ("loss", "black_hole") or not slot.begin < at:
                continue
            if not ended and at > slot.end + WINDOW + AFTER:
                continue
            branch = self.own(self.fan.branch(slot.branch))
            for link in event["loss"]["links"]:
                if link["from"] in branch or (link["to"] in DISCOVERED and link["from"] in self.own("r1")):
                    return True
        return False

    def judge_events(self, events):
        for event in events:
            at, kind = moment(event["time"]), event["kind"]
            if kind in ("down", "up"):
                reason = self.slots(at, AFTER, "link", "loss", "black_hole")
                reason = reason and (event["destination"] not in NAMES.values() or self.slots(at, AFTER, "link"))
            elif kind == "loss_verdict":
                reason = self.blames_a_fault(event, at)
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

    def judge_history(self, rounds):
        """What memory has long forgotten is on the disk, in bounds."""
        if not HISTORY_ON_DISK:
            return
        # From the second second on: a round that ends as the followers begin is told by either.
        first = min(moment(line["timestamp"]) for line in rounds) + 1
        since = datetime.datetime.fromtimestamp(first, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        def name(line):
            return line["destination"], line["source_port"], line["probe_num"], line["timestamp"]
        kept = {name(line) for line in self.exporter.paths(since=since)}
        missing = [line for line in rounds if moment(line["timestamp"]) > first + 1 and name(line) not in kept]
        if missing:
            self.complain(f"{len(missing)} of {len(rounds)} rounds are not in the history, such as", missing[0])
        size = sum(entry.stat().st_size for entry in os.scandir(self.history))
        if not 0 < size <= 16 << 20:
            self.wrong.append(f"the history takes {size} bytes, of 16 MiB at most")

    def judge_silence(self):
        found = self.exporter.metrics().values("ecmp_hop_silences_total", "hop")
        silent = {hop for hop, count in found.items() if count}
        limited = [self.own(self.fan.branch(slot.branch)) for slot in self.plan if slot.fault == "icmp_limit"]
        # Behind a branch that loses, one probe may get lost where a farther one gets through.
        allowed = set().union(self.own("r2"), *limited)
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
        files = 2 if HISTORY_ON_DISK else 0  # of the history, opened when there is something to write
        for what, old, new, more in zip(("descriptors", "threads"), before[1:], after[1:], (files, 0)):
            if new > old + more:
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
        self.keep(rounds=paths.lines, events=events.lines, figures=watchers[2].figures)
        told = self.judge_rounds(paths.lines)
        self.judge_events(events.lines)
        self.judge_silence()
        self.judge_history(paths.lines)
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
    with (tempfile.TemporaryDirectory(prefix="ecmp-soak-") as history, Fan(width=WIDTH) as fan,
          Exporter(configuration("0", history), fan.network.ns("agent")) as exporter):
        soak = Soak(fan, exporter, plan, history, chosen.keep)
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
