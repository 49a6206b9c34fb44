"""What an interface sent, from tcpdump's file: the header values of each probe that routers may look at."""
import collections
import socket
import struct
import time

Probe = collections.namedtuple(
    "Probe", "protocol destination source_port destination_port ttl size traffic_class flow_label checksum")
UDP, TCP, ICMP, ICMP6 = 17, 6, 1, 58


class Capture:
    """tcpdump on one interface of a node, outgoing packets only, from construction to stop()."""

    def __init__(self, network, node, interface, path):
        self.path = path
        # Without --immediate-mode and -U the last block would be lost at the end.
        self.process = network.popen(node, ["tcpdump", "--immediate-mode", "-U", "-n", "-Q", "out", "-i", interface,
                                            "-Z", "root", "-B", "16384", "-w", path, "udp or tcp or icmp or icmp6"],
                                     stderr=open(path + ".log", "w"))
        deadline = time.monotonic() + 10
        while "listening on" not in open(path + ".log").read():
            assert time.monotonic() < deadline and self.process.poll() is None, open(path + ".log").read()
            time.sleep(0.02)

    def stop(self):
        """Ends the capture and returns its probes."""
        self.process.terminate()
        self.process.wait(10)
        assert " 0 packets dropped by kernel" in " " + open(self.path + ".log").read().replace("\n", " ")
        return list(read_probes(self.path))


def read_probes(path):
    return filter(None, map(_parse, read_datagrams(path)))


def read_datagrams(path):
    """The bytes of all that was captured, IP header first."""
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    assert struct.unpack(order + "I", data[20:24])[0] == 1, "not Ethernet"
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield data[at + 16 + 14:at + 16 + captured]
        at += 16 + captured


def _parse(packet):
    """A probe; None for what else a host sends (neighbour discovery, the kernel's RST to a SYN-ACK)."""
    if packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        protocol, ttl, size, traffic_class, label = packet[9], packet[8], struct.unpack("!H", packet[2:4])[0], packet[1], 0
        destination = socket.inet_ntop(socket.AF_INET, packet[16:20])
    else:
        header = 40
        word, length, protocol, ttl = struct.unpack("!IHBB", packet[:8])
        size, traffic_class, label = 40 + length, (word >> 20) & 0xff, word & 0xfffff
        destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    body = packet[header:]
    if protocol == UDP:
        source, port, _, _ = struct.unpack("!HHHH", body[:8])
        return Probe("udp", destination, source, port, ttl, size, traffic_class, label, None)
    if protocol == TCP and body[13] & 0x06 == 0x02:  # SYN without RST
        source, port = struct.unpack("!HH", body[:4])
        return Probe("tcp", destination, source, port, ttl, size, traffic_class, label, None)
    if (protocol, body[0]) in ((ICMP, 8), (ICMP6, 128)):
        checksum, identifier = struct.unpack("!HH", body[2:6])
        # Routers that hash the start of the transport header see the checksum where ports would be.
        return Probe("icmp", destination, identifier, 0, ttl, size, traffic_class, label, checksum)
    return None
