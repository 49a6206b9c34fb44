"""Inside the virtual machine: the exporter is a service there, and the clock and the sleep are the machine's own."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest

sys.path.insert(0, "/srv/tests/e2e")
from exporter import Metrics, config, eventually, now  # noqa: E402

PORT = 10815
HOSTS = {"four": "10.99.0.1", "six": "fd99::1"}
FLOWS = 8
HOUR = 3600


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Service:
    """ecmp_exporter.service, and what it serves."""

    def get(self, target):
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{target}", timeout=10) as answer:
            return answer.read().decode()

    def ready(self):
        try:
            return self.get("/-/ready")
        except OSError:
            return None

    def metrics(self):
        return Metrics(self.get("/metrics"))

    def counter(self, name):
        return sum(value for _, value in self.metrics().families[f"ecmp_exporter_{name}_total"])

    def lines(self, since):
        return [json.loads(line) for line in self.get(f"/paths?since={since}").splitlines()]

    def all_reach(self, since=None):
        since = since or now()

        def reached():
            lines = self.lines(since)
            return len({(x["destination"], x["source_port"]) for x in lines if x["reached_dest"]}) == FLOWS * len(HOSTS)
        eventually(reached, 30, lambda: self.get("/paths") + run("journalctl", "-u", "ecmp_exporter", "-n", "30"))

    def no_loss(self):
        metrics = self.metrics()
        assert metrics.values("ecmp_flow_probes_total", ("destination", "flow")) == \
            metrics.values("ecmp_flow_replies_total", ("destination", "flow"))


@pytest.fixture(scope="module")
def service():
    """A router and its destination in a namespace; the machine itself is the agent."""
    far = ["ip", "netns", "exec", "far"]
    run("ip", "netns", "add", "far")
    run("ip", "link", "add", "near", "type", "veth", "peer", "name", "up", "netns", "far")
    for where, name, addresses in (([], "near", ("10.50.0.1/24", "fd50::1/64")),
                                   (far, "up", ("10.50.0.2/24", "fd50::2/64"))):
        for address in addresses:
            run(*where, "ip", "addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
        run(*where, "ip", "link", "set", "dev", name, "up")
    run(*far, "ip", "link", "set", "dev", "lo", "up")
    for address in HOSTS.values():
        run(*far, "ip", "addr", "add", address, "dev", "lo")
    run(*far, "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
    run("ip", "route", "add", "10.99.0.0/24", "via", "10.50.0.2")
    run("ip", "route", "add", "fd99::/64", "via", "fd50::2")
    os.makedirs("/etc/ecmp_exporter", exist_ok=True)
    with open("/etc/ecmp_exporter/ecmp_exporter.toml", "w") as file:
        file.write(config([{"name": name, "host": host, "flows": FLOWS} for name, host in HOSTS.items()]))
    run("systemctl", "restart", "ecmp_exporter")  # the package has started it with its own configuration
    found = Service()
    eventually(found.ready, 30, lambda: run("journalctl", "-u", "ecmp_exporter"))
    found.all_reach()
    yield found
    run("systemctl", "stop", "ecmp_exporter")


def test_the_unit_runs_as_it_is_shipped(service):
    (facts, _), = service.metrics().families["ecmp_exporter_privileges_info"]
    assert facts["user"] == "ecmp-exporter" and facts["capabilities"] == "none" and facts["no_new_privs"] == "1"
    assert facts["seccomp"] == "filter"
    run("systemctl", "reload", "ecmp_exporter")
    eventually(lambda: "configuration reloaded" in run("journalctl", "-u", "ecmp_exporter"), 10, "reloaded")
    service.no_loss()


def test_systemd_finds_little_exposed(service):
    told = run("systemd-analyze", "security", "--no-pager", "ecmp_exporter")
    print("\n".join(line for line in told.splitlines() if not line.startswith("✓")))
    # docs/privileges.md has what is left, and why.
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", told).group(1)) <= 1.9


def test_it_ends_and_begins_again(service):
    run("systemctl", "restart", "ecmp_exporter")
    eventually(service.ready, 30, lambda: run("journalctl", "-u", "ecmp_exporter"))
    service.all_reach()
    assert "Deactivated successfully" in run("journalctl", "-u", "ecmp_exporter")


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_clock_that_is_set_by_an_hour(service, seconds):
    service.all_reach()
    steps, probes = service.counter("clock_steps"), service.metrics().total("ecmp_flow_probes_total")
    newest = max(line["probe_num"] for line in service.lines("1m"))
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    begin, since = time.monotonic(), now()
    service.all_reach(since)
    time.sleep(5)
    spent = time.monotonic() - begin
    assert service.counter("clock_steps") == steps + 1
    service.no_loss()
    assert service.counter("unobserved_rounds") == 0
    # Schedules are on the monotonic clock: as many rounds as ever.
    made = service.metrics().total("ecmp_flow_probes_total") - probes
    assert 0.7 * spent / 0.5 < made / FLOWS / len(HOSTS) < 1.3 * spent / 0.5 + 4
    # Where the clock was set back, rounds of before it are newer than those of now. One may have been under way.
    lines = [line for line in service.lines(since) if line["probe_num"] > newest + 1]
    assert len(lines) >= FLOWS * len(HOSTS)
    assert all(not line["loss"] and 0 < hop["rtt_ns"] < 10**9 for line in lines for hop in line["hops"])
    # Stamps are of the new clock.
    assert all(abs(time.time() - stamp(line["timestamp"])) < 120 for line in lines)


def stamp(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def test_a_host_that_sleeps_for_half_a_minute(service):
    if "mem" not in open("/sys/power/state").read():
        pytest.skip("this machine cannot sleep")
    service.all_reach()
    before = service.metrics()
    print(run("rtcwake", "-m", "mem", "-s", "30"))
    since = now()
    service.all_reach(since)
    service.no_loss()
    told = service.metrics().values("ecmp_exporter_unobserved_rounds_total", "reason")
    print(told)
    assert set(reason for reason, value in told.items() if value) <= {"suspended"}
    changed = service.metrics().total("ecmp_flow_path_changes_total") - before.total("ecmp_flow_path_changes_total")
    assert changed == 0
    assert all(not line["loss"] for line in service.lines("2m"))
