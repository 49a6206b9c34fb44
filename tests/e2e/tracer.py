"""A running ecmp_trace, seen from outside: its arguments, its lines of JSON, its end."""
import collections
import json
import os
import signal
import subprocess
import threading
import time

from exporter import ROOT, eventually
from netns import inside

BINARY = os.environ.get("ECMP_TRACE") or os.path.join(ROOT, "build/dev/src/ecmp_trace")
SCENARIOS = os.path.join(ROOT, "tests/sim/scenarios")

FIRST_PORT = 50000
SPREAD = "--spread"  # no option of the program: its flows have the ports of their own

# Rounds as short as the lab allows.
FAST = ["-i", "10ms", "-d", "300ms", "-t", "200ms", "-m", "12"]

Done = collections.namedtuple("Done", "code out err seconds")
Done.lines = property(lambda self: [json.loads(line) for line in self.out.splitlines()])


def scenario(name):
    return os.path.join(SCENARIOS, name + ".toml")


def command(arguments, namespace=None, prefix=()):
    """Flows have the ports that the lab's expectations are about, unless the test says which ones they have."""
    if not any(str(argument).startswith(("-s", "--source-port", SPREAD)) for argument in arguments):
        arguments = ["-s", FIRST_PORT, *arguments]
    arguments = [argument for argument in arguments if argument != SPREAD]
    return [*(inside(namespace) if namespace else []), *prefix, BINARY, *map(str, arguments)]


def run(*arguments, namespace=None, prefix=(), seconds=60, **options):
    """Runs it to its end."""
    begin = time.monotonic()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    done = subprocess.run(command(arguments, namespace, prefix), text=True, timeout=seconds, **pipes)
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)


def simulated(name, *arguments, **options):
    """Runs it to its end in a scenario of tests/sim, or in one whose file is given."""
    return run("--simulate", name if os.path.exists(name) else scenario(name), *arguments, **options)


class Tracer:
    """Writes lines of JSON while it runs; a thread of ours reads them."""

    def __init__(self, *arguments, namespace=None):
        self.lines = []
        self.errors = []
        self.process = subprocess.Popen(command(["-J", *arguments], namespace), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.readers = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_errors)]
        for reader in self.readers:
            reader.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def _read_errors(self):
        self.errors += self.process.stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()

    def await_line(self, condition, seconds, what):
        """The first line from now on that meets a condition."""
        begin = len(self.lines)

        def found():
            return next((line for line in self.lines[begin:] if condition(line)), None)
        return eventually(found, seconds, lambda: f"{what}; the last lines: {self.lines[-3:]}; {''.join(self.errors)}")

    def await_rounds(self, rounds, seconds=20):
        """So many more lines of each flow that had any."""
        begin = len(self.lines)

        def enough():
            flows = collections.Counter(line["source_port"] for line in self.lines[begin:])
            return flows and set(flows) >= {line["source_port"] for line in self.lines} and min(flows.values()) >= rounds
        eventually(enough, seconds, lambda: f"{rounds} rounds of each flow: {''.join(self.errors)}")
        return self.lines[begin:]

    def end(self, number=signal.SIGINT, seconds=5):
        """Ends it; returns its exit code and how long it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        took = time.monotonic() - begin
        for reader in self.readers:
            reader.join()
        return code, took
