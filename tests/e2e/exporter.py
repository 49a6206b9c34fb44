"""A running ecmp_exporter, seen from outside: its files, its process, what it serves."""
import collections
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
import urllib.parse

from netns import NETNS_DIRECTORY, entered, inside

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("ECMP_EXPORTER") or os.path.join(ROOT, "build/dev/src/ecmp_exporter")

Answer = collections.namedtuple("Answer", "status headers body")
Answer.text = property(lambda self: self.body.decode())

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def eventually(condition, seconds, what):
    """The first true value of condition(), asked again and again until it is there or the deadline is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def full_pipe():
    """A pipe that has room for nothing more, as one whose reader has stalled."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    return reader, writer


def parse_metrics(text):
    """{family: [(labels, value)]} of the Prometheus text format."""
    families = collections.defaultdict(list)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            families[match.group(1)].append((dict(LABEL.findall(match.group(2) or "")), float(match.group(3))))
    return families


class Metrics:
    def __init__(self, text):
        self.text = text
        self.families = parse_metrics(text)

    def values(self, name, by, **labels):
        """{value of label `by`: sample}, of the samples that carry these labels."""
        found = {}
        for have, value in self.families.get(name, []):
            if all(have.get(key) == str(wanted) for key, wanted in labels.items()):
                key = tuple(have.get(b) for b in by) if isinstance(by, tuple) else have.get(by)
                found[key] = found.get(key, 0) + value
        return found

    def total(self, name, **labels):
        return sum(self.values(name, "destination", **labels).values())

    def paths(self, destination):
        """{path id: (address of TTL 1, ...)} as ecmp_path_hop_info tells them, of the paths that flows are on."""
        used = {path for path, flows in self.values("ecmp_path_flows", "path", destination=destination).items() if flows}
        hops = collections.defaultdict(dict)
        for have, _ in self.families.get("ecmp_path_hop_info", []):
            if have["destination"] == destination and have["path"] in used:
                hops[have["path"]][int(have["ttl"])] = have["hop"]
        return {path: tuple(at.get(ttl) for ttl in range(1, max(at) + 1)) for path, at in hops.items()}

    def flow_paths(self, destination):
        """{source port: path id}"""
        return {int(have["flow"]): have["path"] for have, _ in self.families.get("ecmp_flow_path_info", [])
                if have["destination"] == destination}


class Exporter:
    """Runs the program on a configuration, in a namespace or (None) in the caller's, at a free port of 127.0.0.1."""

    def __init__(self, config, namespace=None, command_prefix=(), arguments=(), port=None, ready_seconds=10,
                 binary=BINARY, stderr=None, environment=None):
        self.namespace = namespace
        self.directory = tempfile.TemporaryDirectory(prefix="ecmp-e2e-")
        os.chmod(self.directory.name, 0o755)  # also for an exporter that is another user
        self.config_path = os.path.join(self.directory.name, "exporter.toml")
        with open(self.config_path, "w") as file:
            file.write(config)
        self.port = port or free_port(namespace)
        self.log = open(os.path.join(self.directory.name, "log"), "w+")
        self.process = subprocess.Popen(
            [*(inside(namespace) if namespace else []), *command_prefix, str(binary), f"--config.file={self.config_path}",
             f"--web.listen-address=127.0.0.1:{self.port}", *strict(arguments)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT if stderr is None else stderr,
            env={**os.environ, **(environment or {})})
        try:
            if ready_seconds:
                eventually(self._ready, ready_seconds, lambda: "ready; its log:\n" + self.read_log())
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ready(self):
        assert self.process.poll() is None, f"the exporter ended with {self.process.returncode}:\n{self.read_log()}"
        try:
            return self.get("/-/ready").status == 200
        except OSError:
            return False

    def read_log(self):
        with open(self.log.name) as file:
            return file.read()

    def connection(self, seconds=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        if self.namespace:
            with entered(self.namespace):
                connection.connect()
        else:
            connection.connect()
        return connection

    def request(self, method, path, headers=None):
        connection = self.connection()
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def metrics(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return Metrics(answer.text)

    def paths(self, **filters):
        answer = self.get("/paths" + ("?" + urllib.parse.urlencode(filters) if filters else ""))
        assert answer.status == 200, answer
        return [json.loads(line) for line in answer.text.splitlines()]

    def rounds(self, destination, since, started_after=True):
        """All rounds of a destination that began after a moment, by flow, in their order."""
        flows = collections.defaultdict(list)
        for line in self.paths(destination=destination, since=since):
            flows[line["source_port"]].append(line)
        return flows

    def stop(self, number=signal.SIGTERM, seconds=5):
        """Ends it; returns its exit code and how long it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        return code, time.monotonic() - begin

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        self.directory.cleanup()


def strict(arguments):
    """Stricter than by default: a system call that the filter's list lacks is to fail the test, not to go unnoticed."""
    return [*([] if any(a.startswith("--sandbox=") for a in arguments) else ["--sandbox=kill"]), *arguments]


# Below the ports that sockets get by themselves (net.ipv4.ip_local_port_range begins at 32768), and a new one each time:
# what is free now is then free still when the program that it is for listens on it.
LISTENING_PORTS = itertools.cycle(random.sample(range(20000, 32000), 12000))


def free_port(namespace=None):
    import socket
    def ask():
        for port in LISTENING_PORTS:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    if namespace and os.path.exists(os.path.join(NETNS_DIRECTORY, namespace)):
        with entered(namespace):
            return ask()
    return ask()


def now():
    """The present moment as /paths?since= wants it."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


def config(destinations, probe=None, limits=None):
    """A configuration with short intervals. `destinations`: [{key: value}]."""
    def toml(value):  # strings and numbers are written as in JSON
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
        return json.dumps(value)

    def table(values):
        return "".join(f"{key} = {toml(value)}\n" for key, value in values.items())

    fast = {"interval": "500ms", "timeout": "300ms", "max_ttl": 12, **(probe or {})}
    # What the lab's hash makes of these ports is known; tests of spread ports say source_ports.
    if "source_ports" not in fast:
        fast.setdefault("source_port", 50000)
    # The lab's first router answers all flows of all destinations within half a second.
    # And its hosts have no ICMP limits: every round is asked.
    wide = {"probes_per_second_per_responder": 20000, "adapt_to_responders": False, **(limits or {})}
    text = f"[probe]\n{table(fast)}\n[limits]\n{table(wide)}\n[dns]\nnames = false\n"
    for destination in destinations:
        text += "\n[[destination]]\n" + table(destination)
    return text
