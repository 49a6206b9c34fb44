"""What is served, and how the program starts and ends."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

from exporter import BINARY, Exporter, config, eventually, free_port, now
from lab import DESTINATION, Fan

FLOWS = 16
TWO = [{"name": "four", "host": DESTINATION[4], "flows": FLOWS},
       {"name": "six", "host": DESTINATION[6], "flows": FLOWS, "labels": {"site": "lab", "note": 'a "quoted" \\ thing'}}]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture(scope="module")
def agent(fan):
    return fan.network.ns("agent")


@pytest.fixture(scope="module")
def exporter(agent):
    with Exporter(config(TWO), agent) as running:
        eventually(lambda: len([x for x in running.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        yield running


# --- /metrics ------------------------------------------------------------------------------------------------------------


def test_promtool_has_nothing_to_say(exporter):
    answer = exporter.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_real_prometheus_scrapes_it(exporter, fan, agent, tmp_path):
    port = free_port(agent)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: ecmp, static_configs: [{{targets: ['127.0.0.1:{exporter.port}']}}]}}]\n")
    prometheus = fan.network.popen(
        "agent", ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                  f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=open(tmp_path / "log", "w"))

    def query(expression):
        with fan.network.entered("agent"):
            import http.client
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
                answer = json.loads(connection.getresponse().read())
            except (OSError, ValueError):
                return {}
            finally:
                connection.close()
        return {series["metric"].get("destination"): series["value"][1] for series in answer["data"]["result"]}

    try:
        eventually(lambda: query("up") == {None: "1"}, 30, lambda: (tmp_path / "log").read_text())
        paths = {name: str(len({path[1] for path in fan.expected_paths(
            DESTINATION[family], range(50000, 50000 + FLOWS)).values()})) for family, name in ((4, "four"), (6, "six"))}
        eventually(lambda: query("ecmp_paths") == paths, 15, lambda: f"{query('ecmp_paths')} should be {paths}")
        assert query("scrape_samples_scraped > 100")
    finally:
        prometheus.terminate()
        prometheus.wait(20)


def test_the_users_labels_are_on_the_info_metric(exporter):
    infos = {have["destination"]: have for have, value in exporter.metrics().families["ecmp_destination_info"]}
    assert infos["six"]["site"] == "lab" and infos["six"]["note"] == 'a \\"quoted\\" \\\\ thing'
    assert infos["four"]["address"] == DESTINATION[4] and infos["four"]["protocol"].lower() == "udp"


# --- /paths --------------------------------------------------------------------------------------------------------------


def test_without_filters_the_newest_round_of_every_flow_is_told(exporter):
    lines = exporter.paths()
    assert sorted((line["destination"], line["source_port"]) for line in lines) \
        == [(name, 50000 + i) for name in ("four", "six") for i in range(FLOWS)]


def test_filters_of_destination_flow_and_path(exporter):
    assert {line["destination"] for line in exporter.paths(destination="six")} == {"six"}
    one = exporter.paths(destination="four", flow=50003)
    assert [(line["destination"], line["source_port"]) for line in one] == [("four", 50003)]
    same = exporter.paths(destination="four", path=one[0]["path"])
    assert 0 < len(same) < FLOWS and {line["path"] for line in same} == {one[0]["path"]}


def test_since_a_moment_and_since_a_duration(exporter):
    moment = now()
    eventually(lambda: len(exporter.paths(since=moment)) >= 4 * FLOWS, 15, "two rounds since a moment")
    lines = exporter.paths(since=moment)
    assert all(line["timestamp"][:19] >= moment[:19] for line in lines)
    assert len(exporter.paths(since="10m")) > len(lines)
    assert len(exporter.paths(since="10m", limit=5)) == 5
    assert exporter.paths(since="10m", limit=3, flow=50001, destination="six")[0]["source_port"] == 50001


def test_follow_streams_rounds_as_they_end(exporter):
    connection = exporter.connection()
    try:
        connection.request("GET", "/paths?destination=four&flow=50002&follow=true")
        response = connection.getresponse()
        assert response.status == 200
        lines = [json.loads(response.readline()) for _ in range(4)]
        assert {(line["destination"], line["source_port"]) for line in lines} == {("four", 50002)}
        numbers = [line["probe_num"] for line in lines]
        assert numbers == list(range(numbers[0], numbers[0] + 4))
    finally:
        connection.close()


@pytest.mark.parametrize("query,parameter", [
    ("flow=abc", "flow"), ("flow=70000", "flow"), ("flow=-1", "flow"), ("limit=-1", "limit"), ("limit=many", "limit"),
    ("since=yesterday", "since"), ("since=2026-13-40T00:00:00Z", "since"), ("path=xyz", "path"),
    ("follow=maybe", "follow")])
def test_a_bad_parameter_is_named(exporter, query, parameter):
    answer = exporter.get("/paths?" + query)
    assert answer.status == 400
    assert parameter in answer.text and answer.text.count("\n") == 1 and answer.text.endswith("\n")


# --- the rest of HTTP ----------------------------------------------------------------------------------------------------


def test_healthy_ready_and_the_page(exporter):
    assert exporter.get("/-/healthy").status == 200
    assert exporter.get("/-/ready").status == 200
    page = exporter.get("/")
    assert page.status == 200 and "/metrics" in page.text and "/paths" in page.text


def test_unknown_paths_and_wrong_methods(exporter):
    assert exporter.get("/nothing-here").status == 404
    for method in ("POST", "PUT", "DELETE"):
        assert exporter.request(method, "/metrics").status == 405


def test_idle_clients_keep_nobody_out(exporter):
    idle = [exporter.connection() for _ in range(40)]
    try:
        begin = time.monotonic()
        assert exporter.get("/metrics").status == 200
        assert time.monotonic() - begin < 5
    finally:
        for connection in idle:
            connection.close()


# --- start and end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_within_two_seconds(agent, number):
    with Exporter(config(TWO), agent) as running:
        eventually(running.paths, 10, "a round")
        follower, idle = running.connection(), running.connection()
        follower.request("GET", "/paths?follow=true")
        follower.getresponse().readline()
        code, seconds = running.stop(number)
        assert code == 0, running.read_log()
        assert seconds < 2
        idle.close()
        follower.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_while_it_still_reads_its_configuration(tmp_path, number):
    pipe = tmp_path / "pipe"  # nobody writes: the program is held up where a large configuration holds it up for a while
    os.mkfifo(pipe)
    process = subprocess.Popen([BINARY, f"--config.file={pipe}"], stdin=subprocess.DEVNULL)
    try:
        def handled():
            with open(f"/proc/{process.pid}/status") as status:
                caught = next(line for line in status if line.startswith("SigCgt:"))
            return int(caught.split()[1], 16) >> (number - 1) & 1
        eventually(handled, 20, "a handler of the signal")
        process.send_signal(number)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_is_said(agent, exporter):
    with Exporter(config(TWO), agent, port=exporter.port, ready_seconds=0) as second:
        assert second.process.wait(5) == 1
        assert str(exporter.port) in second.read_log() and "in use" in second.read_log()


@pytest.fixture
def binary_for_everyone(tmp_path_factory):
    """A copy where any user can run it: the build directory may be closed to others."""
    directory = tmp_path_factory.mktemp("bin")
    for parent in (directory, *directory.parents):
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    return shutil.copy(BINARY, directory / "ecmp_exporter")


def as_nobody(capabilities):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={capabilities}",
            f"--ambient-caps={capabilities}", f"--bounding-set={capabilities}"]


def test_cap_net_raw_is_all_it_needs(agent, binary_for_everyone):
    with Exporter(config(TWO), agent, command_prefix=as_nobody("-all,+net_raw"),
                  binary=binary_for_everyone) as running:
        eventually(lambda: len([x for x in running.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        with open(f"/proc/{running.process.pid}/status") as status:
            text = status.read()
        # It needs that one to open its sockets, and gives it up too (test_privileges.py).
        assert re.search(r"CapEff:\s+0000000000000000\n", text) and re.search(r"Uid:\s+65534", text)


def test_without_any_capability_it_says_what_is_missing(agent, binary_for_everyone):
    with Exporter(config(TWO), agent, command_prefix=as_nobody("-all"), binary=binary_for_everyone,
                  ready_seconds=0) as running:
        assert running.process.wait(5) == 1
        lines = [line for line in running.read_log().splitlines() if "CAP_NET_RAW" in line]
        assert len(lines) == 1, running.read_log()


# --- the command line; neither root nor a lab ----------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)


@pytest.mark.anywhere
def test_a_good_configuration_passes_the_check(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(config(TWO))
    done = run(f"--config.file={path}", "--config.check")
    assert done.returncode == 0, done.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize("name", ["quickstart.toml"])
def test_the_configurations_that_come_along_pass_the_check(name):
    path = os.path.join(os.path.dirname(__file__), "../../configs", name)
    done = run(f"--config.file={path}", "--config.check")
    assert done.returncode == 0, done.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize("text,line", [("[probe]\nflows = 4\n[colours]\nred = 1\n", 3), ("[probe]\nflows = = 4\n", 2)])
def test_a_bad_configuration_is_told_with_its_place(tmp_path, text, line):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    for arguments in ([f"--config.file={path}", "--config.check"], [f"--config.file={path}"]):
        done = run(*arguments)
        assert done.returncode == 1
        assert re.search(rf"{re.escape(str(path))}:{line}:\d+: \S", done.stdout + done.stderr), done


@pytest.mark.anywhere
def test_a_configuration_that_is_not_there_is_an_error(tmp_path):
    done = run(f"--config.file={tmp_path}/none.toml", "--config.check")
    assert done.returncode == 1 and "none.toml" in done.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--log.level=loud"], ["stray"]])
def test_bad_usage_is_exit_code_2(arguments):
    assert run(*arguments).returncode == 2


@pytest.mark.anywhere
def test_version_and_help():
    assert run("--version").returncode == 0 and "ecmp_exporter" in run("--version").stdout
    usage = run("--help")
    assert usage.returncode == 0 and "--config.file" in usage.stdout and "--web.listen-address" in usage.stdout
