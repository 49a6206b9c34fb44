"""ecmp_trace as people call it: ETR's end-to-end test, and what ETR got wrong, each by the number it has there."""
import contextlib
import re
import signal
import socket
import struct
import threading

import pytest

import tracer
from capture import Capture, read_datagrams
from etr_topology import DESTINATION as ETR_DESTINATION
from etr_topology import SECOND_HOPS, etr_topology
from exporter import eventually
from lab import AGENT, AGENT_SECOND, DESTINATION, Fan
from netns import Network, write_sysctls
from tracer import FAST, Tracer, simulated

anywhere = pytest.mark.anywhere
FOUR = DESTINATION[4]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@contextlib.contextmanager
def healed(fan, node):
    try:
        yield
    finally:
        fan.heal(node)


def answered(line):
    return [hop["ip"] for hop in line["hops"]]


# --- ETR's own test ----------------------------------------------------------------------------------------------------

def test_two_paths_by_tcp_and_udp_over_both_families():
    with etr_topology() as network:
        for family, host in ETR_DESTINATION.items():
            for protocol in ("-T", "-U"):
                for flows, rounds in ((4, 8), (24, 48)):
                    done = tracer.run(protocol, f"-P{flows}", host, "-c2", "-J", "-d", "500ms", "-i", "10ms",
                                      namespace=network.ns("probe"))
                    assert done.code == 0
                    assert len(done.lines) == rounds
                    assert {(line["probe_id"], line["probe_num"]) for line in done.lines} == \
                        {(flow, number) for flow in range(flows) for number in range(2)}
                    assert all(line["reached_dest"] is True for line in done.lines)
                    if flows == 24:  # of 4, all take the same branch once in eight times
                        assert len({line["path_hash"] for line in done.lines}) == 2
                        assert {line["hops"][1]["ip"] for line in done.lines} == SECOND_HOPS[family]


# --- what ETR gets wrong -----------------------------------------------------------------------------------------------

def test_1_a_cut_is_seen_in_the_next_round(fan):
    with Tracer(FOUR, "-P4", *FAST, namespace=fan.network.ns("agent")) as trace:
        assert all(line["reached_dest"] for line in trace.await_rounds(2))
        with healed(fan, "r2"):
            fan._rule("r2", "forward", "drop")
            trace.await_rounds(2)  # the first of them may have been on its way already
            for line in trace.await_rounds(1):
                assert line["reached_dest"] is False and line["loss"] is True
                assert [hop["timeout"] for hop in line["hops"]] == [False, False, False, True]
                assert line["hops"][3]["rtt"] == 0 and line["hops"][3]["ip"] == ""
        trace.await_rounds(2)
        assert all(line["reached_dest"] for line in trace.await_rounds(1))


def test_2_the_distance_is_right_within_two_rounds_in_both_directions(fan):
    with Tracer(FOUR, "-P4", *FAST, namespace=fan.network.ns("agent")) as trace:
        assert {len(line["hops"]) for line in trace.await_rounds(2)} == {4}
        try:
            for change, distance in ((fan.grow, 5), (fan.shrink, 4), (fan.grow, 5)):
                change()
                trace.await_rounds(2)
                for line in trace.await_rounds(1):
                    assert len(line["hops"]) == distance and line["hops"][-1]["ip"] == FOUR and line["reached_dest"]
        finally:
            fan.shrink()


LINE = """wires = ["agent - r1 - (b1 b2) - r2 - dst"]
[link."*"]
delay = "{delay}"
[destination.dst]
"""


def line_scenario(path, delay):
    path.write_text(LINE.format(delay=delay))
    return str(path)


@anywhere
def test_3_the_hash_depends_neither_on_the_rtt_nor_on_the_delay_between_ttls(tmp_path):
    seen = set()
    for delay in ("10us", "25ms"):  # the destination is 200 ms away then
        network = line_scenario(tmp_path / f"{delay}.toml", delay)
        for gap in ("0s", "1ms", "100ms"):
            lines = simulated(network, "-P8", "-c4", "-J", "-i", gap).lines
            assert len(lines) == 32 and all(len(line["hops"]) == 4 and line["reached_dest"] for line in lines)
            seen.add(tuple(sorted({(line["source_port"], line["path_hash"]) for line in lines})))
    assert len(seen) == 1 and len(seen.pop()) == 8


def test_4_a_link_that_flaps_is_no_end(fan):
    with Tracer(FOUR, "-P4", *FAST, namespace=fan.network.ns("agent")) as trace:
        trace.await_rounds(1)
        fan.uplink_down()
        try:
            trace.await_line(lambda line: line["hops"] and line["hops"][0]["reply"] == "send_failed", 10,
                             "a round that could not be sent")
        finally:
            fan.uplink_up()
        trace.await_line(lambda line: line["reached_dest"], 10, "the destination is reached again")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_5_a_signal_ends_it_within_a_second_and_finished_lines_are_written(fan, number):
    with healed(fan, "r1"):
        fan._rule("r1", "forward", "drop")
        fan._rule("r1", "output", "drop")  # nothing answers at all
        with Tracer(FOUR, "-P2", "-d", "1h", "-i", "0", "-t", "200ms", namespace=fan.network.ns("agent")) as trace:
            eventually(lambda: len(trace.lines) == 2, 10, "one line of each flow")
            code, seconds = trace.end(number)
            assert code == 0 and seconds < 1
            assert len(trace.lines) == 2 and not any(line["reached_dest"] for line in trace.lines)
            assert f"{FOUR}, TCP port 443: 2 flows, 1 round" in "".join(trace.errors)


def test_6_icmp_errors_with_a_few_quoted_bytes_do_no_harm(fan):
    with Tracer(FOUR, "-P4", "-U", *FAST, namespace=fan.network.ns("agent")) as trace:
        trace.await_rounds(1)
        with fan.network.entered("dst"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            for kind in ((11, 0), (3, 3)):
                for quoted in range(0, 8):
                    quote = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 0, 0x4000, 1, 17, 0, socket.inet_aton(AGENT[4]),
                                        socket.inet_aton(FOUR)) + struct.pack("!HHHH", 50000, 33434, 40, 0)[:quoted]
                    body = struct.pack("!BBHI", *kind, 0, 0) + quote
                    raw.sendto(body[:2] + struct.pack("!H", checksum(body)) + body[4:], (AGENT[4], 0))
        assert all(line["reached_dest"] and len(line["hops"]) == 4 for line in trace.await_rounds(2))
        assert trace.end()[0] == 0


def checksum(data):
    words = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    words += data[-1] << 8 if len(data) & 1 else 0
    while words >> 16:
        words = (words & 0xffff) + (words >> 16)
    return ~words & 0xffff


@anywhere
def test_7_a_reply_after_the_timeout_is_a_loss_and_nothing_else(tmp_path):
    network = line_scenario(tmp_path / "far.toml", "60ms")  # hops at 120, 240, 360 and 480 ms
    done = simulated(network, "-P4", "-c5", "-J", "-t", "300ms")
    for line in done.lines:
        assert [hop["timeout"] for hop in line["hops"]][:2] == [False, False]
        assert all(hop["timeout"] and hop["rtt"] == 0 and hop["recv_time"] == "" for hop in line["hops"][2:])
        assert line["reached_dest"] is False
        assert all(hop["rtt"] < 300000 for hop in line["hops"])
    report = simulated(network, "-P1", "-c5", "--report", "-t", "300ms").out
    assert re.search(r"^50000 +100\.0 +0\.0 +5 +- +- +- +- ", report, re.M) or "not reached" in report
    # Once each was counted, not twice: five rounds, five probes at each hop that answered.
    assert re.search(r"^ +1 +0\.0 +0\.0 +5 ", report, re.M)


def test_8_without_a_delay_all_probes_to_a_black_hole_are_different(fan, tmp_path):
    with healed(fan, "r1"):
        fan._rule("r1", "forward", "drop")
        fan._rule("r1", "output", "drop")
        path = str(tmp_path / "probes.pcap")
        capture = Capture(fan.network, "agent", "r1", path)
        done = tracer.run(FOUR, "-P1", "-i", "0", "-m30", "-c3", "-d", "300ms", "-t", "200ms", "-U", "-J",
                          namespace=fan.network.ns("agent"))
        capture.stop()
        assert done.code == 0 and len(done.lines) == 3
        probes = [data for data in read_datagrams(path) if data[9] == 17 and data[16:20] == socket.inet_aton(FOUR)]
        assert len(probes) == 90
        assert len({(probe[8], probe[20:]) for probe in probes}) == 90  # by TTL and UDP datagram


def test_9_the_kernels_icmp_limits_cause_no_changes():
    with Fan(width=4, icmp="kernel") as fan:
        done = tracer.run(FOUR, "-P5", "-c5", "-J", "-d", "500ms", "-t", "300ms", "-i", "10ms",
                          namespace=fan.network.ns("agent"))
        assert len(done.lines) == 25
        assert {line["changed"] for line in done.lines} == {""}
        assert any(hop["silent"] for line in done.lines for hop in line["hops"])
        for port in range(50000, 50005):
            paths = [line for line in done.lines if line["source_port"] == port and line["path"]]
            # Known hops only ever become more.
            known = [{hop["ip"] for hop in line["hops"]} - {""} for line in paths]
            assert len(set().union(*known)) <= 4


def test_10_a_udp_service_that_answers_is_reached(fan):
    for family, host in DESTINATION.items():
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        with fan.network.entered("dst"):
            service = socket.socket(kind, socket.SOCK_DGRAM)
            service.bind((host, 0))
        port = service.getsockname()[1]
        service.settimeout(0.1)
        over = threading.Event()

        def serve():
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    service.sendto(b"hello", service.recvfrom(2000)[1])
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            done = tracer.run(host, "-U", "-p", port, "-P3", "-c3", "-J", *FAST, namespace=fan.network.ns("agent"))
        finally:
            over.set()
            thread.join()
            service.close()
        assert len(done.lines) == 9
        last = [line for line in done.lines if line["probe_num"] == 2]
        assert all(line["reached_dest"] and line["hops"][-1]["ip"] == host for line in last)
        assert {line["hops"][-1]["reply"] for line in last} == {"udp"}


@pytest.mark.parametrize("refusal,told", [("admin-prohibited", "admin_prohibited"),
                                          ("host-unreachable", "host_unreachable")])
def test_11_and_12_a_refusal_is_told_with_its_sender_and_is_not_the_destination(fan, refusal, told):
    with healed(fan, "r2"):
        fan._rule("r2", "forward", f'oifname "dst" reject with icmpx type {refusal}')
        done = tracer.run(FOUR, "-P3", "-c2", "-J", *FAST, namespace=fan.network.ns("agent"))
    assert len(done.lines) == 6
    for line in done.lines:
        assert line["reached_dest"] is False
        refusals = [hop for hop in line["hops"] if hop["reply"] == told]
        assert refusals and {hop["ip"] for hop in refusals} == {fan.addresses["r2"][4]}
        assert all(hop["timeout"] for hop in refusals)


def test_13_two_at_a_time_are_both_right(fan):
    namespace = fan.network.ns("agent")
    with Tracer(FOUR, "-P8", *FAST, namespace=namespace) as one, Tracer(FOUR, "-P8", *FAST, namespace=namespace) as two:
        both = [one.await_rounds(5), two.await_rounds(5)]
        expected = fan.expected_paths(FOUR, range(50000, 50008), protocol="tcp", port=443)
        for lines in both:
            for line in lines:
                assert answered(line) == expected[line["source_port"]] and line["reached_dest"]


def test_14_the_hosts_own_uplinks_are_followed_and_so_is_its_source():
    with Fan(width=2, uplinks=2) as fan:
        with Tracer(FOUR, "-P16", *FAST, namespace=fan.network.ns("agent")) as trace:
            expected = fan.expected_paths(FOUR, range(50000, 50016), protocol="tcp", port=443)
            for line in trace.await_rounds(2):
                assert answered(line) == expected[line["source_port"]] and line["reached_dest"]
            assert {path[0] for path in expected.values()} == {fan.addresses[node][4] for node in fan.gateways}
            fan.change_source()
            trace.await_line(lambda line: line["source_ip"] == AGENT_SECOND[4] and line["reached_dest"], 10,
                             "a round from the new source")


def test_15_a_gateway_that_does_not_resolve_is_told_and_tried_again():
    with Network() as network:
        network.add_nodes(["here", "there"])
        ns = network.ns
        write_sysctls(ns("there"), {"net.ipv4.ip_forward": 1, "net.ipv4.icmp_ratelimit": 0})
        network.batch(None, [f"link add name up netns {ns('here')} type veth peer name down netns {ns('there')}"])
        network.batch("here", ["link set dev lo up", "link set dev up up", "addr add 10.60.0.1/24 dev up",
                               "route add default via 10.60.0.2"])
        network.batch("there", ["link set dev lo up", "link set dev down up", "addr add 10.61.0.1/32 dev lo"])
        with Tracer("10.61.0.1", "-P2", *FAST, namespace=ns("here")) as trace:
            told = "the gateway 10.60.0.2 on up does not resolve to a link address"
            eventually(lambda: told in "".join(trace.errors), 10, lambda: f"{told}: {trace.errors}")
            assert not any(line["reached_dest"] for line in trace.lines)
            network.batch("there", ["addr add 10.60.0.2/24 dev down"])
            trace.await_line(lambda line: line["reached_dest"], 20, "reached once the gateway is there")
            assert "probes are answered again" in "".join(trace.errors)


@pytest.mark.parametrize("protocol", ["-U", "-T", "-I"])
def test_16_all_probes_have_one_size(fan, protocol, tmp_path):
    for family, host in DESTINATION.items():
        path = str(tmp_path / f"{family}.pcap")
        capture = Capture(fan.network, "agent", "r1", path)
        tracer.run(host, protocol, "-P2", "-c2", "-J", *FAST, namespace=fan.network.ns("agent"))
        probes = [probe for probe in capture.stop() if probe.destination == host]
        assert {probe.ttl for probe in probes} >= {1, 2, 3, 4}
        assert len({probe.size for probe in probes}) == 1


@anywhere
def test_17_a_file_that_cannot_be_written_is_an_error(tmp_path):
    missing = str(tmp_path / "no" / "such")
    for arguments in (["-j", missing, "--report"], ["-l", missing, "-J"]):
        done = simulated("fan_4", "-c2", *arguments)
        assert done.code == 1 and done.out == ""
        assert done.err.startswith("Error: ") and missing in done.err and done.err.count("\n") == 1
    with open("/dev/full", "w") as full:
        for arguments in (["-J"], ["--report"], ["--diagram", "svg"]):
            done = simulated("fan_4", "-c2", *arguments, stdout=full)
            assert (done.code, done.err) == (1, "Error: cannot write standard output: No space left on device\n")
        for arguments in (["--help"], ["--version"]):
            assert tracer.run(*arguments, stdout=full).code == 1
    for arguments in (["-J"], ["--report"], ["--diagram", "svg"]):
        done = simulated("fan_4", "-c2", *arguments, prefix=["sh", "-c", 'exec "$0" "$@" >&-'])
        assert (done.code, done.err) == (1, "Error: cannot write standard output: Bad file descriptor\n")
    done = simulated("fan_4", "-c2", "--report", "-j", "/dev/full")
    assert (done.code, done.err) == (1, "Error: cannot write /dev/full: No space left on device\n")


@anywhere
def test_17_without_a_terminal_the_live_view_is_an_error():
    done = simulated("fan_4")
    assert done.code == 1 and done.out == ""
    assert done.err == "Error: standard output is not a terminal: use --json, --report or --diagram\n"


def test_18_loopback_and_own_addresses_are_traced(fan):
    for host in ("127.0.0.1", "::1", AGENT[4], AGENT[6]):
        for protocol in ("-T", "-U", "-I"):
            lines = tracer.run(host, protocol, "-P2", "-c2", "-J", *FAST, namespace=fan.network.ns("agent")).lines
            assert len(lines) == 4
            assert all(line["reached_dest"] and answered(line) == [host] for line in lines), (host, protocol, lines)


@anywhere
def test_20_recv_time_is_when_the_reply_came():
    for line in simulated("fan_4", "-P3", "-c3", "-J", "-i", "50ms").lines:
        begin = nanoseconds(line["timestamp"])
        for hop in line["hops"]:
            sent = nanoseconds(hop["recv_time"]) - hop["rtt_ns"]
            due = begin + (hop["ttl"] - 1) * 50_000_000
            assert 0 <= sent - due < 5_000_000 * hop["ttl"], line


def nanoseconds(text):
    match = re.fullmatch(r"2026-01-01T00:(\d\d):(\d\d)\.(\d{9})Z", text)
    return (int(match[1]) * 60 + int(match[2])) * 10**9 + int(match[3])
