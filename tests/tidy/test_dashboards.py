"""The dashboards are what their generator writes, and heed the rules that dashboard linters know."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from sources import ROOT, read

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from grafana import boards, metrics_of, panels, queries  # noqa: E402

UNITS = {"none", "short", "percentunit", "s", "bytes", "pps", "ops", "dateTimeFromNow"}
GRID = 24
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
KINDS = {"stat", "table", "timeseries", "state-timeline", "heatmap", "nodeGraph"}


needs_jsonnet = pytest.mark.skipif(not shutil.which("jsonnet"), reason="jsonnet is not installed")


def every_panel():
    return [(uid, panel) for uid, board in boards().items() for panel in panels(board)]


@needs_jsonnet
def test_the_files_are_what_the_generator_writes():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "dashboards/generate.py"), "--check"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_jsonnet
def test_a_changed_file_is_noticed(tmp_path):
    """The check above can fail: a copy of everything with one byte more, one file less, one too many."""
    subprocess.run(["cp", "-r", os.path.join(ROOT, "dashboards"), str(tmp_path)], check=True)
    check = [sys.executable, str(tmp_path / "dashboards/generate.py"), "--check"]
    files, rules = tmp_path / "dashboards/grafana", tmp_path / "dashboards/rules"
    assert subprocess.run(check, capture_output=True).returncode == 0
    for break_it in (lambda: (files / "ecmp-agent.json").open("a").write(" "), lambda:
                     (files / "ecmp-path.json").unlink(), lambda: (files / "other.json").write_text("{}"), lambda:
                     (rules / "alerts.yml").open("a").write("# mine\n"), lambda: (rules / "recording.yml").unlink()):
        break_it()
        assert subprocess.run(check, capture_output=True).returncode == 1
        subprocess.run([*check[:2]], check=True)
        (files / "other.json").unlink(missing_ok=True)


@needs_jsonnet
def test_the_mixin_is_formatted():
    files = [os.path.join(place, name) for place, _, names in os.walk(os.path.join(ROOT, "dashboards/mixin"))
             for name in names if name.endswith("sonnet")]
    assert len(files) > 10
    assert subprocess.run(["jsonnetfmt", "--test", *files]).returncode == 0


MINE = """(import 'mixin.libsonnet') + { _config+:: {
  selector: 'job="probes"', agent_selector: 'job="probes"', destination_labels: ['site'], loss_ratio: 0.05,
  runbook_url: 'https://wiki.example.net/ecmp#', alert_labels: { team: 'net' } } }"""


@needs_jsonnet
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_configuration_of_the_mixin_reaches_rules(tmp_path):
    """Selectors, thresholds, and a label of a destination that an alert about it must carry."""
    yaml = pytest.importorskip("yaml")
    sys.path.insert(0, os.path.join(ROOT, "dashboards"))
    import generate
    for name in ("prometheusAlerts", "prometheusRules"):
        rules = generate.evaluated(f"({MINE}).{name}")
        (tmp_path / f"{name}.yml").write_text(generate.rule_file(rules))
        assert yaml.safe_load((tmp_path / f"{name}.yml").read_text()) == rules, "the writer of YAML"
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            unselected = re.sub(r'\w+\{[^}]*job="probes"[^}]*\}|\w+:\w+:\w+|"[^"]*"', "", rule["expr"])
            assert not re.search(r"\becmp_", unselected), rule["expr"]
    labels = 'job="probes", instance="a", destination="d"'
    other = labels.replace("probes", "other")
    series = {f"ecmp_destination_up{{{labels}}}": "0x20", f"ecmp_destination_up{{{other}}}": "0x20",
              f'ecmp_destination_info{{{labels}, address="192.0.2.1", site="fra"}}': "1x20"}
    annotations = {"summary": "d is not reached over any path", "runbook_url": "https://wiki.example.net/ecmp#ecmpdestinationdown",
                   "description": "No flow from a to d had an answer from it for two minutes."}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({
        "rule_files": ["prometheusAlerts.yml", "prometheusRules.yml"], "evaluation_interval": "1m", "tests": [{
            "interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{
                "eval_time": "10m", "alertname": "EcmpDestinationDown", "exp_alerts": [{
                    "exp_labels": {"job": "probes", "instance": "a", "destination": "d", "site": "fra", "team": "net",
                                   "severity": "critical"}, "exp_annotations": annotations}]}]}]}))
    done = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, tmp_path.glob("prom*.yml"))],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(["promtool", "test", "rules", str(tmp_path / "test.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_boards_have_a_name_and_a_place():
    made = boards()
    assert sorted(made) == ["ecmp-agent", "ecmp-destination", "ecmp-mesh", "ecmp-overview", "ecmp-path"]
    for uid, board in made.items():
        assert board["title"].startswith("ECMP / ") and board["description"].endswith("."), uid
        assert "ecmp" in board["tags"] and board["schemaVersion"] >= 39 and board["editable"] is False, uid
        assert "id" not in board, "Grafana gives it"
        assert board["refresh"] and board["time"]["to"] == "now" and re.fullmatch(r"now-\d+[hm]",
                                                                                  board["time"]["from"]), uid
    assert len({board["title"] for board in made.values()}) == len(made)


def test_variables_are_as_everyone_expects():
    for uid, board in boards().items():
        variables = {one["name"]: one for one in board["templating"]["list"]}
        assert list(variables)[:3] == ["datasource", "job", "instance"], uid
        source = variables.pop("datasource")
        assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
        for name, one in variables.items():
            assert one["type"] == "query" and one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, name
            assert one["multi"] and (not one["includeAll"] or one["allValue"] == ".+"), name
            first_only = {"ecmp-destination": {"destination"}, "ecmp-path": {"destination", "path"}}.get(uid, set())
            assert one["includeAll"] != (name in first_only), name
            assert one["label"] == name.capitalize(), name
            assert one["refresh"] == 2, f"{name} is asked again when the time range changes"
            assert one["query"]["query"].startswith("label_values(ecmp_"), name
    for uid in ("ecmp-overview", "ecmp-destination", "ecmp-path", "ecmp-mesh"):
        assert "destination" in {one["name"] for one in boards()[uid]["templating"]["list"]}


def test_no_data_source_is_hard_coded():
    for uid, board in boards().items():

        def walk(value, at):
            if isinstance(value, dict):
                for key, inner in value.items():
                    if key == "datasource":
                        assert inner["uid"] in ("${datasource}", "-- Grafana --"), at
                    walk(inner, f"{at}/{key}")
            elif isinstance(value, list):
                for number, inner in enumerate(value):
                    walk(inner, f"{at}/{number}")

        walk(board, uid)
    for uid, panel in every_panel():
        assert panel["datasource"]["uid"] == "${datasource}" and panel["targets"], panel["title"]
        assert all("datasource" in target for target in panel["targets"]), panel["title"]


def test_panels_tell_what_they_show():
    for uid, panel in every_panel():
        where = f"{uid} / {panel['title']}"
        assert panel["type"] in KINDS, where
        assert panel["title"] and panel["description"].endswith(".") and len(panel["description"]) > 20, where
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), where
    for uid, board in boards().items():
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        assert len(set(titles)) == len(titles), uid


def units_of(panel):
    found = [panel["fieldConfig"]["defaults"].get("unit"), panel["options"].get("yAxis", {}).get("unit")]
    found += [
        one["value"] for override in panel["fieldConfig"]["overrides"] for one in override["properties"]
        if one["id"] == "unit"
    ]
    return {unit for unit in found if unit is not None}


def test_units_are_given_and_known():
    for uid, panel in every_panel():
        units = units_of(panel)
        assert units and units <= UNITS, f"{uid} / {panel['title']}: {units}"


@pytest.mark.parametrize("name,unit", [("loss", "percentunit"), ("silence", "percentunit"), ("rtt", "s"),
                                       ("jitter", "s"), ("lag", "s")])
def test_what_is_alike_has_one_unit(name, unit):
    for uid, panel in every_panel():
        if re.match(rf"{name}\b", panel["title"].lower()):
            assert units_of(panel) == {unit}, f"{uid} / {panel['title']}"
        for override in panel["fieldConfig"]["overrides"]:
            given = {one["id"]: one["value"] for one in override["properties"]}
            if re.match(rf"{name}\b", str(override["matcher"]["options"]).lower()):
                assert given.get("unit") == unit, f"{uid} / {panel['title']}: {override['matcher']}"


def test_panels_lie_on_the_grid():
    for uid, board in boards().items():
        everything = board["panels"] + [inner for row in board["panels"] for inner in row.get("panels", ())]
        ids = [panel["id"] for panel in everything]
        assert len(set(ids)) == len(ids) and min(ids) > 0, uid
        for shown in [board["panels"], *(row["panels"] for row in board["panels"] if row.get("panels"))]:
            taken, lines = {}, {}
            for panel in shown:
                at = panel["gridPos"]
                assert at["w"] >= 4 and at["x"] + at["w"] <= GRID, panel["title"]
                lines.setdefault(at["y"], []).append(at)
                for x in range(at["x"], at["x"] + at["w"]):
                    for y in range(at["y"], at["y"] + at["h"]):
                        assert (x, y) not in taken, f"{uid}: {panel['title']} lies on {taken[x, y]}"
                        taken[x, y] = panel["title"]
            for y, line in lines.items():
                assert sum(at["w"] for at in line) == GRID, f"{uid}: the line at {y} is not full"
                assert len({at["h"] for at in line}) == 1, f"{uid}: the line at {y} is ragged"


def test_every_selector_tells_agents_apart():
    for query in queries():
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query.expression)
        outside = re.sub(r"\{[^}]*\}", "{}", bare)
        assert not re.search(r"\b(?:ecmp|process)_\w+(?!\w|\{)", outside), f"{query}: a metric without selector"
        for metric, labels in metrics_of(query.expression).items():
            assert {"job", "instance"} <= labels, f"{query}: {metric}"
        assert query.expression.count('job=~"$job", instance=~"$instance"') >= len(metrics_of(
            query.expression)), str(query)


def test_windows_follow_the_zoom():
    for query in queries():
        for function, window in re.findall(r"\b(\w+)\([a-z_:]+\{[^}]*\}\[([^\]]+)\]\)", query.expression):
            assert (function, window) in (("rate", "$__rate_interval"), ("increase", "$__rate_interval"),
                                          ("increase", "$__range")), f"{query}: {function} over {window}"
        assert query.expression.count("[") == len(re.findall(r"\b(?:rate|increase)\(\w+\{[^}]*\}\[",
                                                             query.expression)), query
        # A number of events over the range makes sense at its end only.
        assert "$__range" not in query.expression or query.instant, str(query)


def test_counters_are_read_as_such():
    counted = re.compile(r"(?<!rate\()(?<!increase\()\becmp_\w+_(?:total|bucket)\{")
    assert counted.search("sum(ecmp_a_total{})") and not counted.search("sum(rate(ecmp_a_total{}[5m]))")
    wrong = [str(query) for query in queries() if counted.search(query.expression)]
    assert not wrong, "\n".join(wrong)


def test_names_are_joined_from_info_metrics_only():
    for query in queries():
        for labels, right in re.findall(r"group_left \(([^()]+)\) \(?(\w+)", query.expression):
            assert right.endswith("_info"), f"{query}: {labels} from {right}"


def test_series_have_legends():
    for query in queries():
        if query.panel == "annotation" or query.instant:
            continue
        panel = next(panel for uid, panel in every_panel() if uid == query.board and panel["title"] == query.panel)
        assert query.legend and (query.legend != "__auto" or panel["type"] == "table"), str(query)


def test_metrics_are_those_of_the_table():
    known = set(re.findall(r"^\| `((?:ecmp|process)_\w+)`", read("docs/metrics.md"), re.MULTILINE))
    assert len(known) > 50
    wrong = [
        f"{query}: {metric}" for query in queries() for metric in metrics_of(query.expression)
        if metric not in known and SUFFIX.sub("", metric) not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_links_lead_to_boards():
    for uid, panel in every_panel():
        for override in panel["fieldConfig"]["overrides"]:
            for links in (one["value"] for one in override["properties"] if one["id"] == "links"):
                for link in links:
                    to = re.match(r"/d/([a-z-]+)\?\$\{datasource:queryparam\}", link["url"])
                    assert to and to.group(1) in boards() and "${__url_time_range}" in link["url"], link
                    assert "&${job:queryparam}&" in link["url"] and "&var-instance=" in link["url"], link
                    variables = {one["name"] for one in boards()[to.group(1)]["templating"]["list"]}
                    assert set(re.findall(r"var-(\w+)=", link["url"])) <= variables, link


def test_provisioning_files_are_read():
    yaml = pytest.importorskip("yaml")
    source = yaml.safe_load(read("dashboards/provisioning/datasources/prometheus.yaml"))["datasources"][0]
    assert source["type"] == "prometheus" and source["access"] == "proxy" and source["uid"]
    provider = yaml.safe_load(read("dashboards/provisioning/dashboards/ecmp.yaml"))["providers"][0]
    assert provider["type"] == "file" and provider["options"]["path"].startswith("/")
