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
from exporter import Exporter, config, eventually, full_pipe  # noqa: E402
from lab import DESTINATION, Fan  # noqa: E402
from plan import DISCOVERED, SETTLE, WIDTH, make_plan  # noqa: E402
from surroundings import Disk, Names  # noqa: E402
from watch import Crowd, Follower, PageReader, Scraper, descriptors, destinations, footprint, slope  # noqa: E402

FLOWS = 16
NAMES = {4: "four", 6: "six"}
NAMED = NAMES[4]  # its address is asked for every second
PORTS = range(50000, 50000 + FLOWS)
BEFORE = 1.0  # s: a round that began this long before a fault may have been hit by it
WINDOW = 10  # s, over which losses are counted
AFTER = SETTLE  # s after its end within which a path must be told as changed back
STALLED = 0.02  # of all rounds, at most
TURNS = 0.8  # probes a second that a router is asked once its limit was met, until it was tried what it answers
STUCK = b"GET /paths?follow=true HTTP/1.1\r\nHost: a\r\n\r\n"  # of one who then reads nothing
GROWTH = 4 << 20  # bytes of RSS: the allocator's noise, and series of paths and destinations that were new
GROWTH_PER_HOUR = 20 << 20


def configuration(label, directory):
    made = [{"name": name, "host": DESTINATION[family], "flows": FLOWS, "labels": {"edition": label}}
            for family, name in NAMES.items()]
    made[0]["host"] = f"{NAMED}.test"
    # Little memory for rounds and a short window: what has a bound is to reach it before memory is looked at.
    base = config(made).replace("[dns]\n", '[dns]\nrefresh = "1s"\n')
    return "\n".join([base, '[history]\nmemory = "256KiB"', f'directory = "{directory}"\nmax_size = "16MiB"',
                      'rollup_max_size = "16MiB"',
                      f'[window]\nduration = "{WINDOW}s"', '[discovery]\nfiles = ["sd-*.json"]\n'])


def moment(text):
    """Seconds since 1970 of a time as the exporter tells it."""
    whole, fraction = text.rstrip("Z").split(".")
    begin = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return begin.timestamp() + float("0." + fraction)


class Soak:
    def __init__(self, fan, exporter, plan, disk, names, directory=None):
        self.fan, self.exporter, self.plan, self.directory = fan, exporter, plan, directory
        self.disk, self.history, self.names = disk, disk.directory, names
        self.wrong = []
        self.edition = 0
        self.hosts = []  # in the file of destinations
        self.draw = random.Random(len(plan))
        self.over = 0  # wall clock
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

    @property
    def discovered(self):
        return os.path.join(self.exporter.directory.name, "sd-soak.json")

    def listed(self):
        return json.dumps([{"targets": self.hosts, "labels": {"__ecmp_flows": "2"}}])

    def cut_files(self):
        """As an editor or a full disk leaves them: an empty configuration, and half a list of destinations. Returns what
        mends them; until then all is traced as before."""
        text = self.listed()
        with open(self.discovered, "w") as file:
            file.write(text[:self.draw.randrange(len(text))])
        self.reload("", 0)
        wanted = {*NAMES.values(), *self.hosts}

        def mend():
            found = eventually(lambda: destinations(self.exporter), 5, "destinations")
            if set(found) != wanted:
                self.wrong.append(f"with files cut short {sorted(found)} are traced, not {sorted(wanted)}")
            self.write(self.discovered, text)
            self.reload(configuration(str(self.edition), self.history), 1)
        return mend

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
        elif slot.nuisance == "cut":
            return self.cut_files()
        elif slot.nuisance == "names":
            return self.names.vanish()
        elif slot.nuisance == "disk_full":
            return self.disk.fill(self.exporter, time.time)
        elif slot.hosts is not None:
            self.hosts = slot.hosts
            self.write(self.discovered, self.listed())
            eventually(lambda: set(destinations(self.exporter) or ()) == {*NAMES.values(), *slot.hosts}, 5,
                       f"destinations {slot.hosts}")
        else:
            return Crowd(self.exporter, STUCK if slot.nuisance == "stuck" else b"GET /pat", 20).close
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

    def limited_before(self, slot):
        """Whether pacing knows the router of a branch to limit its answers."""
        return any(other.fault == "icmp_limit" and (other.branch, other.begin < slot.begin) == (slot.branch, True)
                   for other in self.plan)

    def back_by(self, slot):
        """Until when all flows must be told as back on a branch that had been replaced. Where its router is known to limit
        its answers each has to hear it twice, in turn with those that have done so (docs/pacing.md)."""
        if not self.limited_before(slot):
            return slot.end + AFTER
        flows = max(sum(1 for (name, _), number in self.branch.items() if number == slot.branch and (name == "six") == six)
                    for six in (False, True))
        until = slot.end + AFTER + 3 * flows / TURNS
        for link in self.plan:  # who asks meanwhile hears nobody
            if link.fault == "link" and slot.end < link.begin < until:
                until += link.end - link.begin + AFTER
        return until

    def replaced(self, at, branch=None):
        """Those replaced whose flows may be told at a moment as having moved there or back."""
        return [slot for slot in self.plan if slot.fault == "replace" and slot.begin - BEFORE <= at <= self.back_by(slot)
                and branch in (None, slot.branch)]

    def judge_replaced(self, slot, rounds):
        """Each flow moves there and back, once."""
        again = [other.begin for other in self.plan
                 if other.fault == "replace" and other.branch == slot.branch and other.begin > slot.begin]
        until = self.back_by(slot)
        for (name, port), number in self.branch.items():
            if number != slot.branch or name not in NAMES.values():
                continue
            moments = [moment(line["timestamp"]) for line in rounds
                       if (line["destination"], line["source_port"]) == (name, port) and line["changed"]]
            changes = [at for at in moments if slot.begin <= at <= min([until, *again])]
            wanted = {2}
            if self.limited_before(slot):
                wanted.add(0)  # it was not its turn while the branch was replaced
                if min([self.over, *again]) < until:
                    wanted.add(1)
            if len(changes) not in wanted:
                self.wrong.append(f"{name} flow {port} changed {len(changes)} times, not there and back: {slot}")

    def complain(self, what, line):
        self.wrong.append(f"{what}: {json.dumps(line)[:400]}")

    def judge_rounds(self, rounds):
        """Each round that says something is to have a reason, and each reason is to be said."""
        told = {"loss": [], "unobserved": [], "changed": []}
        stalled = 0  # the machine's own: it did not let the exporter run for a second
        for line in rounds:
            at, number = moment(line["timestamp"]), self.branch[line["destination"], line["source_port"]]
            if line["loss"]:
                told["loss"].append((at, number))
                if number not in [slot.branch for slot in self.slots(at, 0, "loss", "black_hole")]:
                    self.complain("loss without a fault", line)
            if line.get("unobserved") == "stalled":
                stalled += 1
            elif "unobserved" in line:
                told["unobserved"].append((at, number))
                if not self.slots(at, AFTER, "link"):
                    self.complain("unobserved though our link was up", line)
            if line["changed"]:
                told["changed"].append((at, number))
                if not self.replaced(at, number):
                    self.complain("a change of path without one", line)
        if stalled > STALLED * len(rounds):
            self.wrong.append(f"stalled in {stalled} of {len(rounds)} rounds")
        kinds = {"loss": "loss", "black_hole": "loss", "link": "unobserved", "replace": "changed"}
        for slot in self.plan:
            found = [number for at, number in told.get(kinds.get(slot.fault), ()) if slot.begin - BEFORE <= at <= slot.end + AFTER]
            wanted = list(self.branch.values()).count(slot.branch) and (slot.fault == "link" or slot.branch in found) and found
            if slot.fault in kinds and not wanted:
                self.wrong.append(f"not told: {slot}")
            if slot.fault == "replace":
                self.judge_replaced(slot, rounds)
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
            # Losses that are too few for a window are judged with those of the 24 before it (docs/reality.md).
            if not ended and at > slot.end + 25 * WINDOW + AFTER:
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
                reason = self.replaced(at)
            elif kind == "width":  # one branch is taken by the spare while flows still leave it for another
                reason = len(self.replaced(at)) > 1
            else:
                reason = kind == "delay_verdict"  # the machine's own: others may keep its processors busy
            if not reason:
                self.complain("an event without a reason", event)
        self.judge_verdicts([event for event in events if event["kind"] == "loss_verdict"])
        for slot in self.plan:
            if slot.fault == "replace" and not [event for event in events if event["kind"] in ("reroute", "remap")
                                                and slot.begin <= moment(event["time"]) <= slot.end + AFTER]:
                self.wrong.append(f"no event of it: {slot}")

    def judge_verdicts(self, verdicts):
        """A black hole that had the window to itself is blamed; of two links that lose within it either may be in doubt."""
        for slot in self.plan:
            beside = [other for other in self.plan if other is not slot and other.fault in ("loss", "black_hole")
                      and other.begin < slot.end and slot.begin < other.end + WINDOW + AFTER]
            if slot.fault != "black_hole" or beside:
                continue
            branch = self.own(self.fan.branch(slot.branch))
            found = [link for event in verdicts for link in event["loss"]["links"] if event["phase"] == "begin"
                     and slot.begin <= moment(event["time"]) <= slot.end + AFTER and link["from"] in branch]
            if not found:
                self.wrong.append(f"blamed nowhere: {slot}")

    def judge_history(self, rounds):
        """What memory has long forgotten is on the disk: all of it, once, nothing else, and in bounds."""
        def name(line):
            return line["destination"], line["source_port"], line["probe_num"], line["timestamp"]
        # From the second second on: a round that ends as the followers begin is told by either.
        first = min(moment(line["timestamp"]) for line in rounds) + 1
        last = max(moment(line["timestamp"]) for line in rounds) - 1
        since = datetime.datetime.fromtimestamp(first, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        told = {name(line): line for line in rounds if moment(line["timestamp"]) > first + 1}
        lines = [line for line in self.exporter.paths(since=since) if moment(line["timestamp"]) > first + 1]
        kept = {name(line): line for line in lines}
        missing = [line for key, line in told.items() if key not in kept and not self.disk.may_lack(moment(line["timestamp"]))]
        if missing:
            self.complain(f"{len(missing)} of {len(told)} rounds are not in the history, such as", missing[0])
        more = [line for key, line in kept.items() if key not in told and moment(line["timestamp"]) < last]
        if more:
            self.complain(f"{len(more)} rounds are in the history alone, such as", more[0])
        if len(kept) != len(lines):
            self.wrong.append(f"{len(lines) - len(kept)} rounds are in the history twice")
        in_memory = len(self.exporter.paths())
        if not in_memory < len(lines) / 2:
            self.wrong.append(f"memory has {in_memory} rounds, the disk {len(lines)}: nothing had to be read from it")
        size = sum(entry.stat().st_size for entry in os.scandir(self.history))
        if not 0 < size <= 16 << 20:
            self.wrong.append(f"the history takes {size} bytes, of 16 MiB at most")
        metrics = self.exporter.metrics()
        for counter in ("history_disk_damaged", *(() if self.disk.full else ("history_disk_errors", "history_dropped"))):
            # Sums of all labels: none of it may happen with a disk that has room.
            found = metrics.families[f"ecmp_exporter_{counter}_total"]
            if not found or sum(value for _, value in found):
                self.wrong.append(f"{counter}: {found}")

    def judge_silence(self, silences):
        """Hops keep quiet while their router answers little, and at no other time. The first limit of each branch must be
        told; by the next one pacing may ask it less often than it answers. A silence is counted when its round is over, and
        told when its destination's figures are published again, each up to a second later."""
        # Behind a branch that loses, one probe may get lost where a farther one gets through.
        def limiting(slot):
            late = [other for other in self.replaced(slot.begin, slot.branch) if other.end < slot.begin]
            # A flow that is not back from the spare router has its silence told as that one's.
            return self.own(self.fan.branch(slot.branch)) | (self.own("s1") if late else set())
        reasons = {"icmp_limit": limiting, "loss": lambda _: self.own("r2"),
                   "black_hole": lambda _: self.own("r2")}
        grown = []  # (hop, from, to)
        for (begin, before), (end, after) in zip(silences, silences[1:]):
            grown += [(hop, begin, end) for hop, count in after.items() if count > before.get(hop, 0)]
        for hop, begin, end in grown:
            if not any(slot.fault in reasons and hop in reasons[slot.fault](slot)
                       and slot.begin - BEFORE <= end and begin <= slot.end + AFTER for slot in self.plan):
                self.wrong.append(f"{hop} was silent without a limit, {begin - self.plan[0].begin:.1f} s on")
        limited = set()
        for slot in self.plan:
            if slot.fault != "icmp_limit" or slot.branch in limited:
                continue
            limited.add(slot.branch)
            if not any(hop in self.own(self.fan.branch(slot.branch)) and slot.begin <= end and begin <= slot.end + AFTER
                       for hop, begin, end in grown):
                self.wrong.append(f"not told: {slot}")

    def judge_growth(self, scraper, before, after):
        figures = scraper.figures[len(scraper.figures) // 2:]
        seconds = figures[-1][0] - figures[0][0]
        growth = slope([(at, resident) for at, resident, _, _ in figures])
        allowed = GROWTH / seconds + GROWTH_PER_HOUR / 3600
        if growth > allowed:
            self.wrong.append(f"memory grows by {growth:.0f} bytes/s over the last {seconds:.0f} s; at most {allowed:.0f}")
        for what, old, new in zip(("descriptors", "threads"), before[1:], after[1:]):
            if new > old:
                self.wrong.append(f"{new} {what} at the end, {old} at the beginning")
        # Files of the history are opened when there is something to write: each once. One that is deleted is a descriptor too many.
        files = self.descriptors()[1]
        if len(set(files)) < len(files):
            self.wrong.append(f"descriptors of the history: {files}")
        return (f"RSS {before[0] >> 10} to {after[0] >> 10} KiB, slope {growth:.0f} of {allowed:.0f} B/s, "
                f"descriptors {after[1]} and of the history {len(files)}, threads {after[2]}")

    def lag(self):
        """{bound: count} of how late probes were sent."""
        return self.exporter.metrics().values("ecmp_exporter_schedule_lag_seconds_bucket", "le")

    def lateness(self, before):
        counts = {float(bound): count - before[bound] for bound, count in self.lag().items()}
        return min(bound for bound, count in counts.items() if count >= 0.99 * counts[float("inf")])

    def keep(self, **told):
        """What was told, line by line, for whoever wants to know why something is wrong."""
        if self.directory is None:
            return
        os.makedirs(self.directory, exist_ok=True)
        for name, lines in told.items():
            with open(os.path.join(self.directory, f"{name}.json"), "w") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)

    def descriptors(self):
        return descriptors(self.exporter.process.pid, self.history)

    def footprint(self, idle=None):
        """(bytes, descriptors without the history's, threads). A client's are gone when the exporter has noticed; those
        that are not as few as `idle` after ten seconds have leaked."""
        deadline = time.monotonic() + 10
        while True:
            memory, _, threads = footprint(self.exporter.process.pid)
            found = memory, self.descriptors()[0], threads
            if idle is None or (found[1] <= idle[1] and found[2] <= idle[2]) or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def quietest(self, seconds):
        """The least it has of descriptors and threads within so long: an answer's may still be there at first."""
        found = []
        for _ in range(seconds * 10):
            found.append(self.footprint())
            time.sleep(0.1)
        return min(found, key=lambda figures: figures[1:])

    def run(self):
        eventually(lambda: len([x for x in self.exporter.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        # Memory that the allocator gives each thread once is no growth: as many are busy now as will be later.
        idle = self.quietest(2)
        crowd = Crowd(self.exporter, STUCK, 20)
        time.sleep(SETTLE - 2)
        crowd.close()
        before = self.footprint(idle)
        lag = self.lag()
        paths, events = Follower(self.exporter, "/paths"), Follower(self.exporter, "/events")
        watchers = [paths, events, Scraper(self.exporter), PageReader(self.exporter)]
        for watcher in watchers:
            watcher.start()
        try:
            self.perform()
            self.over = time.time()
        finally:
            for watcher in watchers:
                watcher.stop()
        if self.exporter.process.poll() is not None:
            self.wrong.append(f"the exporter ended with {self.exporter.process.returncode}")
            return ""
        after = self.footprint(before)
        late = self.lateness(lag)
        self.wrong += sum((watcher.wrong for watcher in watchers), [])
        self.keep(rounds=paths.lines, events=events.lines, figures=watchers[2].figures)
        told = self.judge_rounds(paths.lines)
        self.judge_events(events.lines)
        self.judge_silence(watchers[2].silences)
        self.judge_history(paths.lines)
        growth = self.judge_growth(watchers[2], before, after)
        return (f"{len(paths.lines)} rounds, {told}, {len(events.lines)} events, {watchers[2].series} counters; {growth}; "
                f"99 % of probes at most {late * 1e3:g} ms late")


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
    reader, log = full_pipe()  # nobody reads the log
    with (os.fdopen(reader), os.fdopen(log, "w"), Disk() as disk, Fan(width=WIDTH) as fan,
          Names(fan.network.ns("agent"), NAMED, DESTINATION[4]) as names,
          Exporter(configuration("0", disk.directory), fan.network.ns("agent"), command_prefix=names.prefix,
                   stderr=log) as exporter):
        soak = Soak(fan, exporter, plan, disk, names, chosen.keep)
        try:
            print("soak: " + soak.run())
        except AssertionError as error:
            soak.wrong.append(str(error))
        if soak.wrong:
            print("\n".join([f"soak: {len(soak.wrong)} things are wrong, with --seed {chosen.seed}:", *soak.wrong[:40]]))
            print("\n".join(["soak: the plan was:", *map(str, plan)]))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
