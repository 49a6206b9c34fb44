"""GET /probe: one-off traces for whoever asks, beside the steady ones."""
import concurrent.futures
import http.client
import json
import pathlib
import re
import signal
import subprocess
import time
import urllib.parse

import pytest

from exporter import BINARY, Exporter, Metrics, config, eventually, free_port, now
from lab import DESTINATION, Fan
from netns import entered

FLOWS = 16
MODULES = """
[modules.fan]
flows = 32
rounds = 3
interval = "300ms"

[modules.web]
protocol = "tcp"
flows = 8
interval = "200ms"

[modules.slow]
flows = 2
rounds = 50
interval = "1s"

[one_off]
allowed_networks = ["%s/32", "%s/128", "203.0.113.0/24"]
requests_per_second = 20
burst = 20
max_concurrent = 3
timeout = "8s"
""" % (DESTINATION[4], DESTINATION[6])
STEADY = [{"name": "four", "host": DESTINATION[4], "flows": FLOWS}, {"name": "six", "host": DESTINATION[6], "flows": FLOWS}]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture(scope="module")
def agent(fan):
    return fan.network.ns("agent")


@pytest.fixture(scope="module")
def exporter(agent):
    with Exporter(config(STEADY) + MODULES, agent) as running:
        eventually(lambda: len([x for x in running.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        yield running


def probe(exporter, destination, module="fan", scrape_timeout=None, **more):
    """(status, body) of GET /probe, asked as Prometheus asks."""
    query = urllib.parse.urlencode({"destination": destination, "module": module, **more})
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(scrape_timeout)} if scrape_timeout else {}
    with entered(exporter.namespace):
        connection = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=20)
        connection.connect()
    try:
        connection.request("GET", "/probe?" + query, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def refused(exporter, reason):
    return exporter.metrics().values("ecmp_exporter_one_off_refused_total", "reason")[reason]


@pytest.mark.parametrize("family", (4, 6))
def test_it_finds_the_fan(exporter, fan, family):
    status, body = probe(exporter, DESTINATION[family])
    assert status == 200
    told = Metrics(body)
    assert told.families["ecmp_probe_success"] == [({}, 1.0)]
    assert 0.5 < told.families["ecmp_probe_duration_seconds"][0][1] < 8
    assert set(told.values("ecmp_destination_up", "destination")) == {DESTINATION[family]}
    ports = [int(flow) for flow in told.values("ecmp_flow_probes_total", "flow")]
    assert len(ports) == 32 and not set(ports) & set(range(50000, 50000 + FLOWS))
    assert set(told.values("ecmp_flow_probes_total", "flow").values()) == {3}
    expected = {port: tuple(path) for port, path in fan.expected_paths(DESTINATION[family], ports).items()}
    paths = told.paths(DESTINATION[family])
    assert {port: paths[path] for port, path in told.flow_paths(DESTINATION[family]).items()} == expected
    assert not [name for name in told.families if name.startswith(("ecmp_exporter_", "process_"))]


def test_another_module_is_another_protocol(exporter):
    status, body = probe(exporter, DESTINATION[4], "web")
    assert status == 200
    info, = Metrics(body).families["ecmp_destination_info"]
    assert (info[0]["protocol"], info[0]["port"]) == ("tcp", "443")


def test_relabelling_made_for_the_blackbox_exporter_works(exporter):
    """`target` for the host, and the names of blackbox_exporter beside our own."""
    answer = exporter.get("/probe?" + urllib.parse.urlencode({"module": "fan", "target": DESTINATION[4]}))
    told = Metrics(answer.text)
    assert answer.status == 200
    for name in ("success", "duration_seconds"):
        assert told.families[f"probe_{name}"] == told.families[f"ecmp_probe_{name}"]
    assert told.families["probe_success"] == [({}, 1.0)]


def test_promtool_has_nothing_to_say(exporter):
    _, body = probe(exporter, DESTINATION[4])
    done = subprocess.run(["promtool", "check", "metrics"], input=body.encode(), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_who_does_not_answer_is_told_before_the_scraper_gives_up(exporter):
    begin = time.monotonic()
    status, body = probe(exporter, "203.0.113.7", "slow", scrape_timeout=2.5)
    took = time.monotonic() - begin
    assert status == 200 and took < 2.5
    assert Metrics(body).families["ecmp_probe_success"] == [({}, 0.0)]


def test_debug_tells_what_happened(exporter):
    status, body = probe(exporter, DESTINATION[4], debug="true")
    assert status == 200
    lines = body.splitlines()
    assert lines[0] == f"Module fan, destination {DESTINATION[4]}: reached"
    assert len([line for line in lines if re.match(r"^\+\d\.\d{3}s flow \d+, round \d: reached at TTL 4 in ", line)]) == 96
    assert "ecmp_probe_success 1" in lines


def test_only_allowed_networks(exporter, agent):
    before = refused(exporter, "network")
    for host in ("198.51.100.1", "127.0.0.1", "10.0.0.1", "::1"):
        status, body = probe(exporter, host)
        assert status == 403 and body.count("\n") == 1
    # A name is no way around it: it is looked up first.
    status, body = probe(exporter, "localhost")
    assert status == 403 and "allowed_networks" in body
    # Scrapes within 250 ms of each other share their body.
    eventually(lambda: refused(exporter, "network") == before + 5, 3, lambda: refused(exporter, "network"))


@pytest.mark.parametrize("query,status,words", [
    ({"destination": "a"}, 400, "parameter module is missing"),
    ({"module": "fan"}, 400, "parameter destination is missing"),
    ({"module": "nan", "destination": "a"}, 400, 'parameter module: "nan" is not configured'),
    ({"module": "fan", "destination": "a b"}, 400, "parameter destination="),
    ({"module": "fan", "destination": "a", "target": "b"}, 400, "parameters destination and target name different hosts"),
    ({"module": "fan", "destination": "a", "host": "b"}, 400, 'parameter "host" is unknown'),
    # The sentences of the configuration.
    ({"module": "fan", "destination": "224.0.0.1"}, 400,
     'parameter destination="224.0.0.1": a multicast address cannot be traced'),
    ({"module": "fan", "destination": "[2001:db8::1]"}, 400,
     'parameter destination="[2001:db8::1]": expected an IPv6 address without brackets'),
    ({"module": "fan", "destination": "fe80::1%eth0"}, 400,
     'parameter destination="fe80::1%eth0": expected an address without a zone'),
    ({"module": "fan", "destination": "::ffff:192.0.2.1"}, 400,
     'parameter destination="::ffff:192.0.2.1": an IPv4-mapped address: write the IPv4 address'),
])
def test_bad_parameters_are_told_in_one_line(exporter, query, status, words):
    answer = exporter.get("/probe?" + urllib.parse.urlencode(query))
    assert answer.status == status
    assert answer.text.startswith(words) and answer.text.count("\n") == 1


def test_many_at_once_are_refused_and_the_steady_tracing_does_not_notice(exporter):
    since = now()
    before = exporter.metrics()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: probe(exporter, DESTINATION[4 if i % 2 else 6]), range(12)))
    assert {status for status, _ in answers} == {200, 429}
    good = [Metrics(body) for status, body in answers if status == 200]
    assert 3 <= len(good) <= 11
    for told in good:  # beside each other to the same address: none takes another's replies
        assert set(told.values("ecmp_flow_replies_total", "flow").values()) == {3}
    after = exporter.metrics()
    for name in ("ecmp_exporter_rounds_skipped_total", "ecmp_exporter_capture_dropped_total"):
        assert after.families[name] == before.families[name]
    for destination in ("four", "six"):
        for lines in exporter.rounds(destination, since).values():
            assert lines and all(line["reached_dest"] and not line["loss"] for line in lines)


def test_the_names_that_cannot_be_found_are_a_failure_not_an_error(exporter):
    status, body = probe(exporter, "no-such-name.invalid", scrape_timeout=3)
    assert status == 200
    assert Metrics(body).families["ecmp_probe_success"] == [({}, 0.0)]


def test_it_stops_at_once_while_somebody_waits(agent):
    with Exporter(config([]) + MODULES, agent) as running:  # whatever is probed is probed for the request
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(probe, running, "203.0.113.9", "slow", 60)
            eventually(lambda: running.metrics().values("ecmp_exporter_probes_sent_total", "protocol")["udp"] > 0, 5,
                       "it probes")
            code, took = running.stop(signal.SIGTERM)
            assert code == 0 and took < 2
            try:
                assert waiting.result(5)[0] == 503
            except (OSError, http.client.HTTPException):
                pass  # the answer did not make it out any more


def test_without_modules_there_is_nothing(agent):
    with Exporter(config(STEADY), agent) as running:
        status, body = probe(running, DESTINATION[4])
        assert status == 404 and body.count("\n") == 1


# --- docs/probe.md ------------------------------------------------------------------------------------------------------


def example():
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "probe.md").read_text()
    return {kind: block for kind, block in re.findall(r"```(toml|yaml)\n(.*?)```", text, re.DOTALL)}


def test_a_reload_changes_its_series_too(agent):
    text = config(STEADY[:1]) + MODULES
    with Exporter(text, agent) as running:
        def series():
            status, body = probe(running, DESTINATION[4], "web")
            assert status == 200
            told = Metrics(body)
            return "ecmp_flow_probes_total" in told.families, set(told.values("ecmp_path_rtt_seconds_bucket", "le"))
        flows, bounds = series()
        assert flows and "0.777" not in bounds
        with open(running.config_path, "w") as file:
            file.write(text + "[metrics]\nflows = false\n[histograms]\nrtt_buckets = [0.777, 1.5]\n")
        assert running.request("POST", "/-/reload").status == 200
        eventually(lambda: series() == (False, {"0.777", "1.5", "+Inf"}), 15, series)
        # All of its observations are within the bound that is new.
        told = Metrics(probe(running, DESTINATION[4], "web")[1])
        counts = told.values("ecmp_path_rtt_seconds_bucket", "le")
        assert counts["0.777"] == counts["+Inf"] > 0


def test_the_documented_configuration_is_good(tmp_path):
    (tmp_path / "exporter.toml").write_text(example()["toml"])
    done = subprocess.run([BINARY, f"--config.file={tmp_path}/exporter.toml", "--config.check"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_promtool_accepts_the_documented_relabelling(tmp_path):
    (tmp_path / "prometheus.yml").write_text(example()["yaml"])
    done = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_probes_as_documented(exporter, fan, agent, tmp_path):
    port = free_port(agent)
    text = example()["yaml"].replace("localhost:10815", f"127.0.0.1:{exporter.port}")
    text = re.sub(r"targets: \[.*\]", f"targets: ['{DESTINATION[4]}']", text).replace("module: [edge]", "module: [fan]")
    text = re.sub(r"scrape_interval: .*", "scrape_interval: 4s", text)
    text = re.sub(r"scrape_timeout: .*", "scrape_timeout: 4s", text)
    (tmp_path / "prometheus.yml").write_text(text)
    prometheus = fan.network.popen(
        "agent", ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                  f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=open(tmp_path / "log", "w"))

    def query(expression):
        with entered(agent):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
                answer = json.loads(connection.getresponse().read())
            except (OSError, ValueError):
                return {}
            finally:
                connection.close()
        return {series["metric"].get("instance"): series["value"][1] for series in answer["data"]["result"]}

    try:
        eventually(lambda: query("ecmp_probe_success") == {DESTINATION[4]: "1"}, 30, lambda: (tmp_path / "log").read_text())
        assert query("ecmp_paths") == {DESTINATION[4]: "4"}
    finally:
        prometheus.terminate()
        prometheus.wait(20)
