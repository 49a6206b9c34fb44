"""A STAMP Session-Sender of a few lines, after RFC 8762 and RFC 8972 and nothing of ours: struct, sockets, hmac."""
import hashlib
import hmac
import socket
import struct

NTP_TO_UNIX = 2208988800  # seconds between 1900 and 1970 (RFC 5905 section 6)
IP_RECVTTL, IP_RECVTOS = 12, 13  # <linux/in.h>; Debian 12's Python does not name them


def open_request(sequence, ssid=0x1234, tlvs=b"", sent=0xED00378080000000, error=0x8F02):
    """RFC 8762 figure 3 with the SSID of RFC 8972 figure 1."""
    return struct.pack(">IQHH28x", sequence, sent, error, ssid) + tlvs


def sealed_request(key, sequence, ssid=0x1234, sent=0xED00378080000000, error=0x8F02):
    """RFC 8762 figure 5: HMAC-SHA-256 of the first 96 bytes, cut to 16."""
    body = struct.pack(">I12xQHH68x", sequence, sent, error, ssid)
    return body + hmac.new(key, body, hashlib.sha256).digest()[:16]


class Sender:
    """A socket in a namespace that the caller is in."""

    def __init__(self, to, source=None, ttl=64, tos=0, timeout=5):
        self.family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        self.to = to
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout)
        if self.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        if source:
            self.socket.bind(source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, packet):
        self.socket.sendto(packet, self.to)

    def receive(self):
        """(payload, TTL, traffic class, (address, port)) of the next reply."""
        payload, control, _, source = self.socket.recvmsg(65535, 512)
        said = {(level, kind): int.from_bytes(data[:4].ljust(4, b"\0"), "little") for level, kind, data in control}
        if self.family == socket.AF_INET:
            ttl, tos = said[socket.IPPROTO_IP, socket.IP_TTL], said[socket.IPPROTO_IP, socket.IP_TOS] & 0xFF
        else:
            ttl, tos = said[socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT], said[socket.IPPROTO_IPV6, socket.IPV6_TCLASS]
        return payload, ttl, tos, source[:2]

    def ask(self, packet):
        self.send(packet)
        return self.receive()


def unix_time(ntp):
    return (ntp >> 32) - NTP_TO_UNIX + (ntp & 0xFFFFFFFF) / 2**32
