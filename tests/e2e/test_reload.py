"""Another configuration while it runs: nothing changes but what was edited."""
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading

import pytest

from exporter import BINARY, Exporter, config, eventually, now
from lab import Fan
from netns import entered

COUNT = 1000
FLOWS = 2
MANY = [f"10.78.{i // 200}.{i % 200 + 1}" for i in range(COUNT)]
PROBE = {"interval": "4s", "timeout": "2s", "flows": FLOWS}
LIMITS = {"probes_per_second_per_responder": 100000}
COUNTERS = ["ecmp_flow_probes_total", "ecmp_flow_replies_total", "ecmp_flow_path_changes_total",
            "ecmp_path_probes_total", "ecmp_path_replies_total", "ecmp_hop_probes_total", "ecmp_hop_replies_total",
            "ecmp_hop_losses_total", "ecmp_hop_silences_total"]
FEW = {"interval": "500ms", "timeout": "300ms", "flows": FLOWS}


@pytest.fixture(scope="module")
def fan():
    with Fan(width=2) as made:
        yield made


@pytest.fixture(scope="module")
def agent(fan):
    return fan.network.ns("agent")


def write(path, text):
    """As good tools do it: all at once."""
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def beside(exporter, name, text):
    path = os.path.join(exporter.directory.name, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(path, text)
    return path


def groups(hosts, labels=None):
    return [{"targets": [host], "labels": {"site": "lab", **(labels or {}).get(host, {})}} for host in hosts]


def scrape(exporter, *names):
    answer = exporter.get("/metrics?" + "&".join(f"name[]={name}" for name in names))
    assert answer.status == 200, answer
    from exporter import Metrics
    return Metrics(answer.text)


def one(exporter, name, **labels):
    values = scrape(exporter, name).values(name, "source", **labels)
    return next(iter(values.values())) if values else None


def destinations(exporter):
    return {have["destination"]: have for have, _ in
            scrape(exporter, "ecmp_destination_info").families["ecmp_destination_info"]}


def samples(exporter):
    """{(family, labels): value} of every counter about the network."""
    metrics = scrape(exporter, *COUNTERS)
    return {(name, tuple(sorted(have.items()))): value for name in COUNTERS
            for have, value in metrics.families.get(name, [])}


def destination_of(sample):
    return dict(sample[1])["destination"]


def newest_rounds(exporter):
    return {(line["destination"], line["source_port"]): line["probe_num"] for line in exporter.paths()}


class Watch:
    """Scrapes again and again: no counter may go backwards, nor anything of those that are not edited go away."""

    def __init__(self, exporter, edited):
        self.exporter, self.edited = exporter, edited
        self.first = self.last = samples(exporter)
        self.rounds = newest_rounds(exporter)

    def look(self):
        new = samples(self.exporter)
        for sample, value in self.last.items():
            if sample in new:
                assert new[sample] >= value, f"{sample} went from {value} to {new[sample]}"
            else:
                assert destination_of(sample) in self.edited, f"{sample} is gone"
        self.last = new

    def settle(self):
        """Everybody had another round; then each flow must have counted all its rounds and no other."""
        begin = newest_rounds(self.exporter)
        eventually(lambda: all(number > begin[flow] for flow, number in newest_rounds(self.exporter).items()
                               if flow in begin and flow[0] not in self.edited), 20, "a round of every flow")
        self.look()
        others = {sample: value for sample, value in self.last.items() if destination_of(sample) not in self.edited}
        assert others.keys() == {s for s in self.first if destination_of(s) not in self.edited}
        counted = dict(others)
        for (name, labels), value in counted.items():
            if name in ("ecmp_hop_losses_total", "ecmp_hop_silences_total", "ecmp_flow_path_changes_total"):
                assert value == self.first[name, labels], (name, labels)
        for (destination, port), number in self.rounds.items():
            if destination in self.edited:
                continue
            newest = begin[destination, port]
            assert newest >= number  # the numbers go on
            key = tuple(sorted({"destination": destination, "flow": str(port)}.items()))
            probes = counted["ecmp_flow_probes_total", key]
            # What is told is at most a round old, or new.
            assert newest <= probes <= newest + 3, (destination, port, newest, probes)
            assert counted["ecmp_flow_replies_total", key] == probes


def test_a_thousand_destinations_of_which_few_are_edited(agent, fan):
    text = config([], PROBE, {**LIMITS, "max_series": 5000000}) + \
        '\n[histograms]\nformat = "native"\nhops = "off"\n[discovery]\nfiles = ["targets/*.json"]\n'
    with Exporter(text, agent) as exporter:
        file = beside(exporter, "targets/many.json", json.dumps(groups(MANY)))
        eventually(lambda: len(destinations(exporter)) == COUNT, 15, exporter.read_log)
        eventually(lambda: len(newest_rounds(exporter)) == COUNT * FLOWS, 20, "a round of every flow")
        eventually(lambda: min(newest_rounds(exporter).values()) >= 1, 20, "two rounds of every flow")
        edited, removed, added = MANY[500], MANY[700], "10.78.99.1"
        watch = Watch(exporter, {edited, removed, added})

        # one label
        probes_before = scrape(exporter, "ecmp_flow_probes_total").values("ecmp_flow_probes_total", "flow",
                                                                         destination=edited)
        write(file, json.dumps(groups(MANY, {edited: {"site": "other"}})))
        eventually(lambda: destinations(exporter)[edited]["site"] == "other", 5, exporter.read_log)
        watch.look()
        probes_after = scrape(exporter, "ecmp_flow_probes_total").values("ecmp_flow_probes_total", "flow",
                                                                        destination=edited)
        assert all(probes_before[flow] <= probes_after[flow] <= probes_before[flow] + 2 for flow in probes_before)

        # one added, one removed
        hosts = [host for host in MANY if host != removed] + [added]
        write(file, json.dumps(groups(hosts, {edited: {"site": "other"}})))
        eventually(lambda: set(destinations(exporter)) == set(hosts), 5, exporter.read_log)
        assert not any(line["destination"] == removed for line in exporter.paths())
        assert removed not in {destination_of(sample) for sample in samples(exporter)}
        watch.look()
        eventually(lambda: (added, 50000) in newest_rounds(exporter), 20, "a round of what was added")

        # broken: everything stays
        write(file, json.dumps(groups(hosts))[:-1])
        eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=file) == 0, 5, exporter.read_log)
        assert one(exporter, "ecmp_exporter_discovery_failures_total", source=file) >= 1
        assert one(exporter, "ecmp_exporter_discovery_destinations", source=file) == COUNT
        # Lines of the log are written by a thread of their own.
        eventually(lambda: f"{file}:1:" in exporter.read_log() and "the last good destinations stay" in exporter.read_log(),
                   5, exporter.read_log)
        watch.look()
        assert set(destinations(exporter)) == set(hosts)

        # a reload of a configuration that says the same, by both ways
        assert exporter.request("POST", "/-/reload").status == 200
        exporter.process.send_signal(signal.SIGHUP)
        watch.look()
        write(file, json.dumps(groups(hosts)))
        eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=file) == 1, 5, exporter.read_log)
        eventually(lambda: destinations(exporter)[edited]["site"] == "lab", 5, exporter.read_log)
        watch.settle()
        assert exporter.metrics().values("ecmp_exporter_rounds_skipped_total", "x") == {None: 0}


@pytest.fixture
def exporter(agent):
    with Exporter(config([{"name": "a", "host": MANY[0]}, {"name": "b", "host": MANY[1]}], FEW), agent) as running:
        eventually(lambda: len(newest_rounds(running)) == 2 * FLOWS, 10, "a round of every flow")
        yield running


def reload_state(exporter):
    metrics = scrape(exporter, "ecmp_exporter_config_last_reload_successful",
                     "ecmp_exporter_config_last_reload_success_timestamp_seconds")
    return [metrics.families[name][0][1] for name in sorted(metrics.families)]


@pytest.mark.parametrize("text", ["", "[probe]\ninterval = \"1s\"\n"], ids=["empty", "its beginning"])
def test_a_configuration_that_was_cut_short_ends_nothing(exporter, text):
    write(exporter.config_path, text)
    answer = exporter.request("POST", "/-/reload")
    assert answer.status == 500
    assert answer.text.startswith(f"{exporter.config_path}: no destinations") and answer.text.count("\n") == 1
    assert reload_state(exporter)[1] == 0
    assert set(destinations(exporter)) == {"a", "b"}


@pytest.mark.parametrize("kept,gone", [("key", "allow"), ("allow", "key")])
def test_a_reflector_is_not_opened_by_a_file_that_was_cut_short(agent, tmp_path, kept, gone):
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    lines = {"listen": 'listen_addresses = ["127.0.0.1:20864"]', "key": f'key_file = "{key}"', "allow": 'allow = ["127.0.0.2/32"]'}
    text = config([{"name": "a", "host": MANY[0]}], FEW, LIMITS) + "[reflector]\n"
    with Exporter(text + "\n".join(lines.values()) + "\n", agent) as exporter:
        write(exporter.config_path, text + lines["listen"] + "\n" + lines[kept] + "\n")
        answer = exporter.request("POST", "/-/reload")
        assert answer.status == 500 and f"reflector.{'key_file' if gone == 'key' else gone} is gone" in answer.text
        assert reload_state(exporter)[1] == 0
        running = exporter.get("/config").text
        assert str(key) in running and "127.0.0.2/32" in running
        # Without an address to listen at it answers nobody.
        write(exporter.config_path, text)
        assert exporter.request("POST", "/-/reload").status == 200


def test_a_bad_configuration_keeps_the_running_one_and_says_all_that_is_wrong(exporter):
    with open(exporter.config_path) as file:
        good = file.read()
    when, successful = reload_state(exporter)
    assert successful == 1
    write(exporter.config_path, good.replace('"500ms"', '"500xs"') + '\n[[destination]]\nhost = "::zz"\n')
    answer = exporter.request("POST", "/-/reload")
    assert answer.status == 500
    lines = answer.text.splitlines()
    assert len(lines) == 2 and all(line.startswith(exporter.config_path + ":") for line in lines), lines
    assert "500xs" in lines[0] and "::zz" in lines[1]
    assert reload_state(exporter) == [when, 0]
    eventually(lambda: "::zz" in exporter.read_log(), 5, exporter.read_log)  # by a thread of its own
    assert set(destinations(exporter)) == {"a", "b"}

    exporter.process.send_signal(signal.SIGHUP)
    eventually(lambda: exporter.read_log().count("::zz") == 2, 5, exporter.read_log)
    write(exporter.config_path, good + f'\n[[destination]]\nname = "c"\nhost = "{MANY[2]}"\n')
    exporter.process.send_signal(signal.SIGHUP)
    eventually(lambda: set(destinations(exporter)) == {"a", "b", "c"}, 5, exporter.read_log)
    later, successful = reload_state(exporter)
    assert successful == 1 and later > when
    assert exporter.request("PUT", "/-/reload").status == 200
    assert exporter.request("GET", "/-/reload").status == 405


def test_what_takes_a_restart_is_said(exporter):
    with open(exporter.config_path) as file:
        good = file.read()
    write(exporter.config_path, good + '\n[web]\nlisten_addresses = [":1"]\n')
    answer = exporter.request("POST", "/-/reload")
    # The command line of the tests has another address: then those of the file mean nothing.
    assert answer.status == 200 and "listen_addresses" not in answer.text


def test_other_headers_restart_a_destination_and_its_counters_go_on(exporter):
    with open(exporter.config_path) as file:
        good = file.read()
    eventually(lambda: min(newest_rounds(exporter).values()) >= 4, 10, "some rounds")
    watch = Watch(exporter, {"a"})
    before = scrape(exporter, "ecmp_flow_probes_total").values("ecmp_flow_probes_total", "flow", destination="a")
    for value in (8, 16, 24):
        write(exporter.config_path, good.replace('name = "a"', f'name = "a"\ndscp = {value}'))
        assert exporter.request("POST", "/-/reload").status == 200
        watch.look()
    moment = now()
    eventually(lambda: len(exporter.paths(destination="a", since=moment)) >= 4 * FLOWS, 10, "rounds after it")
    watch.look()
    after = scrape(exporter, "ecmp_flow_probes_total").values("ecmp_flow_probes_total", "flow", destination="a")
    assert all(after[flow] > before[flow] for flow in before)
    changes = scrape(exporter, "ecmp_flow_path_changes_total").families["ecmp_flow_path_changes_total"]
    assert all(value == 0 for _, value in changes)


def test_the_running_configuration_is_told(exporter):
    answer = exporter.get("/config")
    assert answer.status == 200
    for part in ('[[destination]]\nname = "a"', f"# {exporter.config_path}:", "[limits]", 'interval = "500ms"'):
        assert part in answer.text
    copy = beside(exporter, "copy.toml", answer.text)
    done = subprocess.run([str(BINARY), f"--config.file={copy}", "--config.check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_shards_share_destinations_and_count_what_is_elsewhere(agent):
    text = config([{"host": host} for host in MANY[:60]], {"interval": "2s", "flows": 1})
    found = []
    for index in range(3):
        with Exporter(text + f"\n[shard]\nindex = {index}\ncount = 3\n", agent) as exporter:
            mine = set(destinations(exporter))
            assert scrape(exporter, "ecmp_exporter_destinations_elsewhere").values(
                "ecmp_exporter_destinations_elsewhere", "x") == {None: 60 - len(mine)}
            found.append(mine)
            if index == 2:
                write(exporter.config_path, text + "\n[shard]\nindex = 2\ncount = 4\n")
                assert exporter.request("POST", "/-/reload").status == 200
                eventually(lambda: len(destinations(exporter)) <= len(mine), 5, exporter.read_log)
                assert set(destinations(exporter)) <= mine
    assert sum(map(len, found)) == 60 and set.union(*found) == set(MANY[:60])


# --- http_sd -------------------------------------------------------------------------------------------------------------


class Targets:
    """A server of http_sd at 127.0.0.1 of a namespace, over TLS if it gets a certificate."""

    def __init__(self, namespace, certificate=None):
        self.body, self.type, self.status, self.requests = b"[]", "application/json", 200, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                self.send_response(outer.status)
                self.send_header("Content-Type", outer.type)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        with entered(namespace):
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def say(self, groups):
        self.body = json.dumps(groups).encode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def http_config(urls):
    return config([], FEW) + f'\n[discovery]\nhttp = {json.dumps(urls)}\nrefresh_interval = "1s"\ntimeout = "2s"\n'


def test_targets_of_a_server(agent):
    with Targets(agent) as server:
        server.say(groups(MANY[:2]))
        url = f"http://me:hunter2@127.0.0.1:{server.port}/targets?x=1"
        with Exporter(http_config([url]), agent) as exporter:
            eventually(lambda: set(destinations(exporter)) == set(MANY[:2]), 5, exporter.read_log)
            path, headers = server.requests[0]
            assert path == "/targets?x=1"
            assert headers["X-Prometheus-Refresh-Interval-Seconds"] == "1"
            assert headers["Authorization"] == "Basic bWU6aHVudGVyMg=="
            label = f"http://<secret>@127.0.0.1:{server.port}/<secret>"
            assert one(exporter, "ecmp_exporter_discovery_source_up", source=label) == 1
            shown = exporter.get("/config").text + exporter.get("/metrics").text + exporter.get("/topology").text
            assert "hunter2" not in shown and "x=1" not in shown and "me:" not in shown

            server.say([{"targets": [MANY[0]], "labels": {"site": "x", "__ecmp_name": "first"}}])
            eventually(lambda: set(destinations(exporter)) == {"first"}, 5, exporter.read_log)
            for name, value in (("status", 503), ("type", "text/html"), ("body", b"[{}]"), ("body", b"x" * (17 << 20))):
                before, good = len(server.requests), getattr(server, name)
                setattr(server, name, value)
                eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=label) == 0, 5, name)
                assert set(destinations(exporter)) == {"first"}
                setattr(server, name, good)
                eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=label) == 1, 5, name)
                assert len(server.requests) > before
            assert "hunter2" not in exporter.read_log()
        with Exporter(http_config([f"http://127.0.0.1:{server.port}/", "http://10.78.0.1:9/never"]), agent) as exporter:
            assert exporter.stop()[0] == 0


def test_logins_of_servers_come_from_files_that_are_read_each_time(agent, tmp_path):
    (tmp_path / "password").write_text("p@ss: w\n")
    (tmp_path / "token").write_text("tok-one\n")
    with Targets(agent) as basic, Targets(agent) as bearer:
        basic.say(groups(MANY[:1]))
        bearer.say(groups(MANY[1:2]))
        text = config([], FEW) + f"""
[discovery]
http = [{{ url = "http://127.0.0.1:{basic.port}/secret-path", username = "me", password_file = "{tmp_path}/password" }},
        {{ url = "http://127.0.0.1:{bearer.port}/", bearer_token_file = "{tmp_path}/token" }}]
refresh_interval = "1s"
"""
        with Exporter(text, agent) as exporter:
            eventually(lambda: set(destinations(exporter)) == set(MANY[:2]), 5, exporter.read_log)
            assert basic.requests[0][1]["Authorization"] == "Basic bWU6cEBzczogdw=="  # base64 of "me:p@ss: w"
            assert bearer.requests[0][1]["Authorization"] == "Bearer tok-one"
            (tmp_path / "token").write_text("tok-two")
            eventually(lambda: bearer.requests[-1][1]["Authorization"] == "Bearer tok-two", 5, exporter.read_log)
            shown = exporter.get("/config").text + exporter.get("/metrics").text + exporter.read_log()
            for secret in ("secret-path", "p@ss", "tok-one", "tok-two", '"me"'):
                assert secret not in shown
            (tmp_path / "token").unlink()
            source = f"http://127.0.0.1:{bearer.port}/"
            eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=source) == 0, 5, exporter.read_log)
            assert "token: No such file" in exporter.read_log()
            assert set(destinations(exporter)) == set(MANY[:2])


def test_an_emptied_file_drops_nothing(agent):
    """An editor that truncates first, a full disk: what is left of TOML is good TOML. JSON says that it is whole."""
    text = config([], FEW) + '\n[discovery]\nfiles = ["d/*.toml", "d/*.json"]\nrefresh_interval = "1s"\n'
    with Exporter(text, agent) as exporter:
        toml = "".join(f'[[destination]]\nhost = "{host}"\n' for host in MANY[:3])
        path, other = beside(exporter, "d/a.toml", toml), beside(exporter, "d/b.json", json.dumps(groups(MANY[3:5])))
        eventually(lambda: set(destinations(exporter)) == set(MANY[:5]), 5, exporter.read_log)
        for left in ("", "# nothing\n"):
            beside(exporter, "d/a.toml", left)
            eventually(lambda: one(exporter, "ecmp_exporter_discovery_source_up", source=path) == 0, 5, exporter.read_log)
            assert set(destinations(exporter)) == set(MANY[:5])
        assert "no [[destination]] is left in it" in exporter.read_log()
        write(other, "[]")
        eventually(lambda: set(destinations(exporter)) == set(MANY[:3]), 5, exporter.read_log)
        os.unlink(path)
        eventually(lambda: not destinations(exporter), 5, exporter.read_log)


def test_a_server_that_never_ends_its_answer_does_not_hold_up_the_end(agent):
    import socket
    with entered(agent):
        stuck = socket.create_server(("127.0.0.1", 0))
    try:
        text = http_config([f"http://127.0.0.1:{stuck.getsockname()[1]}/"]).replace('timeout = "2s"', 'timeout = "5m"')
        with Exporter(text, agent) as exporter:
            taken, _ = stuck.accept()
            taken.recv(100)
            code, took = exporter.stop()
            taken.close()
            assert code == 0 and took < 2
    finally:
        stuck.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key", "-out", directory / "crt"],
                   check=True, capture_output=True)
    return str(directory / "crt"), str(directory / "key")


@pytest.mark.parametrize("trusted", [True, False])
def test_targets_over_tls_need_a_trusted_certificate(agent, certificate, trusted):
    with Targets(agent, certificate) as server:
        server.say(groups(MANY[:2]))
        prefix = ["env", f"SSL_CERT_FILE={certificate[0]}"] if trusted else []
        with Exporter(http_config([f"https://127.0.0.1:{server.port}/"]), agent, command_prefix=prefix) as exporter:
            if trusted:
                eventually(lambda: set(destinations(exporter)) == set(MANY[:2]), 5, exporter.read_log)
            else:
                eventually(lambda: "the server's certificate" in exporter.read_log(), 5, exporter.read_log)
                assert destinations(exporter) == {}


# --- files ---------------------------------------------------------------------------------------------------------------


def test_two_sources_with_one_name_are_told_with_both_places(agent):
    text = config([{"name": "a", "host": MANY[0]}], FEW) + '\n[discovery]\nfiles = ["d/*.toml", "t/*.json"]\n'
    with Exporter(text, agent) as exporter:
        toml = beside(exporter, "d/x.toml", f'[[destination]]\nname = "b"\nhost = "{MANY[1]}"\n')
        eventually(lambda: set(destinations(exporter)) == {"a", "b"}, 5, exporter.read_log)
        file = beside(exporter, "t/y.json", json.dumps([{"targets": [MANY[2]], "labels": {"__ecmp_name": "b"}}]))
        answer = exporter.request("POST", "/-/reload")
        assert answer.status == 200
        assert f"{file}:1:" in answer.text and f"the destination of {toml}:1:" in answer.text
        assert set(destinations(exporter)) == {"a", "b"}
        left_out = scrape(exporter, "ecmp_exporter_destinations_left_out").values(
            "ecmp_exporter_destinations_left_out", "reason")
        assert left_out == {"duplicate": 1, "overlap": 0, "limit": 0}
        # in a directory that is watched now, without being asked
        os.unlink(toml)
        eventually(lambda: destinations(exporter)["b"]["address"] == MANY[2], 5, exporter.read_log)
        os.unlink(file)
        eventually(lambda: set(destinations(exporter)) == {"a"}, 5, exporter.read_log)


@pytest.mark.anywhere
def test_the_check_reads_the_files_of_discovery_too(tmp_path):
    (tmp_path / "c.toml").write_text('[discovery]\nfiles = ["t/*.json"]\n')
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.json").write_text('[{"targets": ["192.0.2.1"]}]')

    def check():
        done = subprocess.run([str(BINARY), f"--config.file={tmp_path}/c.toml", "--config.check"],
                              capture_output=True, text=True)
        return done.returncode, done.stderr
    assert check() == (0, "")
    (tmp_path / "t" / "b.json").write_text('[\n  {"targets": ["192.0.2.1", "x y"]}]')
    code, lines = check()
    assert code == 1 and lines.startswith(f"{tmp_path}/t/b.json:2:29: host = \"x y\"")
