"""The live view of ecmp_trace as a person has it: in a terminal (tmux), key by key."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from tmux import Terminal, soon
from tracer import BINARY, run, scenario

pytestmark = [pytest.mark.anywhere,
              pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")]

SIZES = [(80, 24), (200, 50)]
TRACE = ("--simulate", scenario("backbone"), "-P", "12", "-s", "50000", "-d", "250ms", "-i", "5ms", "-t", "200ms")


class View(Terminal):
    """A terminal with the live view in it."""

    def __init__(self, columns=80, rows=24, arguments=(), **environment):
        super().__init__(columns, rows, **environment)
        self.arguments = arguments

    def begin(self):
        super().begin()
        self.run(BINARY, *TRACE, *self.arguments)
        # Hops, names and paths are there.
        self.has(r"^ ?\s*1 .*(gw|10\.1\.0\.1)")
        self.has(r" 12 flows  [2-4] paths")

    def chosen(self):
        found = re.search(r"^▶(\d+)", self.text(), re.MULTILINE)
        return int(found.group(1)) if found else None

    def flow(self):
        found = re.search(r"^Flow (\d+)", self.text(), re.MULTILINE)
        return int(found.group(1)) if found else None

    def ports(self):
        return [int(port) for port in re.findall(r"^[▶ ](5\d{4}) ", self.text(), re.MULTILINE)]

    def rounds(self):
        return int(re.search(r"(\d+) rounds?", self.text()).group(1))

    def marked(self):
        """The lines that are painted in reverse, without their sequences."""
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in self.painted().splitlines()
                if re.search(r"\x1b\[[0-9;]*\b7m", line)]

    def view(self):
        text = self.text()
        if re.search(r"^Keys", text, re.MULTILINE):
            return "help"
        if re.search(r"^search:", text, re.MULTILINE):
            return "search"
        heads = " ".join(self.marked())
        return "fan" if "Fan" in heads else "hops" if "TTL" in heads else "flows" if "Port" in heads else ""

    def in_view(self, name):
        soon(lambda: self.view() == name, 10)

    def pid(self):
        return int(subprocess.run(["pgrep", "-P", self.state("pane_pid"), "-x", "ecmp_trace"], capture_output=True, text=True,
                                  check=True).stdout)


# --- the help is true -----------------------------------------------------------------------------------------------


def chosen_becomes(view, port):
    soon(lambda: view.chosen() == port, 10)


def moves(view, before, key, after):
    """From one chosen flow to another. Named keys bring the view to where they can do something."""
    view.press("1", *before)
    view.press(key)
    chosen_becomes(view, after)


def up(view, key):
    moves(view, ["g", "j", "j"], key, 50001)


def down(view, key):
    moves(view, ["g", "j"], key, 50002)


def page_up(view, key):
    view.press("1", "G")
    chosen_becomes(view, 50011)
    view.press(key)
    soon(lambda: view.chosen() is not None and view.chosen() <= 50003, 10)


def page_down(view, key):
    view.press("1", "g")
    chosen_becomes(view, 50000)
    view.press(key)
    soon(lambda: view.chosen() is not None and view.chosen() >= 50008, 10)


def first(view, key):
    moves(view, ["G"], key, 50000)


def last(view, key):
    moves(view, ["g"], key, 50011)


def view_before(view, key):
    view.press("1")
    for expected in ("fan", "hops", "flows"):
        view.press(key)
        view.in_view(expected)


def next_view(view, key):
    view.press("1")
    for expected in ("hops", "fan", "flows"):
        view.press(key)
        view.in_view(expected)


def flows(view, key):
    view.press("3", key)
    view.in_view("flows")


def hops(view, key):
    view.press("1", key)
    view.in_view("hops")


def fan(view, key):
    view.press("1", key)
    view.in_view("fan")


def open_chosen(view, key):
    view.press("1", "g", "j", key)
    view.in_view("hops")
    soon(lambda: view.flow() == 50001, 10)
    # A branch of the fan: its first flow.
    view.press("3", "G", key)
    view.in_view("hops")


def back(view, key):
    view.press("1", "?")
    view.in_view("help")
    view.press(key)
    view.in_view("flows")
    view.press("/")
    view.type("50004")
    view.press("Enter")
    soon(lambda: view.ports() == [50004], 10)
    view.press(key)
    soon(lambda: len(view.ports()) > 1, 10)
    view.press("2")
    view.in_view("hops")
    view.press(key)
    view.in_view("flows")


def flow_before(view, key):
    view.press("1", "g", "j", "j")
    chosen_becomes(view, 50002)
    view.press("2", key)
    soon(lambda: view.flow() == 50001, 10)


def flow_after(view, key):
    view.press("1", "g")
    chosen_becomes(view, 50000)
    view.press("2", key)
    soon(lambda: view.flow() == 50001, 10)


def sort(view, key):
    view.press("1")
    for column in ("Path", "Hops", "Loss%", "Last", "Avg", "Best", "Worst", "Jit", "Port"):
        view.press(key)
        view.has(f"[▲▼]{column}")


def turn_round(view, key):
    view.press("1", "g")
    view.has("▲Port")
    view.press(key)
    view.has("▼Port")
    assert view.ports() == sorted(view.ports(), reverse=True)
    view.press(key)
    view.has("▲Port")
    assert view.ports() == sorted(view.ports())


def search(view, key):
    for wanted in ("50007", "1", "fra3", "10.1.0.5"):
        view.press("1", key)
        view.in_view("search")
        view.type(wanted)
        view.press("Enter")
        view.has(f'only "{wanted}": \\d+ flow')
        assert 1 <= len(view.ports()) < 10
        view.press("Escape")
        soon(lambda: len(view.ports()) >= 10, 10)


def names(view, key):
    view.press("1")
    view.has("gw")
    view.press(key)
    view.until(lambda text: "gw" not in text and "10.1.0.1" in text)
    view.press(key)
    view.has("gw")


def labels(view, key):
    view.press("1")
    view.has("MPLS 16")
    view.press(key)
    view.until(lambda text: "MPLS" not in text)
    view.press(key)
    view.has("MPLS 16")


def pause(view, key):
    view.press("1", key)
    view.has("PAUSED")

    def body():
        return view.lines()[2:]
    held = body()
    for _ in range(2):  # the clock and the rounds go on
        clock = view.lines()[1]
        view.until(lambda text: text.splitlines()[1] != clock)
    assert body() == held
    view.press(key)
    view.until(lambda text: "PAUSED" not in text and text.splitlines()[2:] != held)


def reset(view, key):
    soon(lambda: view.rounds() >= 8, 20)
    view.press(key)
    soon(lambda: view.rounds() < 8, 5)


def redraw(view, key):
    with open(view.state("pane_tty"), "w", encoding="ascii") as tty:
        tty.write("\x1b[5;1HGARBAGE")
    view.has("GARBAGE")
    view.press(key)
    view.until(lambda text: "GARBAGE" not in text)


def suspend(view, key):
    view.press(key)
    view.has("Stopped")
    assert view.state("alternate_on") == "0"
    assert view.state("cursor_flag") == "1"
    view.run("stty", "-a")
    view.has(r"\bicanon\b")
    view.run("fg")
    view.has("Port")
    view.press("1", "j", "g")
    chosen_becomes(view, 50000)


def help_overlay(view, key):
    view.press("1", key)
    view.in_view("help")
    view.press(key)
    view.in_view("flows")


def quit_program(view, key):
    view.press(key)
    view.has("ready>$")
    assert view.state("alternate_on") == "0"


# By what the help says. A line of the help without a test fails, and so does a test without its line.
SAYS = {
    "one row up": up,
    "one row down": down,
    "a page up": page_up,
    "a page down": page_down,
    "to the first row": first,
    "to the last row": last,
    "the view before": view_before,
    "the next view: flows, hops, fan": next_view,
    "the flows": flows,
    "the hops of the chosen flow": hops,
    "the fan of all flows as a tree": fan,
    "open the hops of the chosen flow or branch": open_chosen,
    "back: close the help, end the search, to the flows": back,
    "the flow before, in every view": flow_before,
    "the next flow, in every view": flow_after,
    "sort the flows by the next column": sort,
    "turn the order round": turn_round,
    "show only flows with this port, path, address or name": search,
    "names on or off": names,
    "MPLS labels on or off": labels,
    "hold the picture; measuring goes on. Replay: play, stop": pause,
    "count anew from now": reset,
    "draw the screen anew": redraw,
    "suspend; fg in the shell continues": suspend,
    "this help on or off": help_overlay,
    "quit": quit_program,
}
# As tmux calls them.
KEYS = {"PgUp": "PPage", "PgDn": "NPage", "Shift-Tab": "BTab", "Esc": "Escape", "Backspace": "BSpace", "Space": "Space",
        "Ctrl-B": "C-b", "Ctrl-F": "C-f", "Ctrl-L": "C-l", "Ctrl-Z": "C-z"}


def told_by_help(view):
    """[(keys, what they do)], read from the screen."""
    found = []
    view.press("?")
    view.in_view("help")
    for page in ("g", "G"):
        view.press(page)
        view.has("more below" if page == "g" and view.size[1] < 30 else "this help on or off")
        for line in view.lines():
            match = re.match(r"(\S.*?)  +(\S.*)$", line)
            if match and match.group(2) in SAYS and (match.group(1), match.group(2)) not in found:
                found.append((match.group(1), match.group(2)))
    view.press("?")
    view.in_view("flows")
    return found


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_key_does_what_the_help_says(size):
    with View(*size) as view:
        told = told_by_help(view)
        assert {does for _, does in told} == set(SAYS)
        for keys, does in told:
            for key in keys.split(", "):
                if SAYS[does] is not quit_program:
                    try:
                        SAYS[does](view, KEYS.get(key, key))
                    except AssertionError as error:
                        raise AssertionError(f"{key}, {does}: {error}\n{view.text()}") from error
        quit_program(view, "q")


# --- the terminal is left as it was -----------------------------------------------------------------------------------


def ends(view, end, code):
    """The view in a shell that writes down how the terminal is before and after it."""
    directory = view.environment["TMPDIR"]
    before, after, status = (os.path.join(directory, name) for name in ("before", "after", "status"))
    command = " ".join([BINARY, *TRACE])
    view.type(f"ulimit -c 0; stty -a > {before}; {command}; echo $? > {status}; stty -a > {after}")
    view.press("Enter")
    view.has(" [2-4] paths")
    assert view.state("alternate_on") == "1"
    assert view.state("cursor_flag") == "0"
    end(view)
    view.has("ready>$")
    soon(lambda: os.path.exists(after) and os.path.getsize(after) > 0, 10)
    with open(before, encoding="ascii") as first_state, open(after, encoding="ascii") as last_state:
        assert first_state.read() == last_state.read()
    with open(status, encoding="ascii") as told:
        assert int(told.read()) == code
    assert (view.state("alternate_on"), view.state("cursor_flag"), view.state("wrap_flag")) == ("0", "1", "1")
    return view.text()


def killed_by(number):
    def end(view):
        pids = subprocess.run(["pgrep", "-P", view.state("pane_pid"), "-x", "ecmp_trace"], capture_output=True, text=True,
                              check=True).stdout.split()
        os.kill(int(pids[0]), number)
    return end


@pytest.mark.parametrize("name,end,code", [
    ("q", lambda view: view.press("q"), 0), ("ctrl-c", lambda view: view.press("C-c"), 0),
    ("SIGTERM", killed_by(signal.SIGTERM), 0), ("SIGHUP", killed_by(signal.SIGHUP), 0),
    ("SIGQUIT", killed_by(signal.SIGQUIT), 128 + signal.SIGQUIT),
    ("SIGSEGV", killed_by(signal.SIGSEGV), 128 + signal.SIGSEGV),
    ("SIGABRT", killed_by(signal.SIGABRT), 128 + signal.SIGABRT)], ids=lambda value: value if isinstance(value, str) else "")
def test_the_terminal_is_left_as_it_was(name, end, code, tmp_path):
    with Terminal(TMPDIR=str(tmp_path)) as view:
        text = ends(view, end, code)
        if code == 0:
            assert re.search(r"50000|paths?", text), f"{name}: no summary at the end:\n{text}"


def test_an_end_by_itself_leaves_the_summary_on_the_screen():
    with Terminal() as terminal:
        terminal.run(BINARY, *TRACE, "-c", "3")
        terminal.has(" [2-4] paths")
        terminal.has("ready>$")
        assert terminal.state("alternate_on") == "0"


# --- sizes, colours, charsets -----------------------------------------------------------------------------------------


def test_the_view_follows_the_size_of_the_terminal():
    with View() as view:
        for columns, rows in [(20, 10), (300, 60), (1, 1), (2, 40), (120, 3), (80, 24)]:
            view.resize(columns, rows)
            soon(lambda c=columns, r=rows: len(view.lines()) <= r and all(len(line) <= c for line in view.lines()), 10)
            if columns >= 20 and rows >= 10:
                view.has("^▶5")
                view.has("q quit")
        view.press("q")
        view.has("ready>$")


def colours(painted):
    """Which sorts of foreground colours there are: "38;2" (RGB), "38;5" (of 256), "16"."""
    found = set()
    for sequence in re.findall(r"\x1b\[([0-9;]*)m", painted):
        numbers = sequence.split(";")
        if "38" in numbers:
            found.add("38;" + numbers[numbers.index("38") + 1])
        elif any(re.fullmatch("3[0-7]|9[0-7]", number) for number in numbers):
            found.add("16")
    return found


@pytest.mark.parametrize("environment,expected", [
    ({"COLORTERM": "truecolor"}, "38;2"), ({"COLORTERM": None}, "38;5"), ({"TERM": "linux"}, "16"), ({"NO_COLOR": "1"}, None)],
    ids=["truecolor", "256", "16", "NO_COLOR"])
def test_colours_are_as_many_as_the_environment_says(environment, expected):
    with View(**environment) as view:
        found = colours(view.painted())
        assert found == ({expected} if expected else set())


def test_a_lossy_path_is_told_without_colours_too():
    with View(NO_COLOR="1") as view:
        view.press("s", "s", "s")
        view.has("▼Loss%")
        soon(lambda: re.search(r"^▶?\s?5\d{4} .* 1\d\.\d ", view.text(), re.MULTILINE), 30)


@pytest.mark.parametrize("environment", [{"LANG": "C"}, {"LC_ALL": "C"}], ids=["LANG", "LC_ALL"])
def test_a_terminal_without_utf8_is_drawn_on_with_ascii(environment):
    with View(120, 40, **environment) as view:
        for key in "123?":
            view.press(key)
            view.has({"1": r"^>5", "2": r"^TTL", "3": r"\|--o", "?": "^Keys"}[key])
            assert view.text().isascii()


def test_a_terminal_that_was_stopped_holds_up_no_probe(tmp_path):
    lines = tmp_path / "lines.json"
    with View(arguments=("-j", str(lines))) as view:
        view.press("C-s")

        def count():
            return len(lines.read_text(encoding="utf-8").splitlines())
        before = count()
        soon(lambda: count() > before + 12 * 20, 30)
        view.press("C-q")
        view.press("q")
        view.has("ready>$")
    numbers = {}
    for line in lines.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        numbers.setdefault(told["probe_id"], []).append(told["probe_num"])
    # No round of any flow is missing.
    assert all(told == list(range(len(told))) for told in numbers.values())


# --- where there is no terminal ---------------------------------------------------------------------------------------


def test_without_a_terminal_it_says_what_to_do_instead():
    done = run(*TRACE)
    assert done.code == 1
    assert re.fullmatch(r"Error: .*not a terminal.*--json.*\n", done.err)
    assert done.out == ""


def test_a_terminal_that_can_show_nothing_is_told_so():
    with Terminal(TERM="dumb") as terminal:
        terminal.run(BINARY, *TRACE)
        terminal.has("cannot show the live view")
        terminal.has("ready>$")
