"""A branch that takes its time. This kernel has no netem: what the branch forwards makes a detour over a TUN device, at
whose other end it waits."""
import collections
import contextlib
import fcntl
import os
import select
import struct
import threading
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "detour"
TABLE = "77"


def one_hop_more(packet):
    """The packet with the TTL that it had before the detour took one."""
    packet = bytearray(packet)
    if packet[0] >> 4 == 6:
        packet[7] += 1
        return bytes(packet)
    packet[8] += 1
    # RFC 1624: the checksum of what changed by 0x0100 in one of its words.
    checksum = struct.unpack_from("!H", packet, 10)[0] - 0x0100
    struct.pack_into("!H", packet, 10, checksum if checksum > 0 else checksum + 0xFFFF)
    return bytes(packet)


class Delay:
    """Everything that a branch of the first stage forwards towards the destination waits `seconds`, until close()."""

    def __init__(self, fan, branch, seconds):
        self.fan, self.branch, self.seconds = fan, branch, seconds
        with fan.network.entered(branch):
            self.device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.device, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        fan.network.batch(branch, [f"link set dev {DEVICE} addrgenmode none up"])
        for family in ("-4", "-6"):
            fan.network.batch(branch,
                              [f"route add default dev {DEVICE} table {TABLE}", f"rule add iif r1 lookup {TABLE}"],
                              family=family)

    def _run(self):
        # On a busy machine too the wait is what it says, as a link's is: what is late by a processor's queue looks lost.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # of this thread
        waiting = collections.deque()
        while not self.done.is_set():
            pause = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
            if select.select([self.device], [], [], pause)[0]:
                waiting.append((time.monotonic() + self.seconds, os.read(self.device, 2048)))
            while waiting and waiting[0][0] <= time.monotonic():
                os.write(self.device, one_hop_more(waiting.popleft()[1]))

    def close(self):
        for family in ("-4", "-6"):
            self.fan.network.batch(self.branch, [f"rule del iif r1 lookup {TABLE}"], family=family)
        time.sleep(2 * self.seconds)  # what is on its detour arrives
        self.done.set()
        self.thread.join()
        os.close(self.device)
