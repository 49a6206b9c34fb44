"""Recording rules and alerts: each alert fires on its fault in the lab and on no other. promtool tests the long
durations (dashboards/rules/tests); here every duration is replaced by a short one, from one table."""
import contextlib
import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from beside import beside
from delay import Delay
from exporter import Exporter, config, eventually
from grafana import ROOT, RULES
from lab import DESTINATION, Fan
from prometheus import THREE, Prometheus, without_three

# What each duration of the rules is here. Rounds come each half second instead of each ten.
SECONDS = {"2m": 3, "5m": 8, "10m": 10, "15m": 20, "30m": 30, "1h": 20, "2h": 30, "5h": 10, "6h": 120, "1d": 60}
DURATION = re.compile(r"(\[|offset |for: )(\d+[smhd])\b")
INTERVAL = re.compile(r"interval: \d+[smhd]\b")
FLOWS = 24
NAMES = {4: "four", 6: "six"}
WINDOW = '\n[window]\nduration = "10s"\n'
LONGEST = 45


def shortened(text, seconds=None):
    text = DURATION.sub(lambda match: f"{match.group(1)}{(seconds or SECONDS)[match.group(2)]}s", text)
    return INTERVAL.sub("interval: 1s", text)


def rule_files():
    return sorted(glob.glob(os.path.join(RULES, "*.yml")))


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rules")
    made = []
    for path in rule_files():
        with open(path) as file:
            made.append(directory / os.path.basename(path))
            made[-1].write_text(shortened(file.read()))
    return made


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


def destinations(first_port, families=(4, 6), flows=FLOWS, **more):
    return [{"name": NAMES[family], "host": DESTINATION[family], "flows": flows, "source_port": first_port, **more}
            for family in families]


def alerts(prometheus, state="firing"):
    """{(alert, instance)}"""
    return {(one["labels"]["alertname"], one["labels"]["instance"])
            for one in prometheus.api("alerts").get("alerts", []) if one["state"] == state}


def fired(prometheus, since):
    """{alert: [labels]} of all that fired from a moment on."""
    seconds = int(time.time() - since) + 1
    found = {}
    for series in prometheus.api("query",
                                 query=f'count_over_time(ALERTS{{alertstate="firing"}}[{seconds}s])')["result"]:
        found.setdefault(series["metric"]["alertname"], []).append(series["metric"])
    return found


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(fan, rules, tmp_path_factory):
    with Exporter(config(destinations(50000)) + WINDOW, fan.network.ns("agent")) as exporter:
        eventually(lambda: len([x for x in exporter.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        directory = tmp_path_factory.mktemp("prometheus")
        prometheus = Prometheus(fan, {"well": exporter}, directory / "network", "--enable-feature=native-histograms",
                                rules=rules)
        try:
            eventually(prometheus.is_up, 30, lambda: prometheus.log.read_text())
            # A fan can only have become narrower than it was for long.
            eventually(lambda: prometheus.query("count(destination:ecmp_paths:settled == 4) == 2", ()), 60, "a past")
            yield fan, prometheus
        finally:
            prometheus.close()


def lose_everywhere(fan):
    for branch in fan.branches[1]:
        fan.lose(branch, 0.3)


def black_hole(fan):
    for branch in fan.branches[1]:
        fan.black_hole(branch)


def heal(fan):
    for branch in fan.branches[1]:
        fan.heal(branch)


def slow_down(fan):
    fan.delay = Delay(fan, fan.branch(2), 0.005)


def keep_flapping(fan):

    def turn():
        changed = False
        while not stop.wait(2.5):
            (fan.restore_branch if changed else fan.replace_branch)(3)
            changed = not changed

    stop = threading.Event()
    thread = threading.Thread(target=turn)
    thread.start()
    fan.stop_flapping = lambda: (stop.set(), thread.join(), fan.restore_branch(3))


FAULTS = {
    "EcmpPathLoss": (lambda fan: fan.lose(fan.branch(2), 0.3), heal),
    "EcmpLinkLoss": (lambda fan: fan.lose(fan.branch(3), 0.3), heal),
    "EcmpDestinationLoss": (lose_everywhere, heal),
    "EcmpDestinationDown": (black_hole, heal),
    "EcmpWidthShrank": (lambda fan: fan.narrow(3), lambda fan: fan.widen()),
    "EcmpRttSkew": (slow_down, lambda fan: fan.delay.close()),
    "EcmpPathFlapping": (keep_flapping, lambda fan: fan.stop_flapping()),
}


# What may be told besides: whatever loses does so on some link, and a link that loses is part of a path.
BESIDES = {"EcmpPathLoss": {"EcmpLinkLoss"}, "EcmpLinkLoss": {"EcmpPathLoss"}, "EcmpDestinationLoss": {"EcmpLinkLoss"},
           "EcmpDestinationDown": {"EcmpLinkLoss"}}


def told_of_both(fan, alert, told):
    """Whether an alert is there for both destinations, or for a link of each family, which has no destination."""
    if alert != "EcmpLinkLoss":
        return {labels["destination"] for labels in told} == set(NAMES.values())
    ends = {labels[end] for labels in told for end in ("from", "to")}
    return set(fan.addresses[fan.branch(3)].values()) <= ends


def paths_over(fan, node, prometheus):
    addresses = set(fan.addresses[node].values())
    return {path for (path, hop) in prometheus.query("ecmp_path_hop_info", ("path", "hop")) if hop in addresses}


@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_fires_on_its_fault_and_on_no_other(watched, alert):
    fan, prometheus = watched
    eventually(lambda: not alerts(prometheus) | alerts(prometheus, "pending"), LONGEST, lambda: alerts(prometheus))
    begin = time.time()
    break_it, mend = FAULTS[alert]
    break_it(fan)
    try:
        def both():
            return told_of_both(fan, alert, [one["labels"] for one in prometheus.api("alerts").get("alerts", [])
                                             if (one["labels"]["alertname"], one["state"]) == (alert, "firing")])
        eventually(both, LONGEST, lambda: f"{alert} for both destinations; {prometheus.api('alerts')}")
    finally:
        mend(fan)
    eventually(lambda: not alerts(prometheus) | alerts(prometheus, "pending"), LONGEST,
               lambda: prometheus.api("alerts"))
    found = fired(prometheus, begin)
    assert alert in found and set(found) <= {alert} | BESIDES.get(alert, set()), found
    if alert in ("EcmpPathLoss", "EcmpLinkLoss"):
        at_fault = set(fan.addresses[fan.branch(2 if alert == "EcmpPathLoss" else 3)].values())
        assert all(at_fault & {labels["from"], labels["to"]} for labels in found.get("EcmpLinkLoss", ())), found
    if alert == "EcmpPathLoss":
        assert {labels["path"] for labels in found[alert]} <= paths_over(fan, fan.branch(2), prometheus), found


def test_silence_is_never_an_alert(watched):
    fan, prometheus = watched
    eventually(lambda: not alerts(prometheus) | alerts(prometheus, "pending"), LONGEST, lambda: alerts(prometheus))
    begin = time.time()
    fan.lose_answers(fan.branch(1), 1)
    fan.limit_answers("r1", 5, burst=2)
    fan.lose_answers("r2", 0.5)
    try:
        ratio = 'min(max by (hop) (hop:ecmp_silence:ratio_rate5m{hop=~"%s"}))' % "|".join(
            fan.addresses[node][4].replace(".", "\\\\.") for node in ("r1", "r2", fan.branch(1)))
        eventually(lambda: prometheus.query(ratio, ()).get((), 0) > 0.3, LONGEST, "silence of all three")
        # Longer than any alert takes from its fault to firing.
        eventually(lambda: time.time() - begin > 25, LONGEST, "time")
    finally:
        for node in ("r1", "r2", fan.branch(1)):
            fan.heal(node)
    assert not fired(prometheus, begin) and not alerts(prometheus, "pending"), prometheus.api("alerts")
    assert prometheus.query("max(hop:ecmp_loss:ratio_rate5m)", ()) == {(): 0}


def test_every_recording_rule_records(watched):
    _, prometheus = watched
    groups = prometheus.api("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule["health"] == "ok" for rule in rules), [rule.get("lastError") for rule in rules]
    # There is no reflector here: promtool's tests have what is recorded of one.
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording" and "oneway" not in rule["name"]]
    empty = [name for name in recorded if not prometheus.query(f"count({name}) > 0", ())]
    assert len(recorded) > 8 and not empty, empty


def test_every_rule_is_good_on_prometheus_3_too(watched, rules, tmp_path):
    """With classic histograms made native with custom buckets: what reads buckets alone would find none."""
    if without_three():
        pytest.skip(without_three())
    fan, first = watched
    prometheus = Prometheus(fan, first.exporters, tmp_path / "three", "--enable-feature=native-histograms", rules=rules,
                            program=THREE, keys={"scrape_native_histograms": True, "convert_classic_histograms_to_nhcb": True})
    try:
        eventually(prometheus.is_up, 30, lambda: prometheus.log.read_text())
        lag = "histogram_quantile(0.99, sum by (job, instance) (rate(ecmp_exporter_schedule_lag_seconds[8s])))"
        eventually(lambda: prometheus.query(lag, ("instance",)), 20, "the lag, of native histograms")
        eventually(lambda: prometheus.query("count(destination:ecmp_paths:settled)", ()), 60, "a past")
        recorded = {rule["name"] for group in prometheus.api("rules")["groups"] for rule in group["rules"]
                    if rule["type"] == "recording" and "oneway" not in rule["name"]}
        empty = [name for name in recorded if not prometheus.query(f"count({name}) > 0", ())]
        wrong = [rule["lastError"] for group in prometheus.api("rules")["groups"] for rule in group["rules"]
                 if rule["health"] != "ok"]
        assert not empty and not wrong, (empty, wrong)
        assert not alerts(prometheus), alerts(prometheus)
    finally:
        prometheus.close()


def test_a_start_and_a_restart_raise_nothing(fan, rules, tmp_path):
    text = config(destinations(40000)) + WINDOW
    with Exporter(text, fan.network.ns("agent")) as first:
        prometheus = Prometheus(fan, {"anew": first}, tmp_path / "anew", "--enable-feature=native-histograms", rules=rules)
        try:
            begin = time.time()
            eventually(prometheus.is_up, 30, lambda: prometheus.log.read_text())
            eventually(lambda: prometheus.query("count(destination:ecmp_paths:settled == 4) == 2", ()), 60, "a past")
            first.stop()
            # Shorter than what an agent may be away for.
            with Exporter(text, fan.network.ns("agent"), port=first.port):
                resets = 'resets(ecmp_exporter_probes_sent_total{protocol="udp"}[30s]) > 0'
                eventually(lambda: prometheus.query(resets, ()), 15, "the new process is scraped")
                again = time.time()
                eventually(lambda: time.time() - again > 25, LONGEST, "time")
                found = fired(prometheus, begin)
                assert not found and prometheus.query("count(ecmp_paths == 4) == 2", ()), found
        finally:
            prometheus.close()


# --- the agents -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stopping(exporter, stopped, running):
    """Lets a process run for `running` seconds and not for `stopped`, in turns."""

    def turn(done):
        while not done.wait(running):
            exporter.process.send_signal(signal.SIGSTOP)
            done.wait(stopped)
            exporter.process.send_signal(signal.SIGCONT)

    with beside(turn):
        yield


@contextlib.contextmanager
def trickle(fan, port):
    """Packets as one of a flow, all the time: each few of them take a block of the capture buffer. A raw socket sends
    them: one that had the flow's port would make the flow step aside."""
    with fan.network.entered("agent"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    sender.bind(("10.50.0.1", 0))
    datagram = struct.pack("!HHHH", port, 33434, 28, 0) + bytes(20)

    def send(done):
        while not done.wait(0.004):
            sender.sendto(datagram, (DESTINATION[4], 0))

    try:
        with beside(send):
            yield
    finally:
        sender.close()


# {agent: (what must fire, what may fire besides)}. One that stands still for seconds, or may not send as fast as it has
# to, also is late and skips rounds; of a destination that no probe leaves for nothing is known; and four flows hide paths.
FEW = {"EcmpLowCoverage"}
AGENTS = {
    "well": (set(), set()),
    "few": ({"EcmpLowCoverage"}, set()),
    "cut": ({"EcmpAgentSeriesDropped"}, FEW),
    "slow": ({"EcmpAgentRoundsSkipped"}, {"EcmpAgentLagging"} | FEW),
    "stranded": ({"EcmpAgentSendErrors", "EcmpDestinationUnobserved"}, FEW),
    "late": ({"EcmpAgentLagging"}, FEW),
    "overrun": ({"EcmpAgentCaptureDrops"}, {"EcmpAgentLagging", "EcmpAgentRoundsSkipped"} | FEW),
    "gone": ({"EcmpAgentDown"}, set()),
    "misled": ({"EcmpAgentReloadFailed"}, FEW),
    "mistaken": ({"EcmpDestinationUnresolved", "EcmpDestinationNotTraced"}, set()),
    "stalled": ({"EcmpAgentStalled"}, FEW),
    "crowded": ({"EcmpPathsRefused"}, FEW),
    "lonely": ({"EcmpAgentSeesMostDown", "EcmpDestinationDown"}, {"EcmpLinkLoss"} | FEW),
    "unsaved": ({"EcmpAgentHistoryNotWritten"}, FEW),
    "orphaned": ({"EcmpAgentDiscoveryDown", "EcmpAgentDestinationsLeftOut"}, FEW),
}
# test_rules_mesh.py has them, but for one: a restart counts once in half a minute, so that four take too long.
ELSEWHERE = {"EcmpDestinationUndecided", "EcmpDestinationSuppressed", "EcmpForwardLoss", "EcmpReverseLoss", "EcmpReflectorDown",
             "EcmpReflectorUndirected", "EcmpReflectorRestarts", "EcmpReflectorRefuses"}


@contextlib.contextmanager
def held(process):
    """Holds the first thread of a process, which is the probing loop; the others go on."""
    seize, interrupt, detach, any_thread = 0x4206, 0x4207, 17, 0x40000000
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    ptrace.restype = ctypes.c_long
    for request in (seize, interrupt):
        if ptrace(request, process.pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(process.pid, any_thread)
    try:
        yield
    finally:
        ptrace(detach, process.pid, None, None)


@contextlib.contextmanager
def small_disk(directory):
    """A file system that is full at once."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def lonely_destinations():
    """One that answers, and three addresses that nobody has."""
    nobody = [{"name": f"nobody{i}", "host": f"10.99.0.{100 + i}", "flows": 2, "source_port": 34000 + 10 * i, "max_ttl": 6}
              for i in range(3)]
    return [*destinations(34100, families=(4,), flows=4), *nobody]


def started_agents(fan, stack, directory):
    namespace = fan.network.ns("agent")
    disk = stack.enter_context(small_disk(directory / "disk"))
    (directory / "more.toml").write_text('[[destination]]\nname = "four"\nhost = "192.0.2.1"\n')
    found = f'\n[discovery]\nfiles = ["{directory}/more.toml", "{directory}/bad.json"]\n'
    (directory / "bad.json").write_text("[]")
    few = {"families": (4,), "flows": 4}
    configs = {
        "well":
        config(destinations(33000, families=(4,))),
        "few":
        config(destinations(33050, **few)),
        "cut":
        config(destinations(33100, **few), limits={"max_series": 100}),
        "slow":
        config(destinations(33200, **few), limits={"probes_per_second": 5}),
        "stranded":
        config(
            destinations(33300, **few) +
            [{"name": "oversize", "host": DESTINATION[4], "flows": 4, "source_port": 33350, "packet_size": 4000}]),
        "late":
        config(destinations(33400, **few)),
        "overrun":
        config(destinations(33500, **few)),
        "gone":
        config(destinations(33600, **few)),
        "misled":
        config(destinations(33700, **few)),
        # A name that nobody knows; and two names of one address whose flows would be the same.
        "mistaken":
        config([{"name": "nowhere", "host": "nowhere.invalid", "flows": 4, "source_port": 33800},
                {"name": "first", "host": "127.0.0.1", "flows": 4, "source_port": 33850},
                {"name": "second", "host": "localhost", "family": "ipv4", "flows": 4, "source_port": 33850}]),
        "stalled":
        config(destinations(33900, **few)),
        "crowded":
        config(destinations(33930, families=(4,), flows=16), limits={"max_paths_per_destination": 2}),
        "lonely":
        config(lonely_destinations()),
        "unsaved":
        config(destinations(34200, **few)) + f'\n[history]\ndirectory = "{disk}/history"\n',
        "orphaned":
        config(destinations(34300, **few)) + found,
    }
    # One is never ready: its name is never resolved.
    return {name: stack.enter_context(Exporter(text + WINDOW, namespace, ready_seconds=0 if name == "mistaken" else 10))
            for name, text in configs.items()}


def mislead(exporter):
    """Has an exporter read a broken configuration; False if this one cannot reload."""
    with open(exporter.config_path, "w") as file:
        file.write("[web\n")
    return exporter.request("POST", "/-/reload").status != 404


def test_each_agent_has_the_alerts_of_its_own_trouble(fan, rules, tmp_path):
    with contextlib.ExitStack() as stack:
        agents = started_agents(fan, stack, tmp_path)
        prometheus = Prometheus(fan, agents, tmp_path / "agents", "--enable-feature=native-histograms", rules=rules)
        stack.callback(prometheus.close)
        eventually(prometheus.is_up, 30, lambda: prometheus.log.read_text())
        begin = time.time()
        stack.enter_context(stopping(agents["late"], 0.25, 0.1))
        stack.enter_context(trickle(fan, 33500))
        stack.enter_context(stopping(agents["overrun"], 2, 1))
        stack.enter_context(held(agents["stalled"].process))
        (tmp_path / "bad.json").write_text("{")
        agents["gone"].stop()
        wanted = {(alert, name) for name, (must, _) in AGENTS.items() for alert in must}
        if not mislead(agents["misled"]):
            wanted.remove(("EcmpAgentReloadFailed", "misled"))
        seen = set()

        def all_seen():
            seen.update(alerts(prometheus))
            return wanted <= seen

        eventually(all_seen, LONGEST, lambda: f"{wanted - seen}; {prometheus.api('alerts')}")
        found = {(name, labels["instance"])
                 for name, all_labels in fired(prometheus, begin).items()
                 for labels in all_labels}
        allowed = wanted | {(alert, name) for name, (_, may) in AGENTS.items() for alert in may}
        assert found <= allowed, found - allowed


# --- without a lab ----------------------------------------------------------------------------------------------------


def promtool(program, *arguments):
    """Of Debian, or of Prometheus 3."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed (tests/peers.sh prometheus)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize("program", ["promtool", "promtool3"])
def test_promtool_accepts_the_rules(program):
    promtool(program, "check", "rules", "--lint=all", "--lint-fatal", *rule_files())


@pytest.mark.anywhere
@pytest.mark.parametrize("program", ["promtool", "promtool3"])
def test_promtool_runs_the_unit_tests_of_the_rules(program):
    files = sorted(glob.glob(os.path.join(RULES, "tests", "*.yml")))
    assert files
    promtool(program, "test", "rules", *files)


@pytest.mark.anywhere
def test_every_alert_is_tested_and_has_its_page_in_the_runbook():
    texts = {os.path.basename(path): open(path).read() for path in rule_files()}
    names = re.findall(r"- alert: (\w+)", texts["alerts.yml"])
    assert set(names) == set(FAULTS) | ELSEWHERE | {alert for must, _ in AGENTS.values() for alert in must}
    tests = "".join(open(path).read() for path in glob.glob(os.path.join(RULES, "tests", "*.yml")))
    runbook = open(os.path.join(ROOT, "docs", "runbook.md")).read()
    for block in texts["alerts.yml"].split("- alert: ")[1:]:
        name = block.split()[0]
        assert re.search(r"severity: (info|warning|critical)\n",
                         block) and "summary: " in block and "description: " in block, name
        assert f"runbook_url: docs/runbook.md#{name.lower()}\n" in block, name
        assert f"\n## {name}\n" in runbook, name
        fires, quiet = (re.search(rf"alertname: {name}\n\s+exp_alerts:{what}", tests) for what in (r"\n", r" \[\]"))
        assert fires and quiet, f"{name} is not tested to fire and to be quiet"
    assert "silence" not in re.sub(r"#.*", "", texts["alerts.yml"]).lower()
