"""What a reflector makes of those who mean it harm: nothing longer than what came, nothing without end, no more memory, and
no loss of what is measured meanwhile. The flood of 100,000 sources is in test_reflector.py."""
import contextlib
import random
import socket
import struct
import subprocess
import sys

import pytest

from exporter import eventually
from netns import missing_requirements
from stamp_sender import Sender, open_request, sealed_request
from test_reflector import A, B, KEY, WATCHED, asked_until_answered, network, reflecting, refused, resident, udp  # noqa: F401
from test_stamp import REFLECTOR

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason="; ".join(missing_requirements()))

VICTIM = "192.0.2.200"  # routed to b, which drops what comes for it


def reflected(exporter):
    return int(sum(exporter.metrics().values("ecmp_exporter_reflected_total", "x").values()))


def sessions(exporter):
    return exporter.metrics().values("ecmp_exporter_reflector_sessions", "x")[None]


def sent_by(network, node):
    """(packets, bytes) that a host has put on its link."""
    (link,) = network.ip_json(node, "-s", "link", "show", "dev", f"{node}0")
    return link["stats64"]["tx"]["packets"], link["stats64"]["tx"]["bytes"]


@contextlib.contextmanager
def raw_socket(network):
    with network.entered("b"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        yield raw


@contextlib.contextmanager
def undisturbed(exporter):
    """A trace goes on meanwhile: no round is skipped, and of its probes at most one in twenty is lost."""
    eventually(lambda: exporter.metrics().total("ecmp_flow_replies_total") >= 8, 60, "replies of the destination")
    before = exporter.metrics()
    yield
    finished = before.total("ecmp_flow_probes_total")
    eventually(lambda: exporter.metrics().total("ecmp_flow_probes_total") >= finished + 20, 60, "more probes")
    after = exporter.metrics()
    probes, replies = (after.total(name) - before.total(name) for name in ("ecmp_flow_probes_total", "ecmp_flow_replies_total"))
    assert probes - replies <= 0.05 * probes + 1
    assert after.values("ecmp_exporter_rounds_skipped_total", "x") == before.values("ecmp_exporter_rounds_skipped_total", "x")


def damaged(random_number, sequence):
    """A request with extensions that are cut, too long, nested wrongly or plain noise; of any size up to the largest."""
    choice = random_number.randrange(5)
    if choice == 0:
        return random_number.randbytes(random_number.randrange(0, 200))
    if choice == 1:
        return open_request(sequence)[:random_number.randrange(0, 44)]
    if choice == 2:
        return open_request(sequence) + random_number.randbytes(random_number.randrange(0, 9200))
    tlvs = b""
    while random_number.random() < 0.8 and len(tlvs) < 1000:
        # Lengths that go past the end, types that ask for more replies or other return paths (9 to 12), our own (250).
        kind = random_number.choice([1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 250, random_number.randrange(256)])
        length = random_number.choice([0, 1, 4, 16, 32, 65535, random_number.randrange(200)])
        tlvs += struct.pack(">BBH", random_number.randrange(256), kind, length)
        tlvs += random_number.randbytes(min(length, 64))
    return open_request(sequence, tlvs=tlvs) + (bytes(random_number.randrange(8000, 9300)) if choice == 3 else b"")


def test_no_reply_is_longer_than_its_request_whatever_that_is(network):  # noqa: F811
    """Noise, cut and oversized requests, broken extensions: a reply has the size of its request, or there is none."""
    source = random.Random(20260117)
    with reflecting(network, "packets_per_second_per_source = 1e9\n" + WATCHED) as exporter, network.entered("b"), \
            Sender((A, 862), timeout=0.2) as sender:
        sender.ask(open_request(0))
        with undisturbed(exporter):
            before, memory = [sent_by(network, node)[1] for node in "ab"], resident(exporter)
            sent = [damaged(source, sequence) for sequence in range(1, 2000)]
            for datagram in sent:
                sender.send(datagram)
        there, asked = (sent_by(network, node)[1] - was for node, was in zip("ab", before))
        # The trace's probes, which routers answer, are in the first of them.
        assert there <= asked + 50_000 and asked > 1_000_000, (there, asked)
        assert reflected(exporter) > 100
        # No reply is as short as these, no request as long; what the kernel drops is refused as well.
        unanswerable = sum(len(datagram) < 41 or len(datagram) > 9216 for datagram in sent)
        assert unanswerable > 400
        # The kernel reports what it dropped with the next datagram that comes.
        eventually(lambda: (sender.send(b""), sum(refused(exporter).values()) >= unanswerable)[-1], 60,
                   lambda: refused(exporter))
        assert resident(exporter) - memory < 16 << 20
        sender.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:  # what came of all that
                sender.receive()
        for size in (44, 45, 100, 1400, 9000, 9216):
            reply = asked_until_answered(sender, open_request(5000 + size) + bytes(size - 44))
            assert len(reply) == size


def test_a_flood_in_the_name_of_a_victim_is_not_amplified(network):  # noqa: F811
    """Spoofed requests: the victim gets one reply of their size each, at the rate of one source, and an allow-list none."""
    rate = 200
    with reflecting(network, f"packets_per_second_per_source = {rate}\n" + WATCHED) as exporter, raw_socket(network) as raw, \
            Sender((A, 862)) as sender:
        assert sender.ask(open_request(1))
        with undisturbed(exporter):
            for number in range(20_000):
                raw.sendto(udp(VICTIM, 1024 + number % 60000, A, 862, open_request(number)), (A, 0))
            eventually(lambda: refused(exporter).get("rate", 0) > 1000, 60, lambda: refused(exporter))
            assert asked_until_answered(sender, open_request(2))  # another source has its own rate
        counts = refused(exporter)
        answered = reflected(exporter)
        assert set(counts) <= {"rate", "overflow"} and counts["rate"] > 5 * answered, (answered, counts)

    with reflecting(network, f'allow = ["{B}/32"]\n') as exporter, raw_socket(network) as raw, Sender((A, 862)) as sender:
        assert asked_until_answered(sender, open_request(1))
        before = eventually(lambda: reflected(exporter), 10, "a reply is counted")

        def spoof(number):
            raw.sendto(udp(VICTIM, 1024 + number, A, 862, open_request(number)), (A, 0))
        for number in range(5_000):
            spoof(number)
        # The kernel reports what it dropped with the next datagram that comes.
        eventually(lambda: (spoof(0), sum(refused(exporter).values()) >= 5_000)[-1], 60, lambda: refused(exporter))
        assert set(refused(exporter)) <= {"not_allowed", "overflow"}
        assert reflected(exporter) == before and sessions(exporter) == 1


def test_what_was_recorded_and_is_sent_again_changes_nothing(network, tmp_path):  # noqa: F811
    """With a key: a replay is answered to where it came from, makes no session, and shifts nobody's count of arrivals."""
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    with reflecting(network, f'key_file = "{tmp_path / "key"}"\npackets_per_second_per_source = 1e9\n' + WATCHED) as exporter, \
            network.entered("b"), Sender((A, 862), timeout=5) as sender:
        recorded = sealed_request(KEY, 3)
        replies = [sender.ask(sealed_request(KEY, sequence))[0] for sequence in (1, 2)] + [sender.ask(recorded)[0]]
        assert [struct.unpack(">I", reply[:4])[0] for reply in replies] == [0, 1, 2]
        with undisturbed(exporter):
            for _ in range(3_000):
                sender.send(recorded)
            # Many more with a wrong HMAC, which cost the most.
            for number in range(10_000):
                sender.send(recorded[:-1] + bytes([number & 255]) if number & 255 != recorded[-1] else recorded[:-2] + bytes(2))
            eventually(lambda: refused(exporter).get("unauthenticated", 0) > 100, 60, lambda: refused(exporter))
        assert sessions(exporter) == 1 and set(refused(exporter)) <= {"unauthenticated", "overflow"}
        fresh = asked_until_answered(sender, sealed_request(KEY, 4))
        assert len(fresh) == 112 and struct.unpack(">I", fresh[:4])[0] >= 3


@pytest.mark.parametrize("mode", ["stateful", "stateless"])
def test_a_reflector_of_others_that_answers_everything_makes_no_loop(network, mode):  # noqa: F811
    """One forged request each, as if the other reflector had asked: what it makes of our replies is refused."""
    other = network.popen("b", [sys.executable, REFLECTOR, B, "20862", mode], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"listening\n"
        with reflecting(network, port=10862) as exporter, raw_socket(network) as raw:
            for sequence in range(10):
                raw.sendto(udp(B, 20862, A, 10862, open_request(sequence)), (A, 0))
            eventually(lambda: refused(exporter) == {"reply": 10}, 30, lambda: refused(exporter))
            packets = sent_by(network, "a")[0]
            # Nothing goes round any more: a loop would be thousands a second.
            eventually(lambda: exporter.metrics() and sent_by(network, "a")[0] - packets < 100, 10, "quiet")
            assert reflected(exporter) == 10 and refused(exporter) == {"reply": 10}
    finally:
        other.kill()
        other.wait()
