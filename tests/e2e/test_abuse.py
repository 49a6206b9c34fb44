"""Clients that mean no good: what is refused is counted, what is held is bounded, and the tracing does not notice."""
import concurrent.futures
import http.client
import os
import signal
import socket
import time

import pytest

from exporter import Exporter, Metrics, config, eventually, now
from lab import DESTINATION, Fan
from netns import entered

FLOWS = 16
TWO = [{"name": "four", "host": DESTINATION[4], "flows": FLOWS}, {"name": "six", "host": DESTINATION[6], "flows": FLOWS}]
MOST_CONNECTIONS = 128
MOST_FOLLOWERS = 100
REFUSED = "ecmp_exporter_http_connections_refused_total"


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture
def exporter(fan):
    with Exporter(config(TWO), fan.network.ns("agent")) as running:
        eventually(lambda: len([x for x in running.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        yield running


class Crowd:
    """Raw connections to an exporter, all closed at the end."""

    def __init__(self, exporter):
        self.exporter, self.sockets = exporter, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()

    def connect(self, text=b"", receive_buffer=None, source="127.0.0.1"):
        with entered(self.exporter.namespace):
            one = socket.socket()
        self.sockets.append(one)
        one.bind((source, 0))
        if receive_buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        one.settimeout(15)
        one.connect(("127.0.0.1", self.exporter.port))
        if text:
            one.sendall(text)
        return one

    def status(self, text):
        """What a whole exchange is answered with; 0 when it is closed without a word."""
        one = self.connect()
        try:
            one.sendall(text)
        except OSError:
            pass  # refused in the middle of it
        return status(one)


def status(one):
    try:
        line = one.makefile("rb").readline(100)
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


def request(target, *headers, method="GET"):
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def follow(target="/paths"):
    return request(f"{target}?follow=true")


def threads(exporter):
    return len(os.listdir(f"/proc/{exporter.process.pid}/task"))


def descriptors(exporter):
    return len(os.listdir(f"/proc/{exporter.process.pid}/fd"))


def resident(exporter):
    with open(f"/proc/{exporter.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def own(exporter):
    """The exporter's own figures, from a scrape that may have to wait for its turn."""
    def scrape():
        try:
            answer = exporter.get("/metrics?name[]=" + "&name[]=".join(
                [REFUSED, "ecmp_exporter_http_requests_total", "ecmp_exporter_rounds_skipped_total",
                 "ecmp_exporter_capture_dropped_total"]))
        except (OSError, http.client.HTTPException):
            return None
        return Metrics(answer.text) if answer.status == 200 else None
    return eventually(scrape, 30, "a scrape is answered")


def refused(exporter, reason):
    return own(exporter).values(REFUSED, "reason")[reason]


def codes(metrics):
    return {int(code): value for code, value in metrics.values("ecmp_exporter_http_requests_total", "code").items()}


def undisturbed(exporter, since):
    """No round was skipped, none lost, since then; and each flow had one."""
    def of_all():
        found = {name: exporter.rounds(name, since) for name in ("four", "six")}
        return all(len(flows) == FLOWS for flows in found.values()) and found
    # What came before may have taken less time than a round does.
    found = eventually(of_all, 15, "each flow has had a round")
    figures = own(exporter)
    assert figures.families["ecmp_exporter_rounds_skipped_total"] == [({}, 0.0)]
    assert figures.families["ecmp_exporter_capture_dropped_total"] == [({}, 0.0)]
    for flows in found.values():
        for lines in flows.values():
            assert all(line["reached_dest"] and not line["loss"] for line in lines)


def test_each_refusal_is_counted_by_its_code(exporter):
    with Crowd(exporter) as crowd:
        before = codes(own(exporter))
        wanted = {
            400: [request("/paths?limit=many"), b"GET /\r\n\r\n"[:3] + b"\x01 / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                  request("/topology?detail=x"), request("/events?since=x"), request("/metrics?family=x")],
            404: [request("/nothing-here")],
            405: [request("/metrics", method="DELETE")],
            411: [request("/-/healthy", "Transfer-Encoding: chunked")],
            413: [request("/-/healthy", "Content-Length: 99999999999")],
            414: [b"GET /" + b"a" * 20000],
            415: [request("/-/healthy", "Content-Length: 1", "Content-Encoding: gzip")],
            417: [request("/-/healthy", "Expect: a-miracle")],
            431: [request("/", *["X: " + "a" * 500] * 40)],
            505: [b"GET / HTTP/9.9\r\n\r\n"],
        }
        for code, texts in wanted.items():
            for text in texts:
                assert crowd.status(text) == code, text[:80]
        after = codes(own(exporter))
        for code, texts in wanted.items():
            assert after.get(code, 0) - before.get(code, 0) == len(texts), code


def test_slow_requests_and_stuck_readers_are_cut_and_counted(exporter):
    with Crowd(exporter) as crowd:
        before = own(exporter).values(REFUSED, "reason")
        # The same answer many times, asked for at once and never read.
        crowd.connect(request("/paths?since=10m") * 400, receive_buffer=4096)
        silent = [crowd.connect() for _ in range(5)]
        heads = [crowd.connect(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ") for _ in range(5)]
        bodies = [crowd.connect(request("/-/healthy", "Content-Length: 10") + b"x") for _ in range(5)]
        assert [status(one) for one in silent] == [0] * 5
        assert [status(one) for one in heads] == [408] * 5
        assert [status(one) for one in bodies] == [408] * 5
        assert refused(exporter, "read_timeout") == before["read_timeout"] + 15
        eventually(lambda: refused(exporter, "write_timeout") == before["write_timeout"] + 1, 30, "a stuck reader is cut")


def test_thousands_of_connections_are_bounded_and_leave_nothing_behind(exporter):
    since, idle_threads, idle_descriptors = now(), threads(exporter), descriptors(exporter)
    before = own(exporter).values(REFUSED, "reason")
    with Crowd(exporter) as crowd:
        most_threads = most_descriptors = 0
        for _ in range(2000):
            crowd.connect(b"GET / HTTP/1.1\r\n")
            if len(crowd.sockets) % 100 == 0:
                most_threads = max(most_threads, threads(exporter))
                most_descriptors = max(most_descriptors, descriptors(exporter))
        assert most_threads <= idle_threads + MOST_CONNECTIONS
        # Each served connection, and as many farewells as there may be.
        assert most_descriptors <= idle_descriptors + MOST_CONNECTIONS + 64 + 2
        # Each has had an answer or was closed: 503 soon, 408 after some seconds.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            told = list(pool.map(status, crowd.sockets))
        assert set(told) <= {503, 408, 0}
    after = own(exporter).values(REFUSED, "reason")
    grown = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert set(grown) <= {"address", "read_timeout", "gave_way"}
    assert sum(grown.values()) == 2000
    eventually(lambda: threads(exporter) <= idle_threads + 1, 10, lambda: f"{threads(exporter)} threads")
    eventually(lambda: descriptors(exporter) <= idle_descriptors + 2, 10, lambda: f"{descriptors(exporter)} descriptors")
    undisturbed(exporter, since)


def test_followers_that_do_not_read_leave_room_for_those_who_do(exporter):
    since, idle_threads, idle_memory = now(), threads(exporter), resident(exporter)
    with Crowd(exporter) as crowd:
        # Their history is some hundred kilobytes, their buffers hold four: all of them are stuck at once.
        # One address gets three quarters of the places, and then others their share of what is left.
        stuck = []
        for source, count in (("127.0.0.1", 75), ("127.0.0.2", 15), ("127.0.0.3", 10)):
            new = [crowd.connect(request(f"/{'paths' if i % 2 else 'events'}?follow=true&since=10m"), 4096, source)
                   for i in range(count)]
            assert [status(one) for one in new] == [200] * count
            stuck += new
        assert len(stuck) == MOST_FOLLOWERS
        # Who follows and reads takes the place of one that does not.
        before = refused(exporter, "gave_way")
        reading = crowd.connect(follow(), source="127.0.0.9")
        assert status(reading) == 200
        eventually(lambda: refused(exporter, "gave_way") > before, 5, lambda: own(exporter).values(REFUSED, "reason"))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda i: exporter.get(["/-/healthy", "/metrics", "/paths", "/topology"][i % 4]).status,
                                    range(200)))
        assert set(answers) <= {200, 503} and answers.count(200) > 190
        assert threads(exporter) <= idle_threads + MOST_CONNECTIONS
        assert resident(exporter) < idle_memory + (64 << 20)
        undisturbed(exporter, since)
        assert stuck
    eventually(lambda: threads(exporter) <= idle_threads + 1, 15, lambda: f"{threads(exporter)} threads")


def test_followers_that_read_keep_their_places_and_one_address_its_share(exporter):
    with Crowd(exporter) as crowd:
        before = refused(exporter, "followers")
        # A quarter of the places is left when the share of an address begins to bind.
        for _ in range(75):
            assert status(crowd.connect(follow("/events"))) == 200
        assert status(crowd.connect(follow("/events"))) == 503
        assert refused(exporter, "followers") == before + 1
        assert refused(exporter, "gave_way") == 0
        assert status(crowd.connect(follow("/events"), source="127.0.0.9")) == 200


def test_half_sent_requests_keep_neither_health_checks_nor_other_addresses_out(exporter):
    with Crowd(exporter) as crowd:
        for _ in range(MOST_CONNECTIONS):
            crowd.connect(b"GET /metrics HTTP/1.1\r\nHost: ")
        for _ in range(10):
            for path in ("/-/healthy", "/-/ready"):
                # Reserved places are few, and those before this one may be about to be given back.
                eventually(lambda path=path: exporter.get(path).status == 200, 2, path)
        # Whatever else is asked for, one that has stalled for a second gives way to it, or another address has room.
        eventually(lambda: crowd.status(request("/metrics")) == 200, 5, "a scrape from the same address")
        assert status(crowd.connect(request("/metrics"), source="127.0.0.9")) == 200


def test_scrapes_that_are_not_read_keep_no_scrape_out(fan):
    # 32 flows to each of many destinations: more than the kernel takes for a reader that does not read.
    many = [{"name": f"d{i}", "host": f"10.78.0.{i}", "flows": 32} for i in range(1, 61)]
    with Exporter(config(many, {"interval": "2s", "timeout": "800ms"}), fan.network.ns("agent")) as exporter, \
            Crowd(exporter) as crowd:
        eventually(lambda: len(exporter.get("/metrics").body) > 3 << 20, 30, "a long scrape")
        for _ in range(9):
            crowd.connect(request("/metrics"), receive_buffer=4096)
        for _ in range(3):
            begin = time.monotonic()
            assert exporter.get("/metrics").status == 200
            assert time.monotonic() - begin < 4
        assert refused(exporter, "gave_way") >= 1


def test_answers_that_are_not_read_are_bounded_in_bytes(fan):
    many = [{"name": f"d{i}", "host": f"10.78.0.{i}", "flows": 32} for i in range(1, 61)]
    text = '[web]\nanswer_memory = "4MiB"\n' + config(many, {"interval": "1s", "timeout": "800ms"})
    with Exporter(text, fan.network.ns("agent")) as exporter, Crowd(exporter) as crowd:
        eventually(lambda: len(exporter.get("/topology").body) > 800_000, 10, "a long graph")
        answers = [crowd.connect(request("/topology"), receive_buffer=4096) for _ in range(12)]
        heads = [one.recv(2000) for one in answers]
        # Each holds half a megabyte of buffers.
        served = [head for head in heads if head.startswith(b"HTTP/1.1 200 ")]
        others = [head for head in heads if head not in served]
        assert len(served) <= 8
        for head in others:
            assert head.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1\r\n" in head and b"web.answer_memory" in head
        # While they wait the fans go on, and what only they keep of the past counts, until they are cut.
        def answer_bytes():
            one = Metrics(exporter.get("/metrics?name[]=ecmp_exporter_http_answer_memory_bytes").text)
            return one.total("ecmp_exporter_http_answer_memory_bytes")
        eventually(lambda: refused(exporter, "gave_way") >= 1, 20, "the slowest is cut")
        eventually(lambda: answer_bytes() < 4 << 20, 20, "what is held is within the bound")
        assert refused(exporter, "answer_memory") >= 4


def test_browsers_cannot_be_used_against_the_exporter(exporter):
    here = f"127.0.0.1:{exporter.port}"
    evil = "https://evil.example"
    with Crowd(exporter) as crowd:
        for host in ("rebound.example", f"rebound.example:{exporter.port}"):
            for target in ("/config", "/metrics", "/"):
                one = crowd.connect(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                text = one.makefile("rb").read()
                assert text.startswith(b"HTTP/1.1 403 ") and b"web.allowed_hosts" in text
    for name in (here, "localhost", "[::1]:10815"):
        assert exporter.request("GET", "/config", {"Host": name}).status == 200
    for method, target in (("POST", "/-/reload"), ("PUT", "/-/reload")):
        assert exporter.request(method, target, {"Origin": evil}).status == 403
        assert exporter.request(method, target, {"Origin": "null"}).status == 403
        assert exporter.request(method, target, {"Sec-Fetch-Site": "cross-site"}).status == 403
        assert exporter.request(method, target, {"Sec-Fetch-Site": "same-site"}).status == 403
        assert exporter.request(method, target, {"Origin": f"http://{here}"}).status == 200
    assert exporter.request("POST", "/-/reload").status == 200


def test_a_proxy_may_have_its_own_name_when_the_configuration_says_so(fan):
    text = '[web]\nallowed_hosts = ["probe.example.net"]\n' + config(TWO)
    with Exporter(text, fan.network.ns("agent")) as exporter:
        named = {"Host": "Probe.Example.Net:443"}
        assert exporter.request("GET", "/config", named).status == 200
        assert exporter.request("POST", "/-/reload", {"Origin": "https://probe.example.net"}).status == 200
        with open(exporter.config_path, "w") as file:
            file.write(config(TWO))
        assert exporter.request("POST", "/-/reload").status == 200
        assert exporter.request("GET", "/config", named).status == 403


def test_many_reloads_at_once_are_few(exporter):
    def reloads():
        return exporter.read_log().count("configuration reloaded")
    eventually(lambda: exporter.request("POST", "/-/reload").status == 200, 5, "a first one")
    before, begin = reloads(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: exporter.request("POST", "/-/reload").status, range(60)))
    assert set(answers) == {200}
    took = time.monotonic() - begin
    # One a second, and the one that was due at once.
    assert 1 <= reloads() - before <= took + 1


def test_reloads_may_be_switched_off(fan):
    with Exporter(config(TWO), fan.network.ns("agent"), arguments=["--web.enable-lifecycle=false"]) as exporter:
        answer = exporter.request("POST", "/-/reload")
        assert answer.status == 403 and answer.text == "Lifecycle API is not enabled.\n"
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: "configuration reloaded" in exporter.read_log(), 5, "SIGHUP still reloads")
