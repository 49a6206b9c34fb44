"""Clients that mean no good: what is refused is counted, what is held is bounded, and the tracing does not notice."""
import concurrent.futures
import http.client
import os
import socket

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

    def connect(self, text=b"", receive_buffer=None):
        with entered(self.exporter.namespace):
            one = socket.socket()
        self.sockets.append(one)
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
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


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
            400: [request("/paths?limit=many"), b"GET /\r\n\r\n"[:3] + b"\x01 / HTTP/1.1\r\nHost: a\r\n\r\n",
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
        heads = [crowd.connect(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ") for _ in range(5)]
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
        # Everybody has had an answer or his end: 503 at once, 408 after some seconds.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            told = list(pool.map(status, crowd.sockets))
        assert set(told) <= {503, 408, 0}
    after = own(exporter).values(REFUSED, "reason")
    grown = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert set(grown) == {"full", "read_timeout"}
    assert sum(grown.values()) == 2000
    eventually(lambda: threads(exporter) <= idle_threads + 1, 10, lambda: f"{threads(exporter)} threads")
    eventually(lambda: descriptors(exporter) <= idle_descriptors + 2, 10, lambda: f"{descriptors(exporter)} descriptors")
    undisturbed(exporter, since)


def test_followers_that_do_not_read_leave_room_for_those_who_do(exporter):
    since, idle_threads, idle_memory = now(), threads(exporter), resident(exporter)
    with Crowd(exporter) as crowd:
        # Their history is some hundred kilobytes, their buffers hold four: all of them are stuck at once.
        stuck = [crowd.connect(request(f"/{what}?follow=true&since=10m"), receive_buffer=4096)
                 for what in ("paths", "events") for _ in range(MOST_FOLLOWERS // 2)]
        assert [status(one) for one in stuck] == [200] * MOST_FOLLOWERS
        one_more = crowd.connect(follow())
        assert status(one_more) == 503
        assert refused(exporter, "followers") == 1
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda i: exporter.get(["/-/healthy", "/metrics", "/paths", "/topology"][i % 4]).status,
                                    range(200)))
        assert set(answers) <= {200, 503} and answers.count(200) > 190
        assert threads(exporter) <= idle_threads + MOST_CONNECTIONS
        assert resident(exporter) < idle_memory + (64 << 20)
        undisturbed(exporter, since)
        assert stuck
    eventually(lambda: threads(exporter) <= idle_threads + 1, 15, lambda: f"{threads(exporter)} threads")


def test_more_scrapes_at_once_than_there_are_places_are_refused(fan):
    # 32 flows to each of many destinations: more than the kernel takes for a reader that does not read.
    many = [{"name": f"d{i}", "host": f"10.78.0.{i}", "flows": 32} for i in range(1, 61)]
    with Exporter(config(many, {"interval": "2s", "timeout": "800ms"}), fan.network.ns("agent")) as exporter, \
            Crowd(exporter) as crowd:
        eventually(lambda: len(exporter.get("/metrics").body) > 3 << 20, 30, "a long scrape")
        for _ in range(8):
            crowd.connect(request("/metrics"), receive_buffer=4096)

        def refusal():
            return crowd.status(request("/metrics")) == 503
        eventually(refusal, 10, "a ninth scrape is refused")
        for one in crowd.sockets:
            one.close()
        assert refused(exporter, "scrapes") >= 1
