"""A terminal that tests can type into and look at: tmux, on a server of its own."""
import itertools
import os
import re
import shlex
import subprocess

from exporter import eventually

_numbers = itertools.count()


def soon(condition, seconds=10, what="what the screen was to show"):
    """Waits until condition() is true of a terminal."""
    return eventually(condition, seconds, what)


class Terminal:
    """A pane with a shell in it. The server ends with the block."""

    def __init__(self, columns=80, rows=24, **environment):
        self.server = f"ecmp-tui-{os.getpid()}-{next(_numbers)}"
        # What the tests run in must not show: only these decide about charset and colours.
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        self.environment = {"LANG": "C.UTF-8", "TERM": "tmux-256color", "PS1": "ready> ", **kept, **environment}
        self.size = (columns, rows)

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        shell = ["env", "-i", *(f"{name}={value}" for name, value in self.environment.items() if value is not None),
                 "bash", "--norc", "--noprofile"]
        # -u: tmux itself speaks UTF-8, whatever the program is told.
        self.tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", str(self.size[0]), "-y", str(self.size[1]), shlex.join(shell))
        self.until(lambda text: "ready>" in text)

    def __exit__(self, *_):
        subprocess.run(["tmux", "-L", self.server, "kill-server"], capture_output=True, check=False)

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-L", self.server, *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def press(self, *keys):
        """Keys as tmux calls them: Up, Tab, BTab, PPage, Enter, Escape, BSpace, C-l."""
        self.tmux("send-keys", *keys)

    def run(self, *command):
        self.type(shlex.join(map(str, command)))
        self.press("Enter")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def text(self):
        return self.tmux("capture-pane", "-p")

    def lines(self):
        return self.text().splitlines()

    def painted(self):
        """With the styles of the cells as sequences."""
        return self.tmux("capture-pane", "-p", "-e", "-N")

    def state(self, name):
        """alternate_on, cursor_flag, wrap_flag, pane_tty: what tmux knows of the terminal."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def until(self, seen, seconds=15):
        """Until seen(text) is true of the screen; returns the screen's text."""
        last = [""]

        def look():
            last[0] = self.text()
            return seen(last[0])
        soon(look, seconds, lambda: f"the screen stayed so:\n{last[0]}")
        return last[0]

    def has(self, pattern, seconds=15):
        return self.until(lambda text: re.search(pattern, text, re.MULTILINE), seconds)
