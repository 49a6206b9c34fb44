"""The Session-Reflector against senders that are not ours, in namespaces with the kernel's own settings."""
import hashlib
import hmac
import importlib.util
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

import pytest

from exporter import BINARY, Exporter, eventually
from netns import Network, missing_requirements
from stamp_sender import Sender, open_request, sealed_request, unix_time

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason="; ".join(missing_requirements()))

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
A, A2, B = "192.0.2.1", "192.0.2.77", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
# What is probed beside the reflecting.
WATCHED = f"""[[destination]]
name = "other"
host = "{B}"
protocol = "icmp"
flows = 4
interval = "1s"
timeout = "900ms"
"""


@pytest.fixture(scope="module")
def network():
    """a --- r --- b: `a` reflects, `b` sends; each end has addresses of both families, `a` two of IPv4."""
    with Network() as made:
        made.add_nodes(["a", "r", "b"])
        made.batch(None, [f"link add a0 netns {made.ns('a')} type veth peer name ra netns {made.ns('r')}",
                          f"link add b0 netns {made.ns('b')} type veth peer name rb netns {made.ns('r')}"])
        made.run_in("r", ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
        made.batch("r", ["link set lo up", "link set ra up", "link set rb up",
                         "addr add 198.51.100.1/32 dev ra", "addr add 198.51.100.2/32 dev rb",
                         "addr add 2001:db8:ffff::1/128 dev ra nodad", "addr add 2001:db8:ffff::2/128 dev rb nodad",
                         "addr add fe80::1/64 dev ra nodad", "addr add fe80::1/64 dev rb nodad",
                         f"route add {A}/32 dev ra", f"route add {A2}/32 dev ra", f"route add {B}/32 dev rb",
                         "route add 192.0.2.128/25 dev rb",
                         f"route add {A6}/128 dev ra", f"route add {B6}/128 dev rb"])
        for node, device, addresses in (("a", "a0", [A, A2, A6]), ("b", "b0", [B, B6])):
            made.batch(node, ["link set lo up", f"link set {device} up",
                              *(f"addr add {one}/{128 if ':' in one else 32} dev {device}{' nodad' if ':' in one else ''}"
                                for one in addresses),
                              f"route add 198.51.100.0/24 dev {device}", f"route add default via 198.51.100.{1 if node == 'a' else 2} dev {device}",
                              f"route add default via fe80::1 dev {device}"])
        yield made


def reflecting(network, extra="", node="a", port=862, arguments=(), environment=None, prefix=()):
    return Exporter(f'[reflector]\nlisten_addresses = [":{port}"]\n{extra}', network.ns(node), arguments=arguments,
                    environment=environment, command_prefix=prefix)


def asked_until_answered(sender, packet):
    sender.socket.settimeout(0.5)

    def reply():
        sender.send(packet)
        try:
            return sender.receive()[0]
        except TimeoutError:
            return None
    return eventually(reply, 20, "a reply")


def refused(exporter):
    return {reason: int(count) for reason, count in
            exporter.metrics().values("ecmp_exporter_reflector_refused_total", "reason").items() if count}


@pytest.mark.parametrize("address", [A, A2, A6])
def test_a_reply_is_what_the_rfcs_say_bit_by_bit(network, address):
    with reflecting(network), network.entered("b"), Sender((address, 862), ttl=200, tos=46 << 2) as sender:
        before = time.time()
        replies = [sender.ask(open_request(sequence)) for sequence in (7, 8, 10)]
        after = time.time()
        for r, (sequence, (payload, ttl, tos, source)) in enumerate(zip((7, 8, 10), replies)):
            assert source == (address, 862)  # the one that was asked, of several
            assert ttl == 254 and tos == 46 << 2  # 255, and one router on the way back
            assert len(payload) == 44
            # R, then T3, error estimate, SSID, T2, S, T1, the sender's estimate, 0, TTL at arrival, 0.
            assert payload[:4] == struct.pack(">I", r) and payload[14:16] == b"\x12\x34"
            assert payload[24:] == struct.pack(">IQH2xB3x", sequence, 0xED00378080000000, 0x8F02, 199)
            t3, t2 = (unix_time(struct.unpack(">Q", payload[at:at + 8])[0]) for at in (4, 16))
            assert before <= t2 <= t3 <= after
            assert payload[12] & 0x80 == 0 and payload[13] != 0  # not synchronised, and not corrupt


def test_extensions_over_the_network(network):
    with reflecting(network), network.entered("b"), Sender((A, 862), source=(B, 50000)) as sender:
        location = b"\x80\x02\x00\x18" + bytes(4) + b"\x80\x07\x00\x10" + bytes(16)
        service = b"\x80\x04\x00\x04" + struct.pack(">I", 10 << 26)
        payload, _, tos, _ = sender.ask(open_request(1, tlvs=location + service + b"\x80\x01\x00\x02\xaa\xbb"))
        assert payload[44:] == (b"\x00\x02\x00\x18" + struct.pack(">HH", 862, 50000) + b"\x00\x08\x00\x10"
                                + socket.inet_aton(B) + bytes(12) + b"\x00\x04\x00\x04" + struct.pack(">I", 10 << 26)
                                + b"\x00\x01\x00\x02\xaa\xbb")
        assert tos == 10 << 2


def test_authenticated_mode_and_a_key_that_changes(network, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text(KEY.hex() + "\n")
    with reflecting(network, f'key_file = "{key_file}"') as exporter, network.entered("b"), \
            Sender((A, 862)) as sender:
        payload = sender.ask(sealed_request(KEY, 7))[0]
        assert len(payload) == 112
        assert payload[96:] == hmac.new(KEY, payload[:96], hashlib.sha256).digest()[:16]
        assert payload[48:52] == struct.pack(">I", 7) and payload[80] == 63
        sender.send(sealed_request(b"another key of 16", 8))
        eventually(lambda: refused(exporter) == {"unauthenticated": 1}, 10, lambda: refused(exporter))
        assert KEY.hex() not in exporter.get("/config").text and str(key_file) in exporter.get("/config").text
        other = b"a key that is not hexadecimal"
        key_file.write_bytes(other + b"\n")
        assert exporter.request("POST", "/-/reload").status == 200
        payload = asked_until_answered(sender, sealed_request(other, 9))
        assert payload[96:] == hmac.new(other, payload[:96], hashlib.sha256).digest()[:16]


def test_what_is_refused_is_counted(network):
    with reflecting(network, f'allow = ["{B}/32"]') as exporter, network.entered("b"):
        with Sender((A, 862), source=(B, 1023)) as sender:
            sender.send(open_request(1))
        with Sender((A, 862), source=(B, 10862)) as sender:
            sender.send(open_request(1)[:40])
            sender.send(bytes(9500))
            sender.send(open_request(1, error=0))
            assert sender.ask(open_request(2))[0][:4] == bytes(4)
        with Sender((A6, 862)) as sender:
            sender.send(open_request(1))
        wanted = {"source_port": 1, "too_short": 1, "too_long": 1, "malformed": 1, "not_allowed": 1}
        eventually(lambda: refused(exporter) == wanted, 10, lambda: refused(exporter))
        metrics = exporter.metrics()
        assert metrics.values("ecmp_exporter_reflected_total", "x") == {None: 1}
        assert metrics.values("ecmp_exporter_reflector_sessions", "x") == {None: 1}


def udp(source, source_port, destination, port, payload):
    """An IPv4 datagram for a raw socket; the kernel fills in the header's checksum, and 0 is no checksum of UDP."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, socket.inet_aton(source),
                         socket.inet_aton(destination))
    return header + struct.pack(">HHHH", source_port, port, 8 + len(payload), 0) + payload


def test_two_reflectors_do_not_keep_each_other_busy(network):
    with reflecting(network, port=20001) as a, reflecting(network, node="b", port=20002) as b, \
            network.entered("b"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for sequence in range(10):  # as if the other reflector had asked
            raw.sendto(udp(B, 20002, A, 20001, open_request(sequence)), (A, 0))

        # The one takes each reply for a request; what it answers comes back with the time that the other put in.
        eventually(lambda: refused(a) == {"reply": 10}, 10, lambda: (refused(a), refused(b)))
        assert [sum(one.metrics().values("ecmp_exporter_reflected_total", "x").values()) for one in (a, b)] == [10, 10]


def resident(exporter):
    with open(f"/proc/{exporter.process.pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1]) << 10


def test_a_flood_of_a_hundred_thousand_sources(network):
    """Memory stays, a sender that was there keeps its session, and the probing goes on."""
    config = "max_sessions = 200\n" + WATCHED
    with reflecting(network, config) as exporter, network.entered("b"), Sender((A, 862)) as sender, \
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for sequence in range(10):
            assert struct.unpack(">I", sender.ask(open_request(sequence))[0][:4]) == (sequence,)
        eventually(lambda: exporter.metrics().total("ecmp_flow_replies_total") >= 8, 20, "replies of the destination")
        before, probes = resident(exporter), exporter.metrics()
        for number in range(100_000):
            source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            raw.sendto(udp(source, 1024 + number % 60000, A, 862, open_request(number)), (A, 0))
        # How many come through depends on the machine; the kernel drops the rest, which is counted.
        eventually(lambda: sum(exporter.metrics().values("ecmp_exporter_reflected_total", "x").values()) > 210, 20, "replies")
        eventually(lambda: exporter.metrics().values("ecmp_exporter_reflector_sessions", "x") == {None: 200}, 10, "sessions")
        assert resident(exporter) - before < 16 << 20
        # R goes on from where it was: the flood has not pushed out who was there. The end of it may still wait in the
        # socket, so that the kernel drops this request.
        assert asked_until_answered(sender, open_request(10))[:4] == struct.pack(">I", 10)
        finished = probes.total("ecmp_flow_probes_total")
        eventually(lambda: exporter.metrics().total("ecmp_flow_probes_total") >= finished + 8, 20, "more probes")
        after = exporter.metrics()
        sent, answered = (after.total(name) - probes.total(name)
                          for name in ("ecmp_flow_probes_total", "ecmp_flow_replies_total"))
        assert sent - answered <= 1  # of four flows once a second; one may be lost on a busy machine
        assert after.values("ecmp_exporter_rounds_skipped_total", "x") == probes.values("ecmp_exporter_rounds_skipped_total", "x")


PASSING = """
import os, socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", 862))
os.dup2(one.fileno(), 100)  # first out of the way: it may be 3 itself, and would be closed by exec
os.dup2(100, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="reflector")
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_socket_that_systemd_passes(network):
    """Without a listen address the socket is reason enough; an address that it has already is not bound again."""
    for addresses in ([], ["0.0.0.0:862"]):
        with Exporter(f"[reflector]\nlisten_addresses = {addresses}\n", network.ns("a"),
                      command_prefix=[sys.executable, "-c", PASSING]) as exporter, \
                network.entered("b"), Sender((A2, 862)) as sender:
            assert sender.ask(open_request(3))[3] == (A2, 862)
            assert exporter.read_log().count("reflecting") == 1


def test_wrong_settings_are_named(tmp_path):
    config = tmp_path / "exporter.toml"
    (tmp_path / "short").write_text("0011\n")
    for key, problem in (("missing", "No such file or directory"), ("short", "a key of 2 bytes: expected 16 at least")):
        config.write_text(f'[reflector]\nlisten_addresses = ["127.0.0.1:10862"]\nkey_file = "{key}"\n')
        done = subprocess.run([BINARY, f"--config.file={config}", "--config.check"], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr == f'{config}:3:12: key_file = "{key}": {tmp_path}/{key}: {problem}\n'


def stamp_suite():
    return shutil.which("stamp-suite", path=os.environ.get("PATH", "") + ":" + os.path.expanduser("~/.cargo/bin"))


@pytest.mark.skipif(stamp_suite() is None, reason="stamp-suite is not installed (tests/peers.sh stamp-suite)")
@pytest.mark.parametrize("mode", ["open", "authenticated"])
def test_the_sender_of_stamp_suite(network, tmp_path, mode):
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    (tmp_path / "key").chmod(0o600)
    extra = f'key_file = "{tmp_path / "key"}"' if mode == "authenticated" else ""
    more = ["--auth-mode", "A", "--hmac-key-file", str(tmp_path / "key")] if mode == "authenticated" else []
    with reflecting(network, extra) as exporter:
        network.run_in("b", [stamp_suite(), "--remote-addr", A, "--local-addr", B, "--local-port", "50000",
                             "--count", "20", "--send-delay", "20", *more])
        assert exporter.metrics().values("ecmp_exporter_reflected_total", "x") == {None: 20}
        assert refused(exporter) == {}


@pytest.mark.skipif(importlib.util.find_spec("scapy") is None or importlib.util.find_spec("scapy.contrib.stamp") is None,
                    reason="scapy with contrib.stamp is not installed (tests/peers.sh scapy)")
def test_what_scapy_reads_in_a_reply(network):
    from scapy.contrib.stamp import STAMPSessionReflectorTestUnauthenticated as Reply
    with reflecting(network), network.entered("b"), Sender((A, 862)) as sender:
        read = Reply(sender.ask(open_request(7, tlvs=b"\x80\x01\x00\x02\xaa\xbb"))[0])
    assert (read.seq, read.ssid, read.seq_sender, read.ttl_sender) == (0, 0x1234, 7, 63)
    assert [(int(tlv.flags), tlv.type, tlv.value) for tlv in read.tlv_objects] == [(0, 1, b"\xaa\xbb")]
