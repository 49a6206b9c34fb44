"""Network namespaces: made in batches, entered by the calling thread, and taken down for certain.

Everything a Network makes carries its own prefix, and is removed when the Network is closed: by its context manager,
at exit of the interpreter, or on SIGTERM. Nothing is created in the namespace of the caller.
"""
import atexit
import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import tempfile

NETNS_DIRECTORY = "/run/netns"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something the lab needs is not there, or a command of it failed. Always one line."""


def run(arguments, text=None, check=True):
    """Runs a command of the lab and returns what it printed."""
    done = subprocess.run(arguments, input=text, capture_output=True, text=True)
    if check and done.returncode != 0:
        reason = " ".join((done.stderr or done.stdout).split())
        raise LabError(f"{' '.join(arguments)}: {reason or f'exit code {done.returncode}'}")
    return done.stdout


def missing_requirements():
    """Why no lab can be made here; an empty list if one can."""
    reasons = []
    if os.geteuid() != 0:
        reasons.append("not root (network namespaces need it)")
    for tool in ("ip", "nft", "ethtool", "nsenter"):
        if not any(os.access(os.path.join(d, tool), os.X_OK) for d in ("/usr/sbin", "/sbin", "/usr/bin", "/bin")):
            reasons.append(f"{tool} is not installed")
    return reasons


def inside(namespace):
    """What a command line begins with to run in a namespace: as `ip netns exec`, which however mounts things and so
    fails in a chroot."""
    return ["nsenter", f"--net={os.path.join(NETNS_DIRECTORY, namespace)}", "--"]


@contextlib.contextmanager
def entered(namespace):
    """The calling thread is inside the network namespace for a while: sockets made there stay there."""
    with open("/proc/thread-self/ns/net") as home, open(os.path.join(NETNS_DIRECTORY, namespace)) as other:
        _setns(other.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"cannot enter a network namespace: {os.strerror(code)}")


def write_sysctls(namespace, settings):
    with entered(namespace):
        for key, value in settings.items():
            path = "/proc/sys/" + key.replace(".", "/")
            try:
                with open(path, "w") as file:
                    file.write(f"{value}\n")
            except OSError as error:
                raise LabError(f"sysctl {key}={value} in {namespace}: {error.strerror}") from error


class Network:
    """A set of namespaces with links between them. Names of nodes are short; `ns()` gives the real ones."""

    _open = []

    def __init__(self, prefix=None):
        self.prefix = prefix or f"ecmplab{os.getpid()}x{len(Network._open)}"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,30}", self.prefix):
            raise LabError(f"{self.prefix!r} is no name for a lab: letters and digits only, a letter first")
        self.nodes = []
        self.processes = []
        Network._open.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ns(self, node):
        return f"{self.prefix}-{node}"

    def add_nodes(self, nodes):
        # Remembered before they exist, so that an interrupted start is taken down too.
        taken = [node for node in nodes if os.path.exists(os.path.join(NETNS_DIRECTORY, self.ns(node)))]
        if taken:
            raise LabError(f"the namespace {self.ns(taken[0])} exists already: is a lab of this name up?")
        self.nodes += nodes
        self.batch(None, [f"netns add {self.ns(node)}" for node in nodes])

    def batch(self, node, lines, family=None, force=False):
        """Runs lines of `ip` in one process; in the namespace of a node, or outside for commands that name theirs."""
        if not lines:
            return ""
        where = inside(self.ns(node)) if node is not None else []
        flags = ([family] if family else []) + (["-force"] if force else [])
        with tempfile.NamedTemporaryFile("w", prefix="ecmplab") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            return run([*where, "ip", *flags, "-batch", file.name], check=not force)

    def ip_json(self, node, *arguments):
        return json.loads(self.run_in(node, ["ip", "-j", *arguments]) or "[]")

    def nft(self, node, text):
        self.run_in(node, ["nft", "-f", "-"], text=text)

    def run_in(self, node, arguments, text=None, check=True):
        return run([*inside(self.ns(node)), *arguments], text=text, check=check)

    def popen(self, node, arguments, **options):
        """Starts a program in a node; it is ended with the network if it has not ended by then."""
        process = subprocess.Popen([*inside(self.ns(node)), *arguments], **options)
        self.processes.append(process)
        return process

    def entered(self, node):
        return entered(self.ns(node))

    def close(self):
        if self in Network._open:
            Network._open.remove(self)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.processes = []
        nodes, self.nodes = self.nodes, []
        there = [node for node in nodes if os.path.exists(os.path.join(NETNS_DIRECTORY, self.ns(node)))]
        self.batch(None, [f"netns del {self.ns(node)}" for node in there], force=True)

    def forget(self):
        """Leaves the network up after the interpreter's end; somebody else takes it down by name."""
        Network._open.remove(self)

    @staticmethod
    def close_all():
        for network in list(Network._open):
            network.close()


def close_on_exit():
    """Networks are closed at exit, and SIGTERM and SIGHUP become an exit."""
    atexit.register(Network.close_all)

    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def reap_stale():
    """Removes namespaces of labs whose process was killed before it could (kill -9, a test's time limit)."""
    if not os.path.isdir(NETNS_DIRECTORY):
        return
    for name in os.listdir(NETNS_DIRECTORY):
        match = re.match(r"ecmplab(\d+)x\d+-", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            run(["ip", "netns", "del", name], check=False)
