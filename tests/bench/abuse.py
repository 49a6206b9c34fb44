"""Clients that mean no good, for as long as a measurement wants them: some that never read, many that come and go."""
import socket
import threading
import time

from netns import entered

STUCK = 100
PER_SECOND = 200
# One after the other. What is asked for is small, so that it is the connections that cost, not the answers.
REQUESTS = [b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET /metrics?name[]=ecmp_destination_up HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET /paths?limit=10 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody speaks TLS
            b"GET /met",
            b""]


class Abuse:
    """STUCK followers that never read stay connected; meanwhile PER_SECOND connections a second are made."""

    def __init__(self, namespace, port):
        self.namespace, self.port = namespace, port
        self.made = self.failed = self.late = 0
        self.followers = [self.connect(b"GET /paths?follow=true&since=10m HTTP/1.1\r\nHost: a\r\n\r\n", 4096)
                          for _ in range(STUCK)]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.come_and_go, daemon=True)
        self.thread.start()

    def connect(self, request, receive_buffer=None):
        with entered(self.namespace):
            one = socket.socket()
        if receive_buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        one.settimeout(5)
        one.connect(("127.0.0.1", self.port))
        one.sendall(request)
        return one

    def come_and_go(self):
        """Each connection stays for a tenth of a second, and nobody reads what it is told."""
        there, begin, turn = [], time.monotonic(), 0
        while not self.stopping.is_set():
            due = begin + turn / PER_SECOND
            ahead = due - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            elif ahead < -0.1:
                self.late += 1
            try:
                there.append(self.connect(REQUESTS[turn % len(REQUESTS)]))
                self.made += 1
            except OSError:
                self.failed += 1
            turn += 1
            if len(there) > PER_SECOND // 10:
                there.pop(0).close()
        for one in there:
            one.close()

    def stuck(self):
        """How many of the followers are connected still."""
        count = 0
        for one in self.followers:
            try:
                one.setblocking(False)
                # What was sent before it got stuck is there to read; an end would be told after it.
                count += bool(one.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def close(self):
        self.stopping.set()
        self.thread.join(30)
        for one in self.followers:
            one.close()
