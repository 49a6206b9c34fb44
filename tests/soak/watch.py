"""Those who look at the exporter all the time while a soak goes on, and remember what was wrong."""
import http.client
import json
import os
import re
import socket
import threading
import time

from exporter import Metrics

COUNTING_SUFFIXES = {"counter": ("",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}


def counting_names(text):
    """Names of all samples that may not go backwards."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names.update(name + suffix for suffix in COUNTING_SUFFIXES.get(kind, ()))
    return names


def backwards(before, after):
    """{series: (before, after)} of those that are in both scrapes and went down; one that vanished begins anew."""
    return {series: (before[series], value) for series, value in after.items() if value < before.get(series, value)}


def counters(metrics):
    names = counting_names(metrics.text)
    return {(name, tuple(sorted(labels.items()))): value for name in names
            for labels, value in metrics.families.get(name, [])}


class Watcher(threading.Thread):
    def __init__(self, exporter):
        super().__init__(daemon=True)
        self.exporter = exporter
        self.wrong = []
        self.stopping = threading.Event()

    def run(self):
        try:
            self.watch()
        except Exception as error:  # a thread's exception would go unseen
            if not self.stopping.is_set():
                self.wrong.append(f"{type(self).__name__}: {type(error).__name__}: {error}")

    def stop(self):
        self.stopping.set()
        self.join(15)


class Scraper(Watcher):
    """Scrapes every second; also asks the process's figures: (seconds, resident bytes, descriptors, threads)."""

    def __init__(self, exporter):
        super().__init__(exporter)
        self.figures = []
        self.silences = []  # (wall clock, {hop: count})
        self.series = 0

    def watch(self):
        before = {}
        while not self.stopping.wait(1):
            metrics = self.exporter.metrics()
            self.silences.append((time.time(), metrics.values("ecmp_hop_silences_total", "hop")))
            after = counters(metrics)
            self.wrong += [f"{series} went from {old} to {new}" for series, (old, new) in backwards(before, after).items()]
            before, self.series = after, len(after)
            self.figures.append((time.monotonic(), *footprint(self.exporter.process.pid)))


class PageReader(Watcher):
    """Opens the page and what it asks for."""

    def watch(self):
        while not self.stopping.wait(2):
            page = self.exporter.get("/")
            if page.status != 200 or b"</html>" not in page.body:
                self.wrong.append(f"the page: {page.status}, {len(page.body)} bytes")
            topology = self.exporter.get("/topology")
            if topology.status != 200 or not json.loads(topology.body)["destinations"]:
                self.wrong.append(f"/topology: {topology.status} {topology.text[:200]}")


class Follower(Watcher):
    """Reads /paths or /events as they come."""

    def __init__(self, exporter, target):
        super().__init__(exporter)
        self.target, self.lines = target, []
        self.connection = exporter.connection(seconds=None)
        self.connection.request("GET", f"{target}?follow=true")
        self.socket = self.connection.sock

    def watch(self):
        response = self.connection.getresponse()
        assert response.status == 200, response.status
        while line := response.readline():
            self.lines.append(json.loads(line))
        if not self.stopping.is_set():
            self.wrong.append(f"{self.target} ended")

    def stop(self):
        self.stopping.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended already
        super().stop()
        self.connection.close()


class Crowd:
    """Clients that begin a request or ask for all there is, and then do nothing."""

    def __init__(self, exporter, request, count):
        self.connections = [exporter.connection() for _ in range(count)]
        for connection in self.connections:
            connection.sock.sendall(request)

    def close(self):
        for connection in self.connections:
            connection.close()


def footprint(pid):
    """Bytes of its own memory, descriptors, threads. Pages of files (the program, and rings of captured packets, which
    are touched for the first time as packets come) are no memory that could leak: RssAnon leaves them out."""
    with open(f"/proc/{pid}/status") as file:
        resident = int(re.search(r"^RssAnon:\s+(\d+) kB$", file.read(), re.MULTILINE).group(1)) << 10
    return resident, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid, directory):
    """How many descriptors it has, without those of files in a directory; and of the latter, which files, one each."""
    # By inode, since in a root made by chroot the link of a descriptor names another path.
    kept = {(entry.stat().st_dev, entry.inode()): entry.name for entry in os.scandir(directory)}
    count, own = 0, []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = os.stat(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue  # closed meanwhile
        name = kept.get((found.st_dev, found.st_ino))
        if name is None:
            count += 1
        else:
            own.append(name)
    return count, sorted(own)


def slope(points):
    """Of the line with the least squares through (x, y)."""
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def destinations(exporter):
    """Names of those it traces now; None while it has no place for the question."""
    try:
        answer = exporter.get("/metrics?name[]=ecmp_destination_info")
    except (OSError, http.client.HTTPException):
        return None
    found = Metrics(answer.text).families.get("ecmp_destination_info", [])
    return {labels["destination"]: labels for labels, _ in found} if answer.status == 200 else None
