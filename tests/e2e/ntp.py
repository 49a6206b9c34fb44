"""An NTP server (RFC 5905) that claims what a test wants, for exporters that may not ask the kernel about the clock."""
import socket
import struct
import threading
import time

ROOT_DELAY, ROOT_DISPERSION = 0.002, 0.004
NTP_OF_UNIX = 2_208_988_800


class NtpServer:
    """On the loopback of a namespace; `leap` 3 says that its clock is not synchronised."""

    def __init__(self, fan, node):
        self.leap = 0
        self.asked = 0
        with fan.network.entered(node):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 123))
        self.socket.settimeout(0.2)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.done.is_set():
            try:
                question, source = self.socket.recvfrom(512)
            except TimeoutError:
                continue
            now = time.time() + NTP_OF_UNIX
            stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
            answer = struct.pack("!BBbbIII", self.leap << 6 | 4 << 3 | 4, 2, 6, -20, int(ROOT_DELAY * 2**16),
                                 int(ROOT_DISPERSION * 2**16), 0x7F7F0101)
            self.socket.sendto(answer + stamp + question[40:48] + stamp + stamp, source)
            self.asked += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.socket.close()
