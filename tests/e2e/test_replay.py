"""ecmp_trace --replay: recorded rounds in the views of the terminal, from lines of JSON and from an exporter's history."""
import datetime
import json
import os
import re
import shutil
import tempfile

import pytest

from exporter import Exporter, config, eventually, now
from lab import DESTINATION, Fan
from test_terminal import View
from tmux import Terminal, soon
from tracer import BINARY, run, scenario

ROUNDS = 120


def seconds(text):
    return datetime.datetime.fromisoformat(text[:19]).replace(tzinfo=datetime.timezone.utc).timestamp()


def over(line):
    """When a round was over, as far as its line says: its last answer came then."""
    return max([seconds(line["timestamp"]), *(seconds(hop["recv_time"]) for hop in line["hops"] if hop["recv_time"])])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The first two minutes of a scenario in which a link goes down and comes back, in a file."""
    path = tmp_path_factory.mktemp("recorded") / "rounds.json"
    done = run("--simulate", scenario("backbone"), "-P", "12", "-d", "1s", "-i", "5ms", "-t", "200ms", "-c", ROUNDS, "-j", path, "--report")
    assert done.code == 0, done.err
    return path, done.out


@pytest.mark.anywhere
def test_a_replay_of_lines_prints_what_the_live_trace_printed(recorded):
    path, live = recorded
    assert run("--replay", path, "--report", "--spread").out == live
    # Without a change of paths: where rounds in between belong is judged with what was known then.
    quiet = ("--simulate", scenario("branch_loss_10"), "-P", "12", "-d", "1s", "-i", "5ms", "-t", "200ms", "-c", "60")
    lines = path.parent / "quiet.json"
    assert run(*quiet, "-j", lines, "--report").code == 0
    assert run("--replay", lines, "--diagram", "utf8", "--spread").out == run(*quiet, "--diagram", "utf8").out


@pytest.mark.anywhere
def test_names_in_a_recording_do_not_reach_the_terminal_as_commands(recorded, tmp_path):
    hostile = "a\x1b]0;b\x07\u202ec"
    path = tmp_path / "hostile"
    with open(path, "w", encoding="utf-8") as file:
        for text in recorded[0].read_text().splitlines():
            line = json.loads(text)
            line["destination"] = line["destination_ptr"] = hostile
            for hop in line["hops"]:
                hop.update(ptr=hostile, city=hostile, country=hostile, asn=hostile)
            file.write(json.dumps(line) + "\n")
    for form in (("--report",), ("--diagram", "ascii"), ("--diagram", "utf8"), ("--find", "loss")):
        done = run("--replay", path, "--spread", *form)
        assert done.code == 0 and "]0;b" in done.out or form[0] == "--find", (form, done)
        assert not set("\x1b\x07\u202e") & set(done.out + done.err), form


@pytest.mark.anywhere
def test_what_cannot_be_shown_is_said_in_one_line(recorded, tmp_path):
    path, _ = recorded
    text = path.read_bytes()
    (tmp_path / "cut").write_bytes(text[:len(text) // 2])
    (tmp_path / "bytes").write_bytes(os.urandom(100000))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "history").mkdir()
    done = run("--replay", tmp_path / "cut", "--report", "--spread")
    assert done.code == 0 and " 12 flows, " in done.out
    assert re.fullmatch(r"ecmp_trace: 1 line is left out, the first is .*/cut:\d+: the file ends within it\n", done.err)
    for name in ("bytes", "empty", "history", "nothing"):
        done = run("--replay", tmp_path / name, "--report", "--spread")
        assert (done.code, done.out) == (1, ""), name
        assert re.fullmatch(r"Error: .*\n", done.err), (name, done.err)
    for option in (("-c", "5"), ("-U",), ("--simulate", scenario("backbone"))):
        done = run("--replay", path, *option, "--spread")
        assert done.code == 1 and re.fullmatch(r"Error: --replay probes nothing.*\n", done.err), done.err


class ReplayView(View):
    """A terminal with a replay in it."""

    def __init__(self, path):
        super().__init__(160, 50)
        self.path = path

    def begin(self):
        Terminal.begin(self)
        self.run(BINARY, "--replay", self.path)
        self.has(rf" 12 flows  [2-4] paths  {ROUNDS} rounds")

    def moment(self):
        found = re.search(r"(\d+-\d+-\d+ \d+:\d+:\d+) UTC", self.text())
        return found and seconds(found.group(1).replace(" ", "T"))

    def speed(self):
        found = re.search(r" UTC >(\d+)x", self.text())
        return int(found.group(1)) if found else 0

    def from_to(self, keys, begin, right):
        """From such a moment keys lead to one of which right() is true."""
        self.press(*("{" if begin == self.first else "}",))
        soon(lambda: self.moment() == begin and not self.speed(), 20, lambda: f"{keys}: no beginning\n{self.text()}")
        self.press(*keys)
        soon(lambda: self.moment() is not None and right(self.moment()), 20, lambda: f"{keys}: {self.text()}")

    def plays(self, keys, speed):
        self.press(*keys)
        soon(lambda: self.speed() == speed, 20, lambda: f"{keys}: {self.text()}")


@pytest.mark.anywhere
@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_every_key_goes_through_the_time_of_a_replay(recorded):
    path, _ = recorded
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changes = sorted({over(line) for line in lines if line["changed"]})
    assert changes
    with ReplayView(path) as view:
        view.first, view.last = min(over(line) for line in lines), max(over(line) for line in lines)
        far = (view.last - view.first) / 20
        view.from_to(",", view.last, lambda at: view.last - 2 <= at < view.last)
        view.from_to(".", view.first, lambda at: view.first < at <= view.first + 2)
        view.from_to("<", view.last, lambda at: abs(view.last - far - at) <= 1)
        view.from_to(">", view.first, lambda at: abs(view.first + far - at) <= 1)
        view.from_to("(", view.last, lambda at: at == changes[-1])
        view.from_to(")", view.first, lambda at: at == changes[0])
        view.from_to("}", view.first, lambda at: at == view.last)
        view.from_to("{", view.last, lambda at: at == view.first)
        view.has(r" 1 round ")
        view.press("?")
        view.in_view("help")
        told = {match.group(1) for match in (re.match(r"(\S)  +replay: ", line) for line in view.lines()) if match}
        assert told == set(",.<>(){}+-")
        view.press("?")
        # Slow at first: it is not to come to its end meanwhile.
        view.plays("---p", 1)
        view.plays("+", 2)
        view.plays("-", 1)
        view.plays("++++++++", 256)
        soon(lambda: view.moment() == view.last and not view.speed(), 20, "the end")
        view.press("q")
        view.has("ready>$")
        view.has(rf" 12 flows, {ROUNDS} rounds")


def test_the_history_of_an_exporter_is_replayed_while_it_runs_and_afterwards():
    with Fan(width=4) as fan, tempfile.TemporaryDirectory(prefix="ecmp-replay-") as made:
        directory = os.path.join(made, "history")
        begin = now()
        destinations = [{"name": "four", "host": DESTINATION[4], "flows": 8}, {"name": "six", "host": DESTINATION[6], "flows": 4}]
        with Exporter(config(destinations) + f'\n[history]\ndirectory = "{directory}"\n', fan.network.ns("agent")) as exporter:
            eventually(lambda: min((line["probe_num"] for line in exporter.paths()), default=0) >= 6, 60, "six rounds")
            done = run("--replay", directory, "four", "--report", "--spread")
            assert done.code == 0 and " 8 flows, " in done.out and not done.err, done
            lines = exporter.paths(since=begin, destination="four")
            exporter.stop(seconds=30)  # which writes what there still is
        assert "has 2 destinations, say which one: four, six" in run("--replay", directory, "--report", "--spread").err
        written = run("--replay", directory, "four", "-J", "--spread").lines
        kept = {(line["source_port"], line["probe_num"]): line for line in written}
        names = {"ptr", "destination_ptr"}  # the reader asks nobody
        for line in lines:
            same = kept[line["source_port"], line["probe_num"]]
            assert {key: same[key] for key in same if key not in {"hops"} | names} == \
                {key: line[key] for key in line if key not in {"hops"} | names}
            assert [{key: hop[key] for key in hop if key not in names} for hop in same["hops"]] == \
                [{key: hop[key] for key in hop if key not in names} for hop in line["hops"]]
        path = os.path.join(made, "lines")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(json.dumps(line) + "\n" for line in written)
        for output in (["--report"], ["--diagram", "ascii"]):
            of_lines, of_history = (run("--replay", source, "four", *output, "--spread").out for source in (path, directory))
            assert of_lines.splitlines()[1:] == of_history.splitlines()[1:] and len(of_lines) > 200
