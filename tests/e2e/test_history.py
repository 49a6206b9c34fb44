"""What was measured survives: a restart, kill -9, damaged files, a disk that is full or gone."""
import collections
import datetime
import http.client
import json
import os
import random
import struct
import subprocess
import tempfile
import time

import pytest

from exporter import Exporter, eventually, now
from lab import Fan

# docs/testing.md tells how to run it longer and with more load.
KILLS = int(os.environ.get("ECMP_KILLS", "5"))
FLOWS = int(os.environ.get("ECMP_KILL_FLOWS", "8"))
INTERVAL = 0.4
# What may be missing: a second, and the length of a round (a timeout and the sweep), for its line tells when it began. A
# test run of a machine that does much else beside it is not the place to measure it.
MISSING = 1 + 0.2 + INTERVAL / 2 if KILLS > 5 else 5


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture()
def directory():
    with tempfile.TemporaryDirectory(prefix="ecmp-history-") as made:
        yield os.path.join(made, "history")


def text(fan, directory, more="", memory="64KiB"):
    return f"""
[probe]
interval = "400ms"
timeout = "200ms"
flows = {FLOWS}
[limits]
probes_per_second_per_responder = 100000
adapt_to_responders = false
[history]
memory = "{memory}"
directory = "{directory}"
{more}
[[destination]]
name = "lab"
host = "{fan.addresses["dst"][4]}"
source_port = 50000
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
    # All in memory: who follows is told a round before it is written, or there would be nothing to miss.
    begin = now()
    known = {}
    told = {}
    missing = []
    phase = random.Random(1)
    for kill in range(KILLS):
        with Exporter(text(fan, directory, memory="64MiB"), namespace=fan.network.ns("agent")) as exporter:
            here = read_back(exporter, begin)
            # Whatever was there stays what it was.
            assert all(told.get(which, line) == line for which, line in here.items())
            if kill > 0:
                lost = [line for which, line in told.items() if which not in here]
                missing.append(max((killed - moment(line) for line in lost), default=0))
                assert missing[-1] < MISSING, (kill, len(lost), missing)
            eventually(lambda: len(names(exporter.paths())) >= 3, 10, "paths")
            lines, killed = until_killed(exporter, phase.random())
            told = here | {key(line): line for line in lines}
            current = names(told.values())
            assert len(set(current.values())) == len(current), "two paths have one ordinal"
            for path, ordinal in known.items():
                assert current.get(path, ordinal) == ordinal
            known.update(current)
            assert " level=error " not in exporter.read_log(), exporter.read_log()
    with Exporter(text(fan, directory, memory="64MiB"), namespace=fan.network.ns("agent")) as exporter:
        flows = by_flow(exporter.paths(since=begin, destination="lab", flow=50003))
        assert set(flows) == {50003}
        damaged = exporter.metrics().families["ecmp_exporter_history_disk_damaged_total"][0][1]
        # That of its start: of a half written block at the end, if there is one.
        assert damaged <= 1
    print(f"{KILLS} kills, {len(told)} rounds, {len(known)} paths; missing at most {max(missing):.2f} s, "
          f"on average {sum(missing) / len(missing):.2f} s")


def until_killed(exporter, delay):
    """What somebody was told who followed until the process was killed, some rounds and so many seconds later. Following
    does not wait for the disk, as asking for what was does."""
    connection = exporter.connection()
    connection.request("GET", f"/paths?since={now()}&follow=true")
    lines, end, killed = [], None, None
    try:
        for line in connection.getresponse():
            lines.append(line)
            if end is None and len(lines) > 6 * FLOWS:
                end = time.monotonic() + delay
            if killed is None and end is not None and time.monotonic() > end:
                killed = time.time()
                exporter.process.kill()
    except (http.client.HTTPException, OSError):
        pass
    connection.close()
    exporter.process.wait()
    assert killed is not None, exporter.read_log()
    return [json.loads(line) for line in lines if line.endswith(b"}\n")], killed


def read_back(exporter, since):
    """{key: line} of /paths, in order and once each."""
    lines = exporter.paths(since=since)
    found = {key(line): line for line in lines}
    assert len(found) == len(lines)
    for flow in by_flow(lines).values():
        stamps = [line["timestamp"] for line in flow]
        assert stamps == sorted(stamps)
    return found


def test_paths_keep_their_ids_and_ordinals_over_a_restart(fan, directory):
    """The ordinals of a fan are given in the order in which its paths are found: made to differ, they stay."""
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        eventually(lambda: len(exporter.metrics().flow_paths("lab")) == FLOWS, 15, "paths of all flows")
        eventually(lambda: os.path.exists(os.path.join(directory, "path-names")), 15, "names on disk")
        before, ordinals = exporter.metrics().flow_paths("lab"), ordinals_of(exporter)
        assert exporter.stop()[0] == 0
    # The flow that comes first now is not the one that came first then: its path would get ordinal 1 anew.
    first = 50000 + max(range(FLOWS), key=lambda i: ordinals[before[50000 + i]])
    assert ordinals[before[first]] > 1
    text_of_one = text(fan, directory).replace(f"flows = {FLOWS}", "flows = 1").replace("50000", str(first))
    with Exporter(text_of_one, namespace=fan.network.ns("agent")) as exporter:
        eventually(lambda: exporter.metrics().flow_paths("lab") == {first: before[first]}, 15, "the path of one flow")
        assert ordinals_of(exporter) == {before[first]: ordinals[before[first]]}
        exporter.process.kill()
        exporter.process.wait()
    with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
        eventually(lambda: exporter.metrics().flow_paths("lab") == before, 15, "the paths as they were")
        assert ordinals_of(exporter) == ordinals
    # Without a directory the ids are the same: they are made of the responders. Ordinals are not.
    nowhere = text_of_one.replace(f'directory = "{directory}"', "")
    with Exporter(nowhere, namespace=fan.network.ns("agent")) as exporter:
        eventually(lambda: exporter.metrics().flow_paths("lab") == {first: before[first]}, 15, "the path of one flow")
        assert ordinals_of(exporter) == {before[first]: 1}


PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def varint(stream, at):
    """A number of Protocol Buffers, and what stands behind it."""
    value = shift = 0
    while True:
        value |= (stream[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if not stream[at - 1] & 0x80:
            return value, at


def fields(message):
    """{field: values}: numbers, and bytes of what has a length."""
    found, at = collections.defaultdict(list), 0
    while at < len(message):
        key, at = varint(message, at)
        field, kind = divmod(key, 8)
        value, end = varint(message, at) if kind in (0, 2) else (None, at + 8)
        if kind == 2:
            at, end = end, end + value
        found[field].append(value if kind == 0 else message[at:end])
        at = end
    return found


def scrape(exporter):
    """{(family, labels): (value or count, when it began)} of all that is counted."""
    stream = exporter.request("GET", "/metrics", {"Accept": PROTOBUF}).body
    found, at = {}, 0
    while at < len(stream):
        size, at = varint(stream, at)
        family = fields(stream[at:at + size])
        at += size
        for metric in map(fields, family[4]):
            labels = tuple(tuple(fields(pair)[i][0].decode() for i in (1, 2)) for pair in metric[1])
            for kind, begin in ((3, 3), (4, 4), (7, 15)):  # counter, summary, histogram
                for counted in map(fields, metric[kind]):
                    (stamp,) = map(fields, counted[begin])  # each has one
                    value = struct.unpack("<d", counted[1][0])[0] if kind == 3 else counted[1][0]
                    found[family[1][0].decode(), labels] = value, stamp[1][0] + stamp[2][0] / 1e9
    return found


def test_counters_begin_anew_with_a_later_start(fan, directory):
    """And no start moves while the process lives; what a reload adds begins then."""
    def begins(exporter, family):
        return {labels: begin for (name, labels), (_, begin) in scrape(exporter).items() if name == family}

    runs = []
    for run in range(2):
        with Exporter(text(fan, directory), namespace=fan.network.ns("agent")) as exporter:
            eventually(lambda: len(exporter.metrics().flow_paths("lab")) == FLOWS, 15, "paths of all flows")
            first = scrape(exporter)
            started = exporter.metrics().families["process_start_time_seconds"][0][1]
            (own,) = {begin for (name, _), (_, begin) in first.items() if name.startswith(("ecmp_exporter", "process"))}
            assert own == pytest.approx(started, abs=0.001)
            assert all(started - 0.001 <= begin <= time.time() for _, begin in first.values())
            # What is counted of a path is younger than what is of the destination.
            added = max(begins(exporter, "ecmp_flow_probes_total").values())
            assert added < min(begins(exporter, "ecmp_path_probes_total").values())
            with open(exporter.config_path, "a") as file:
                file.write('\n[[destination]]\nname = "more"\nhost = "127.0.0.1"\nflows = 1\nsource_port = 40000\n')
            reloaded = time.time()
            assert exporter.request("POST", "/-/reload").status == 200
            of_more = ("ecmp_flow_probes_total", (("destination", "more"), ("flow", "40000")))
            again = eventually(lambda: (now := scrape(exporter)).get(of_more, (0, 0))[0] and now, 15, "a round of it")
            # The loop looks at the clock once each turn, which may be a while before it takes up the reload.
            assert max(begin for _, begin in first.values()) < again[of_more][1] <= time.time()
            assert reloaded - 1 <= again[of_more][1]
            assert {series: begin for series, (_, begin) in again.items() if series in first} \
                == {series: begin for series, (_, begin) in first.items()}
            runs.append(again)
            assert exporter.stop()[0] == 0
    before, after = runs
    # The restart keeps the ids of the paths: so these are the same series.
    both = [series for series in before if series in after]
    assert len([series for series in both if series[0] == "ecmp_path_probes_total"]) >= 3
    assert all(after[series][1] > before[series][1] for series in both)


def ordinals_of(exporter):
    """{path id: ordinal}, as scraped."""
    metrics = exporter.metrics()
    ordinals = metrics.values("ecmp_flow_path_ordinal", "flow")
    return {path: int(ordinals[str(flow)]) for flow, path in metrics.flow_paths("lab").items()}


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
