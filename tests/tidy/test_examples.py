"""The examples for Prometheus, compose and the stores behind are accepted by what can be had of them, and fit."""
import glob
import os
import re
import shutil
import subprocess
import time

import pytest

from sources import ROOT, read

yaml = pytest.importorskip("yaml")
SCALING = os.path.join(ROOT, "configs", "scaling")


def load(path):
    return yaml.safe_load(read(path))


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(
    "path",
    sorted(
        os.path.relpath(path, ROOT) for directory in ("prometheus", "scaling")
        for path in glob.glob(f"{ROOT}/configs/{directory}/prometheus*.yml")))
@pytest.mark.parametrize("promtool", ["promtool", "promtool3"])
def test_promtool_accepts_the_configuration(path, promtool, tmp_path):
    """A key of Prometheus 3.8 is taken out for one that does not know it yet."""
    if not shutil.which(promtool):
        pytest.skip(f"{promtool} is not installed (tests/peers.sh prometheus)")
    shown = subprocess.run([promtool, "--version"], capture_output=True, text=True)
    version = tuple(map(int, re.search(r"version (\d+)\.(\d+)", shown.stdout + shown.stderr).groups()))
    if version < (3, 8) and path.endswith("-3.8.yml"):
        text = read(path)
        assert text.count("    scrape_native_histograms: true\n") == 1
        (tmp_path / "prometheus.yml").write_text(text.replace("    scrape_native_histograms: true\n", ""))
        (tmp_path / "agents.yml").write_text(read("configs/prometheus/agents.yml"))
        path = str(tmp_path / "prometheus.yml")
    done = subprocess.run([promtool, "check", "config", "--lint=all", "--lint-fatal", path], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_rules_stand_where_the_configuration_looks_for_them(tmp_path):
    """As compose mounts them: the rules in a directory beside the configuration."""
    for name in ("prometheus.yml", "agents.yml"):
        shutil.copy(os.path.join(ROOT, "configs/prometheus", name), tmp_path)
    shutil.copytree(os.path.join(ROOT, "dashboards/rules"), tmp_path / "rules")
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True)
    assert done.returncode == 0 and "32 rules" in done.stdout and "2 rule files found" in done.stdout, done.stdout


def test_the_relabel_example_takes_the_port_of_the_exporter_away():
    job = load("configs/prometheus/prometheus.yml")["scrape_configs"][0]
    rule = job["relabel_configs"][0]
    (address,) = load("configs/prometheus/agents.yml")[0]["targets"]
    assert re.fullmatch(rule["regex"], address).group(1) == "localhost" and rule["target_label"] == "instance"
    default = re.search(r'#listen_addresses = \[":(\d+)"\]', read("configs/ecmp_exporter.toml")).group(1)
    assert address.endswith(":" + default)


def metric_names():
    names = re.findall(r"^\| `((?:ecmp|process)_\w+)`", read("docs/metrics.md"), re.MULTILINE)
    return [name + suffix for name in names for suffix in ("", "_bucket")]


@pytest.mark.parametrize("path,rules",
                         [("configs/prometheus/prometheus.yml", ["scrape_configs", 0, "metric_relabel_configs"]),
                          ("configs/scaling/prometheus-mimir.yml", ["remote_write", 0, "write_relabel_configs"])])
def test_what_is_dropped_exists_and_no_rule_needs_it(path, rules):
    found = load(path)
    for key in rules:
        found = found[key]
    asked = read("dashboards/rules/recording.yml") + read("dashboards/rules/alerts.yml")
    for rule in found:
        dropped = [name for name in metric_names() if re.fullmatch(rule["regex"], name)]
        assert dropped, rule
        if rules[0] == "scrape_configs":
            assert not [name for name in dropped if re.search(rf"\b{name}\b", asked)]


def test_federation_takes_what_exists():
    params = load("configs/scaling/prometheus-global.yml")["scrape_configs"][0]["params"]["match[]"]
    recorded = re.findall(r"record: (\S+)", read("dashboards/rules/recording.yml"))
    alerts = re.findall(r"alert: (\S+)", read("dashboards/rules/alerts.yml"))
    for match in params:
        pattern = re.search(r'=~"(.+)"', match).group(1)
        assert any(re.fullmatch(pattern, name) for name in metric_names() + recorded + alerts), match
        for name in re.findall(r"\|?(\w+)",
                               pattern.split("(")[-1].split(")")[0]) if pattern.startswith("ecmp_(") else ():
            assert f"ecmp_{name}" in metric_names(), name


def test_compose_mounts_what_is_there_where_it_is_looked_for():
    compose = load("packaging/compose.yaml")
    services = compose["services"]
    assert set(services) == {"ecmp_exporter", "prometheus", "grafana"}
    mounts = {}
    for service in services.values():
        for mount in service["volumes"]:
            path, inside = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", mount).removesuffix(":ro").split(":")
            mounts[inside] = path
            if path.startswith("."):
                assert os.path.exists(os.path.join(ROOT, "packaging", path)), mount
            else:
                assert path in compose["volumes"], mount
    assert mounts["/etc/prometheus/rules"].endswith("dashboards/rules")
    boards = load("dashboards/provisioning/dashboards/ecmp.yaml")["providers"][0]["options"]["path"]
    assert mounts[boards].endswith("dashboards/grafana")
    assert services["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == boards + "/ecmp-overview.json"
    url = load("dashboards/provisioning/datasources/prometheus.yaml")["datasources"][0]["url"]
    assert url == "http://prometheus:9090" and "127.0.0.1:9090:9090" in services["prometheus"]["ports"]
    assert services["ecmp_exporter"]["cap_add"] == ["NET_RAW"] and services["ecmp_exporter"]["cap_drop"] == ["ALL"]
    for service in services.values():
        assert not service.get("image", "").endswith(":latest")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", ["vector-clickhouse.yaml", "vector-kafka.yaml"])
def test_vector_components_are_joined(name):
    config = load(f"configs/scaling/{name}")
    made = {**config["sources"], **config.get("transforms", {})}
    used = {
        one
        for kind in ("transforms", "sinks")
        for component in config.get(kind, {}).values()
        for one in component["inputs"]
    }
    assert used == set(made)
    (source,) = config["sources"].values()
    assert source["command"][-1].startswith("http://localhost:10815/paths?") and "follow=true" in source["command"][-1]
    assert all(one["type"] for kind in ("sources", "transforms", "sinks") for one in config.get(kind, {}).values())


def test_the_columns_of_the_table_are_members_of_rounds():
    sql = read("configs/scaling/clickhouse.sql")
    columns = re.findall(r"^    (\w+) +(?:[A-Z])", sql.split("ENGINE")[0], flags=re.M)
    hops = re.findall(r"(\w+) (?:UInt|String|Bool)", sql.split("Array(Tuple(")[1].split("))")[0])
    told = set(re.findall(r'"(\w+)', read("src/render/json/ndjson.cpp")))
    missing = (set(columns) - {"agent"} | set(hops)) - told
    assert len(columns) == 15 and len(hops) == 8 and not missing, missing


def test_fluent_bit_finds_its_parser_and_routes_what_it_reads():

    def sections(path):
        return [
            dict(re.findall(r"^\s+(\S+)\s+(.+)$", body, flags=re.M)) | {"section": name}
            for name, body in re.findall(r"^\[(\w+)\]\n((?:[ \t].*\n|\n|#.*\n)*)", read(path), flags=re.M)
        ]

    config, parsers = sections("configs/scaling/fluent-bit.conf"), sections("configs/scaling/fluent-bit-parsers.conf")
    (source,) = [one for one in config if one["section"] == "INPUT"]
    assert source["parser"] in [one["name"] for one in parsers]
    assert all(one["match"] == source["tag"] for one in config if one["section"] in ("FILTER", "OUTPUT"))
    assert os.path.exists(os.path.join(SCALING, config[0]["parsers_file"]))


@pytest.mark.parametrize("path", ["configs/prometheus/prometheus-3.8.yml", "configs/collectors/vmagent.yml",
                                  "configs/collectors/otel-collector.yml"])
def test_every_collector_scrapes_alike(path):
    """The job and its instances have the names that boards and alerts look for."""
    config = load(path)
    config = config["receivers"]["prometheus"]["config"] if "receivers" in config else config
    (job,) = config["scrape_configs"]
    (known,) = load("configs/prometheus/prometheus.yml")["scrape_configs"]
    assert job["job_name"] == known["job_name"]
    (rule,), (wanted,) = job["relabel_configs"], known["relabel_configs"]
    assert {**rule, "replacement": rule["replacement"].replace("$$", "$")} == wanted
    assert job.get("scrape_protocols", ["PrometheusProto"])[0] == "PrometheusProto"
    # The scraper of Prometheus 3.8 takes none without it; vmagent does not know the key.
    assert job.get("scrape_native_histograms", False) == (not path.endswith("vmagent.yml"))


def test_the_pipeline_of_the_collector_is_joined():
    config = load("configs/collectors/otel-collector.yml")
    (pipeline,) = config["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(config[kind])
    assert config["exporters"]["prometheusremotewrite"]["add_metric_suffixes"] is False


@pytest.mark.parametrize("program,arguments",
                         [("otelcol-contrib", ["validate", "--config=configs/collectors/otel-collector.yml"]),
                          ("vmagent", ["-dryRun", "-promscrape.config=configs/collectors/vmagent.yml",
                                       "-promscrape.config.strictParse", "-remoteWrite.url=http://127.0.0.1:1/"])])
def test_collectors_accept_their_configuration(program, arguments):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_round_counts_once_though_a_restarted_shipper_sends_it_twice():
    """In ClickHouse as a library, where there is one (tests/peers.sh chdb)."""
    session = pytest.importorskip("chdb.session", reason="chdb is not installed (tests/peers.sh chdb)").Session()
    statements = re.sub(r"--.*", "", read("configs/scaling/clickhouse.sql")).split(";")
    for statement in filter(str.strip, statements):
        session.query(statement)
    rounds = [(second, "reached", 0) for second in range(8)] + [(8, "lost", 1), (9, "suppressed", 0), (10, "unobserved", 1)]
    hour = int(time.time()) // 3600 * 3600 - 3600  # rounds of a month ago would be gone at once
    for _ in range(2):
        for second, outcome, loss in rounds:
            session.query("INSERT INTO rounds (timestamp, agent, destination, source_port, path, loss, outcome, hops) VALUES ("
                          f"toDateTime64({hour + second}, 9), 'a', 'd', 50000, 'p', {loss}, '{outcome}', "
                          "[(1, '192.0.2.1', '', 0, 0, 1000, 'time_exceeded', 64)])")
    assert str(session.query("SELECT rounds, round(loss_ratio, 3) FROM path_loss")).strip() == "9,0.111"
    assert str(session.query("SELECT rounds, lost FROM responders")).strip() == "9,1"
