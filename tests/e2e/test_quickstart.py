"""The first thing a newcomer does, as they do it: packaging/quickstart.sh, a look at it, Ctrl-C."""
import http.client
import os
import signal
import subprocess
import time

import pytest

from exporter import ROOT, Metrics, eventually, free_port
from lab import Fan
from netns import NETNS_DIRECTORY

SCRIPT = os.path.join(ROOT, "packaging/quickstart.sh")
BUILD_SECONDS = 1500


@pytest.fixture(scope="module")
def release():
    """The script builds it too; here the first build has its own, long time limit."""
    signal.alarm(BUILD_SECONDS)
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    signal.alarm(300)


class Quickstart:
    def __init__(self, log, *arguments, directory=None):
        self.log = log
        self.process = subprocess.Popen([SCRIPT, *arguments], stdin=subprocess.DEVNULL, stdout=open(log, "w"),
                                        stderr=subprocess.STDOUT, start_new_session=True, cwd=directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def text(self):
        with open(self.log) as file:
            return file.read()

    def namespaces(self):
        return [name for name in os.listdir(NETNS_DIRECTORY) if name.startswith(f"ecmpquick{self.process.pid}-")]

    def ready(self):
        assert self.process.poll() is None, self.text()
        return "Ctrl-C" in self.text()


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_every_branch_within_half_a_minute_and_leaves_nothing(release, tmp_path, number):
    port = free_port()
    before = set(os.listdir("/sys/class/net"))
    with Quickstart(tmp_path / "log", "--port", str(port)) as started:
        eventually(started.ready, 60, started.text)
        begin = time.monotonic()
        branches = {Fan._own(1, i)[4] for i in range(1, 5)}

        def all_branches():
            paths = Metrics(get(port, "/metrics")).paths("lab-tcp")
            return {path[1] for path in paths.values() if len(path) == 4} == branches
        eventually(all_branches, 30 - (time.monotonic() - begin), lambda: get(port, "/metrics"))
        for path in ("/", "/metrics", "/paths"):
            assert f"http://127.0.0.1:{port}{path}\n" in started.text()
            assert get(port, path)
        assert set(os.listdir("/sys/class/net")) == before, "the network of the machine is touched"
        assert len(started.namespaces()) >= 8

        with Quickstart(tmp_path / "second", "--port", str(port)) as second:
            assert second.process.wait(30) == 1
            assert f"127.0.0.1:{port} is in use" in second.text()

        started.process.send_signal(number)
        assert started.process.wait(20) == 0, started.text()
        assert not started.namespaces()
        with pytest.raises(ConnectionRefusedError):
            get(port, "/metrics")


def test_a_branch_that_breaks_is_named_within_two_minutes(release, tmp_path):
    """By the TCP destination, whose answers Linux does not limit; its routers and hosts have the kernel's defaults."""
    signal.alarm(240)
    port = free_port()
    with Quickstart(tmp_path / "log", "--port", str(port)) as started:
        eventually(started.ready, 60, started.text)

        def metrics():
            return Metrics(get(port, "/metrics"))
        eventually(lambda: metrics().total("ecmp_path_probes_total", destination="lab-tcp") > 100, 40, "rounds")
        lab = ["/usr/bin/python3", os.path.join(ROOT, "tests/e2e/lab.py"), "--name", f"ecmpquick{started.process.pid}"]
        subprocess.run([*lab, "fault", "lose", "b1-3", "0.3"], check=True)
        begin = time.monotonic()
        own = set(Fan._own(1, 3).values())

        def blamed():
            found = {ends for ends, value in metrics().values("ecmp_link_blamed", ("from", "to")).items() if value == 1}
            return found and all(own & set(ends) for ends in found)
        eventually(blamed, 120 - (time.monotonic() - begin), lambda: get(port, "/metrics"))


def test_a_configuration_of_ones_own_runs_without_the_lab(release, tmp_path):
    port = free_port()
    path = tmp_path / "own.toml"
    path.write_text(f'[web]\nlisten_addresses = ["127.0.0.1:{port}"]\n[[destination]]\nhost = "127.0.0.1"\nflows = 2\n'
                    'interval = "1s"\ntimeout = "500ms"\n')
    with Quickstart(tmp_path / "log", "--no-lab", path.name, directory=tmp_path) as started:
        eventually(started.ready, 60, started.text)
        assert not started.namespaces() and f"http://127.0.0.1:{port}/metrics\n" in started.text()
        eventually(lambda: "ecmp_destination_up" in get(port, "/metrics"), 20, "the destination")
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(20) == 0, started.text()


def test_a_configuration_may_listen_on_a_unix_socket(release, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(f'[web]\nlisten_addresses = ["unix:{tmp_path}/s"]\n[[destination]]\nhost = "127.0.0.1"\n')
    with Quickstart(tmp_path / "log", "--no-lab", str(path)) as started:
        eventually(started.ready, 60, started.text)
        assert f"curl --unix-socket {tmp_path}/s http://localhost/metrics\n" in started.text()


def test_a_bad_configuration_is_said_and_leaves_nothing(release, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[probe]\nflows = -4\n")
    with Quickstart(tmp_path / "log", "--no-lab", str(path)) as started:
        assert started.process.wait(60) == 1
        assert f"{path}:2:" in started.text()


def test_without_root_it_refuses():
    if os.geteuid() != 0:
        done = subprocess.run([SCRIPT], capture_output=True, text=True, timeout=20)
    else:
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "bash", "-s"], stdin=open(SCRIPT),
                              capture_output=True, text=True, timeout=20, cwd=os.path.join(ROOT, "packaging"))
    assert done.returncode == 1 and "root" in done.stderr
