"""What was measured survives: a restart, kill -9, damaged files, a disk that is full or gone."""
import collections
import datetime
import json
import os
import subprocess
import tempfile
import time

import pytest

from exporter import Exporter, eventually, now
from lab import Fan

KILLS = int(os.environ.get("ECMP_KILLS", "5"))
FLOWS = 8
INTERVAL = 0.4


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture()
def directory():
    with tempfile.TemporaryDirectory(prefix="ecmp-history-") as made:
        yield os.path.join(made, "history")


def text(fan, directory, more=""):
    return f"""
[probe]
interval = "400ms"
timeout = "200ms"
flows = {FLOWS}
[limits]
probes_per_second_per_responder = 100000
[history]
memory = "64KiB"
directory = "{directory}"
{more}
[[destination]]
name = "lab"
host = "{fan.addresses["dst"][4]}"
"""


def moment(line):
    stamp, fraction = line["timestamp"].rstrip("Z").split(".")
    whole = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return whole.timestamp() + float("0." + fraction)


def by_flow(lines):
    flows = collections.defaultdict(list)
    for line in lines:
        flows[line["source_port"]].append(line)
    return flows


def key(line):
    return line["source_port"], line["probe_num"], line["timestamp"]


def names(lines):
    """{path id: ordinal}"""
    return {line["path"]: line["path_ordinal"] for line in lines if line["path"]}


def test_rounds_and_names_survive_kill_9_again_and_again(fan, directory):
    begin = now()
    known = {}
    told = {}
    worst = 0
    lines = []
    for kill in range(KILLS):
        with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
            before = exporter.paths(since=begin)
            # Whatever was there stays what it was, in its order and once each.
            keys = [key(line) for line in before]
            assert len(set(keys)) == len(keys)
            here = {key(line): line for line in before}
            for which, line in here.items():
                assert told.get(which, line) == line
            told.update(here)
            if kill > 0:
                lost = [line for line in lines if key(line) not in here]
                missing = max((killed - moment(line) for line in lost), default=0)
                worst = max(worst, missing)
                # A round is over up to a timeout after it began.
                assert missing < 1 + 0.2 + INTERVAL / 2, (kill, len(lost), missing)
            eventually(lambda: len(names(exporter.paths())) >= 3, 10, "paths")
            eventually(lambda: len(exporter.paths(since=begin)) > len(before) + 6 * FLOWS, 15, "more rounds")
            lines = exporter.paths(since=begin)
            current = names(lines)
            assert len(set(current.values())) == len(current), "two paths have one ordinal"
            for path, ordinal in known.items():
                assert current.get(path, ordinal) == ordinal
            known.update(current)
            killed = time.time()
            exporter.process.kill()
            exporter.process.wait()
            assert " level=error " not in exporter.read_log(), exporter.read_log()
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        flows = by_flow(exporter.paths(since=begin, destination="lab", flow=50003))
        assert set(flows) == {50003}
        assert exporter.metrics().families["ecmp_exporter_history_disk_damaged_total"][0][1] <= KILLS
    print(f"{KILLS} kills, at most {worst:.2f} s missing, {len(told)} rounds, {len(known)} paths")


def test_a_clean_restart_loses_nothing_and_limits_hold_across_memory_and_disk(fan, directory):
    begin = now()
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        # More than 64 KiB of memory holds, so that the disk is needed in the midst of it.
        eventually(lambda: exporter.metrics().families["ecmp_exporter_history_forgotten_total"][0][1] > 50, 20, "forgotten")
        code, _ = exporter.stop()
        assert code == 0, exporter.read_log()
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        first = exporter.paths(since=begin)
        for port, lines in by_flow(first).items():
            numbers = [line["probe_num"] for line in lines]
            restart = numbers.index(0, 1) if 0 in numbers[1:] else len(numbers)
            assert numbers[:restart] == list(range(restart)), (port, numbers)
            assert numbers[restart:] == list(range(len(numbers) - restart)), (port, numbers)
        assert exporter.paths(since=begin, limit=37) == first[:37]
        path = first[0]["path"]
        some = exporter.paths(since=begin, path=path)
        assert some[:20] == [line for line in first if line["path"] == path][:20]
        follow = exporter.connection()
        follow.request("GET", f"/paths?since={begin}&follow=true&limit={len(first) + 20}")
        lines = [json.loads(line) for line in follow.getresponse().read().splitlines()]
        follow.close()
        assert lines[:len(first)] == first
        assert len({key(line) for line in lines}) == len(lines)
        answer = exporter.get(f"/events?since={begin}")
        assert answer.status == 200


def test_events_survive_and_go_on_counting(fan, directory):
    begin = now()
    counted = []
    for run in range(2):
        with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
            with fault(fan):
                eventually(lambda: any(e["kind"] == "down" for e in events(exporter, begin)[len(counted):]), 15, "down")
            eventually(lambda: events(exporter, begin)[-1]["kind"] == "up", 15, "up")
            time.sleep(1.2)
            lines = events(exporter, begin)
            assert lines[:len(counted)] == counted
            assert [line["id"] for line in lines] == list(range(len(lines)))
            assert events(exporter, begin, limit=2) == lines[-2:]
            counted = lines
            exporter.process.kill()
            exporter.process.wait()


def events(exporter, since, **more):
    filters = "".join(f"&{name}={value}" for name, value in more.items())
    return [json.loads(line) for line in exporter.get(f"/events?since={since}{filters}").text.splitlines()]


class fault:
    """Nobody reaches the destination."""

    def __init__(self, fan):
        self.fan = fan

    def __enter__(self):
        for number in range(1, self.fan.width + 1):
            self.fan.black_hole(self.fan.branch(number))

    def __exit__(self, *_):
        for number in range(1, self.fan.width + 1):
            self.fan.heal(self.fan.branch(number))


def test_a_second_process_is_refused(fan, directory):
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        with pytest.raises(AssertionError, match="ended with 1"):
            Exporter(text(fan, directory), namespace=fan.network.ns("agent"))
        assert exporter.get("/-/healthy").status == 200


def test_a_disk_that_is_gone_is_told_once_and_comes_back(fan, directory):
    parent = os.path.dirname(directory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", parent], check=True)
    try:
        with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
            def own(name):
                return exporter.metrics().families[name][0][1]
            filler = os.path.join(parent, "filler")
            with open(filler, "wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            eventually(lambda: own("ecmp_exporter_history_disk_writable") == 0, 20, exporter.read_log)
            assert exporter.metrics().values("ecmp_exporter_history_dropped_total", "reason")["not_written"] > 0
            assert exporter.paths(since="1s"), "memory goes on"
            assert exporter.read_log().count("is not written to disk") == 1
            os.unlink(filler)
            eventually(lambda: own("ecmp_exporter_history_disk_writable") == 1, 10, exporter.read_log)
            assert "is written to disk again" in exporter.read_log()
            # The directory vanishes, and is made again.
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            os.rmdir(directory)
            eventually(lambda: any(name.startswith("rounds-") for name in listing(directory)), 15, exporter.read_log)
            assert exporter.stop()[0] == 0
    finally:
        subprocess.run(["umount", "-l", parent], check=True)


def listing(directory):
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
