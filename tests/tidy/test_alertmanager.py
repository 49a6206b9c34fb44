"""The example for Alertmanager: whom an alert reaches, what becomes one message, and what keeps quiet meanwhile."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from sources import ROOT, read

CONFIG = os.path.join(ROOT, "configs", "alertmanager", "alertmanager.yml")
yaml = pytest.importorskip("yaml")


def alerts():
    """{name: severity}"""
    groups = yaml.safe_load(read("dashboards/rules/alerts.yml"))["groups"]
    return {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}


def routes():
    return yaml.safe_load(read("configs/alertmanager/alertmanager.yml"))["route"]["routes"]


def test_matchers_name_alerts_that_exist():
    config = yaml.safe_load(read("configs/alertmanager/alertmanager.yml"))
    matchers = [one for route in routes() for one in route["matchers"]]
    matchers += [one for rule in config["inhibit_rules"] for side in ("source", "target") for one in rule[f"{side}_matchers"]]
    for pattern in (match.group(1) for match in (re.match(r'alertname =~? "(.*)"$', one) for one in matchers) if match):
        assert any(re.fullmatch(pattern, name) for name in alerts()), pattern
        for word in re.findall(r"Ecmp\w+", pattern):
            assert any(name.startswith(word) for name in alerts()), f"{word} of {pattern}"
    for rule in config["inhibit_rules"]:
        (source,), (target,) = (
            [re.search('"(.*)"', one).group(1) for one in rule[f"{side}_matchers"]] for side in ("source", "target"))
        both = [name for name in alerts() if re.fullmatch(source, name) and re.fullmatch(target, name)]
        assert not both, f"{both} would keep themselves quiet"


@pytest.mark.skipif(not shutil.which("amtool"), reason="amtool is not installed")
@pytest.mark.parametrize("name", alerts())
def test_each_alert_reaches_the_receiver_of_its_severity(name):
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", f"alertname={name}", f"severity={alerts()[name]}"],
        capture_output=True, text=True)
    assert done.stdout.strip() == {"critical": "pager", "warning": "mail", "info": "advice"}[alerts()[name]], done.stderr


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not program:
        pytest.skip("alertmanager is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([
        program, f"--config.file={CONFIG}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        f"--storage.path={tmp_path_factory.mktemp('alertmanager')}"
    ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/{path}",
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"null")

    try:
        for _ in range(100):
            try:
                ask("status")
                break
            except OSError:
                time.sleep(0.1)
        yield ask
    finally:
        process.terminate()
        process.wait(10)


def fire(alertmanager, all_labels, expected):
    """Waits until alerts of one agent each have the states (name, destination, path) -> state; returns their groups.

    Alertmanager learns of the alerts that inhibit others a moment after it has taken all of them.
    """
    severities = alerts()
    alertmanager("alerts", [{"labels": {"job": "ecmp", **labels, "severity": severities[labels["alertname"]]}}
                            for labels in all_labels])
    agents = {labels["instance"] for labels in all_labels}
    deadline = time.time() + 30
    while True:
        groups = [group for group in alertmanager("alerts/groups?silenced=false&inhibited=false")
                  if any(one["labels"]["instance"] in agents for one in group["alerts"])]
        found = [one for one in alertmanager("alerts") if one["labels"]["instance"] in agents]
        states = [((one["labels"]["alertname"], one["labels"].get("destination"), one["labels"].get("path")),
                   one["status"]["state"]) for one in found]
        in_groups = sum(len(group["alerts"]) for group in groups)
        if sorted(states, key=str) == sorted(expected, key=str) and in_groups == sum(state == "active" for _, state in expected):
            return groups
        assert time.time() < deadline, (states, groups)
        time.sleep(0.1)


def test_a_total_outage_of_an_agent_is_one_message(alertmanager):
    down = [{"alertname": "EcmpDestinationDown", "instance": "out", "destination": f"d{i}"} for i in range(50)]
    groups = fire(alertmanager, [{"alertname": "EcmpAgentSeesMostDown", "instance": "out"}, *down],
                  [(("EcmpAgentSeesMostDown", None, None), "active"),
                   *((("EcmpDestinationDown", f"d{i}", None), "suppressed") for i in range(50))])
    assert [len(group["alerts"]) for group in groups] == [1], groups


def test_a_destination_that_is_down_keeps_its_loss_quiet_and_no_other(alertmanager):
    fire(alertmanager, [{"alertname": "EcmpDestinationDown", "instance": "one", "destination": "d"},
                        {"alertname": "EcmpPathLoss", "instance": "one", "destination": "d", "path": "p"},
                        {"alertname": "EcmpPathLoss", "instance": "one", "destination": "e", "path": "p"}],
         [(("EcmpDestinationDown", "d", None), "active"), (("EcmpPathLoss", "d", "p"), "suppressed"),
          (("EcmpPathLoss", "e", "p"), "active")])


def test_a_link_that_several_agents_blame_is_one_message(alertmanager):
    link = {"alertname": "EcmpLinkLoss", "from": "192.0.2.1", "to": "192.0.2.2"}
    paths = [{"alertname": "EcmpPathLoss", "instance": "left", "destination": f"d{i}", "path": "p"} for i in range(20)]
    groups = fire(alertmanager, [{**link, "instance": "left"}, {**link, "instance": "right"}, *paths],
                  [*[(("EcmpLinkLoss", None, None), "active")] * 2,
                   *((("EcmpPathLoss", f"d{i}", "p"), "suppressed") for i in range(20))])
    (group,) = groups
    assert len(group["alerts"]) == 2 and group["labels"] == {"alertname": "EcmpLinkLoss", "from": "192.0.2.1",
                                                             "to": "192.0.2.2"}, groups
