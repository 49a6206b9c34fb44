"""Faults of the agent's own host: what it cannot send or see is told as such and never as loss, and two rounds after the
fault is over everything is measured again."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from counters import Counters
from delay import Delay
from exporter import Exporter, config, eventually, now, full_pipe
from lab import AGENT, AGENT_SECOND, DESTINATION, Fan
from netns import entered

FLOWS = 8
NAMES = {4: "four", 6: "six"}
PORTS = range(50000, 50000 + FLOWS)
INTERVAL = 0.4
# Takes no lab.
HERE = config([{"name": "here", "host": "127.0.0.1", "flows": 1}])


class Host:
    """The agent behind one link, with an exporter on it."""

    def __init__(self, fan, exporter):
        self.fan, self.exporter = fan, exporter

    def agent(self, *lines, family=None, force=False):
        self.fan.network.batch("agent", list(lines), family=family, force=force)

    def tc(self, *arguments):
        self.fan.network.run_in("agent", ["tc", "qdisc", *arguments])

    def counter(self, name, **labels):
        return sum(self.exporter.metrics().values(f"ecmp_exporter_{name}_total", "reason", **labels).values())

    def standing(self):
        """{destination: up, or why that is not known}"""
        metrics = self.exporter.metrics()
        up = metrics.values("ecmp_destination_up", "destination")
        unjudged = {destination: reason
                    for destination, reason in metrics.values("ecmp_destination_unjudged", ("destination", "reason"))}
        return {name: unjudged.get(name) if name not in up else up[name] for name in NAMES.values()}

    def await_standing(self, wanted):
        eventually(lambda: set(self.standing().values()) == {wanted}, 15, self.standing)

    def await_counter(self, name, more_than=0, seconds=15, **labels):
        eventually(lambda: self.counter(name, **labels) > more_than, seconds,
                   lambda: self.exporter.get("/metrics?name[]=ecmp_exporter_send_errors_total"
                                             "&name[]=ecmp_exporter_unobserved_rounds_total").text)

    def await_recovery(self):
        """The second round of each flow that begins from here on reaches, and those after it."""
        since = now()

        def rounds():
            return [self.exporter.rounds(name, since) for name in NAMES.values()]
        eventually(lambda: all(len(found.get(port, [])) >= 3 for found in rounds() for port in PORTS), 20, "three rounds")
        for found in rounds():
            for port, lines in found.items():
                late = [line["probe_num"] for line in lines[1:] if not line["reached_dest"]]
                assert not late, f"flow {port}: {lines[:3]}"

    def check_no_loss(self):
        metrics = self.exporter.metrics()
        probes = metrics.values("ecmp_flow_probes_total", ("destination", "flow"))
        replies = metrics.values("ecmp_flow_replies_total", ("destination", "flow"))
        lossy = [line for line in self.exporter.paths(since="5m") if line["loss"]]
        assert probes == replies and not lossy, json.dumps(lossy)
        assert not any(metrics.values("ecmp_hop_losses_total", "hop").values())
        lines = self.exporter.paths(since="5m")
        assert not sum(metrics.values("ecmp_flow_path_changes_total", "kind").values())
        return lines


@contextlib.contextmanager
def host(delay=None, **probe):
    with Fan(width=2) as fan, contextlib.ExitStack() as stack:
        destinations = [{"name": name, "host": DESTINATION[family], "flows": FLOWS} for family, name in NAMES.items()]
        if delay:
            for number in (1, 2):
                stack.callback(Delay(fan, fan.branch(number), delay).close)
        made = config(destinations, probe={"interval": f"{int(INTERVAL * 1000)}ms", "timeout": "250ms", **probe})
        with Exporter(made, fan.network.ns("agent")) as exporter:
            found = Host(fan, exporter)
            counters = Counters(exporter)
            found.await_recovery()
            yield found
            counters.check()


def test_an_interface_that_goes_down_and_comes_up():
    # Answers take 100 ms: some are on their way when the link goes.
    with host(delay=0.1) as h:
        for _ in range(2):
            h.fan.uplink_down()
            h.await_counter("send_errors", h.counter("send_errors"))
            h.await_standing("send_failed")  # and not down: nobody was asked
            shown = json.loads(h.exporter.get("/topology?detail=summary").text)["destinations"]
            assert {one["state"] for one in shown} == {"unknown"}
            assert {one["unjudged"]["reason"] for one in shown} == {"send_failed"}
            h.fan.uplink_up()
            h.await_recovery()
            h.await_standing(1)
        lines = h.check_no_loss()
        reasons = {line["unobserved"] for line in lines if "unobserved" in line}
        assert "link_down" in reasons and reasons <= {"link_down", "send_failed"}
        assert h.counter("unobserved_rounds", reason="link_down") > 0


def test_a_default_route_that_goes_and_comes_back():
    with host() as h:
        routes = {family: h.fan.network.run_in("agent", ["ip", f"-{family}", "route", "show", "default"]).strip()
                  for family in NAMES}
        for family in NAMES:
            h.agent("route del default", family=f"-{family}")
        h.await_counter("send_errors", reason="no_route")
        time.sleep(2 * INTERVAL)
        h.fan.agent_routes()
        assert all(routes.values())
        h.await_recovery()
        h.check_no_loss()


def test_a_gateway_that_does_not_answer_for_its_address():
    with host() as h:
        h.fan.network.nft("r1", "table arp lab {\nchain input {\ntype filter hook input priority 0;\narp operation request drop\n}\n}\n"
                                "table ip6 lab6 {\nchain input {\ntype filter hook input priority 0;\n"
                                "icmpv6 type nd-neighbor-solicit drop\n}\n}\n")
        h.agent("neigh flush dev r1", force=True)
        h.await_counter("send_errors", reason="never_left")
        time.sleep(3 * INTERVAL)
        h.fan.network.nft("r1", "delete table arp lab\ndelete table ip6 lab6")
        h.await_counter("unobserved_rounds", reason="send_failed")
        # The kernel asks for a failed neighbour again with the next probe, and waits up to a second between questions.
        eventually(lambda: all(line["reached_dest"] for line in h.exporter.paths()), 10, "all reach")
        h.await_recovery()
        h.check_no_loss()


def test_probes_that_are_too_big_for_the_link():
    with host(packet_size=1400) as h:
        h.agent("link set dev r1 mtu 1300")
        h.await_counter("send_errors", reason="too_big")
        time.sleep(2 * INTERVAL)
        h.agent("link set dev r1 mtu 1500")
        h.await_recovery()
        h.check_no_loss()
        assert h.counter("unobserved_rounds", reason="send_failed") > 0


def test_a_queue_of_the_host_that_is_full():
    with host() as h:
        h.tc("replace", "dev", "r1", "root", "tbf", "rate", "8kbit", "burst", "1600", "limit", "1600")
        h.await_counter("send_errors", more_than=20)
        h.tc("del", "dev", "r1", "root")
        h.await_recovery()
        metrics = h.exporter.metrics()
        assert metrics.values("ecmp_exporter_send_errors_total", "reason")["no_buffers"] > 0
        assert h.counter("unobserved_rounds", reason="send_failed") > 0


def test_a_firewall_of_the_host_that_drops_on_the_way_out():
    with host() as h:
        h.fan.network.nft("agent", "table netdev lab {\nchain out {\ntype filter hook egress device r1 priority 0;\n"
                                   "udp dport 33434 drop\n}\n}\n")
        h.await_counter("send_errors", more_than=20)
        h.fan.network.nft("agent", "delete table netdev lab")
        h.await_recovery()
        h.check_no_loss()


@pytest.mark.parametrize("seconds", [0.6, 3])
def test_a_process_that_is_stopped_for_a_while(seconds):
    with host(delay=0.1) as h:
        for _ in range(3):
            h.exporter.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            h.exporter.process.send_signal(signal.SIGCONT)
            h.await_recovery()
        h.check_no_loss()
        skipped = h.exporter.metrics().families["ecmp_exporter_rounds_skipped_total"][0][1]
        assert skipped > 0, "rounds that could not be made are counted"


def flood(h, port):
    """Datagrams from the agent to itself that the capture's filter takes for answers of the destination, from its port
    to one of a flow, until its ring of 16 MiB must be full."""
    with entered(h.fan.network.ns("agent")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.bind((AGENT[4], 33434))
        block = bytes(1200)
        for _ in range(30000):
            sender.sendto(block, (AGENT[4], port))


def test_a_capture_whose_ring_overflows():
    # Answers take so long that the ring is full before those come that are on their way.
    with host(delay=0.6, interval="1s", timeout="900ms") as h:
        h.exporter.process.send_signal(signal.SIGSTOP)
        flood(h, 50000)
        time.sleep(0.6)  # what was on its way finds no room
        h.exporter.process.send_signal(signal.SIGCONT)
        eventually(lambda: h.exporter.metrics().families["ecmp_exporter_capture_dropped_total"][0][1] > 0, 10, "drops")
        h.await_recovery()
        lines = h.check_no_loss()
        unseen = [line for line in lines if line.get("unobserved") == "capture_dropped"]
        assert [line for line in unseen if not line["reached_dest"] and not line["loss"]]
        assert h.counter("unobserved_rounds", reason="capture_dropped") >= len(unseen) > 0


def test_an_address_that_is_deprecated_and_one_that_is_removed():
    with host() as h:
        def sources():
            return set(h.exporter.metrics().values("ecmp_flow_info", "source_address", destination="six"))
        # The kernel is to choose the source; of two it takes the one that is not deprecated (RFC 6724, rule 3).
        first, second = AGENT[6], AGENT_SECOND[6]
        h.agent("route flush default", family="-6", force=True)
        h.agent(f"addr change {second}/128 dev lo preferred_lft 0 valid_lft forever",
                "route add default via fe80::2 dev r1", family="-6")
        eventually(lambda: sources() == {first}, 10, sources)
        h.agent(f"addr change {second}/128 dev lo preferred_lft forever valid_lft forever",
                f"addr change {first}/128 dev lo preferred_lft 0 valid_lft forever", family="-6")
        eventually(lambda: sources() == {second}, 10, sources)
        h.await_recovery()
        h.agent(f"addr del {second}/128 dev lo", family="-6")
        eventually(lambda: sources() == {first}, 10, sources)
        h.await_recovery()
        assert not [line for line in h.exporter.paths(since="5m") if line["loss"]]


def test_a_namespace_whose_only_link_disappears_and_is_made_again():
    with Fan(width=2) as fan:
        fan.network.batch("agent", [f"link add later type veth peer name later netns {fan.network.ns('dst')}"])

        def up():
            fan.network.batch("agent", ["addr add 10.66.0.2/24 dev later", "link set later up"])
            fan.network.batch("dst", ["addr add 10.66.0.1/24 dev later", "link set later up"])
        up()
        text = config([{"name": "four", "host": "10.66.0.1", "flows": FLOWS}], probe={"interval": "300ms", "timeout": "200ms"})
        with Exporter(text, fan.network.ns("agent")) as exporter:
            counters = Counters(exporter)
            reach = lambda: [line for line in exporter.paths() if line["reached_dest"]]
            eventually(lambda: len(reach()) == FLOWS, 10, "all reach")
            # Without its link's route the lab's default leads elsewhere: it is to lead nowhere.
            fan.network.batch("agent", ["route add unreachable 10.66.0.0/24 metric 5000", "link del later"])
            errors = lambda: sum(exporter.metrics().values("ecmp_exporter_send_errors_total", "reason").values())
            eventually(lambda: errors() > FLOWS, 10, "send errors")
            fan.network.batch("agent", [f"link add later type veth peer name later netns {fan.network.ns('dst')}"])
            up()
            eventually(lambda: len(reach()) == FLOWS, 10, "all reach again")
            assert not [line for line in exporter.paths(since="5m") if line["loss"]]
            counters.check()


def test_names_that_do_not_resolve_are_not_down():
    with Fan(width=2) as fan:
        text = config([{"name": "nowhere", "host": "nowhere.invalid"}, {"name": "four", "host": DESTINATION[4], "flows": 2}])
        with Exporter(text, fan.network.ns("agent")) as exporter:
            metrics = exporter.metrics()
            assert metrics.values("ecmp_destination_unjudged", ("destination", "reason")) == {("nowhere", "not_resolved"): 1}
            assert "nowhere" not in metrics.values("ecmp_destination_up", "destination")
            states = {one["name"]: one["state"] for one in
                      json.loads(exporter.get("/topology?detail=summary").text)["destinations"]}
            assert states == {"nowhere": "unknown", "four": "up"}


def test_a_reader_of_the_log_that_stalls_stops_nothing():
    reader, writer = full_pipe()
    with Fan(width=2) as fan:
        text = config([{"name": "four", "host": DESTINATION[4], "flows": FLOWS}])
        try:
            with Exporter(text, fan.network.ns("agent"), arguments=["--log.level=debug"], stderr=writer) as exporter:
                sent = lambda: exporter.metrics().values("ecmp_exporter_probes_sent_total", "protocol")["udp"]
                before = sent()
                for i in range(20):  # each is a line
                    with open(exporter.config_path, "a") as file:
                        file.write(f"# {i}\nnonsense = true\n" if i == 0 else f"# {i}\n")
                    exporter.process.send_signal(signal.SIGHUP)
                    time.sleep(0.1)
                eventually(lambda: sent() > before + FLOWS, 5, "probes")
                assert exporter.get("/-/healthy").status == 200
                assert exporter.metrics().families["ecmp_exporter_log_dropped_total"][0][1] > 0
                code, seconds = exporter.stop()
                assert code == 0 and seconds < 2
        finally:
            os.close(reader)
            os.close(writer)


def test_a_reader_of_the_log_that_is_gone_ends_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with Exporter(HERE, stderr=writer) as exporter:
            exporter.process.send_signal(signal.SIGHUP)  # a line
            eventually(lambda: exporter.metrics().families["ecmp_exporter_log_dropped_total"][0][1] > 0, 10, "dropped")
            assert exporter.get("/-/healthy").status == 200
            assert exporter.stop()[0] == 0
    finally:
        os.close(writer)


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_the_log_is_written_into_no_socket_or_file_where_standard_error_is_closed(closed):
    with Exporter(HERE, command_prefix=["sh", "-c", f'exec "$0" "$@" {closed}']) as exporter:
        for number in range(3):
            held = os.readlink(f"/proc/{exporter.process.pid}/fd/{number}")
            assert held.startswith("/"), (number, held)
        assert os.readlink(f"/proc/{exporter.process.pid}/fd/2") == "/dev/null"


def test_a_loop_that_stands_still_is_not_healthy():
    with host() as h:
        assert h.exporter.get("/-/healthy").status == 200
        # The main thread is the probing loop: it alone is held.
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(h.exporter.process.pid)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        assert holder.stdout.read(1) == b"+", "the thread could not be held"
        try:
            answer = eventually(lambda: (a := h.exporter.get("/-/healthy")).status == 503 and a, 15, "unhealthy")
            assert "stood still" in answer.text
        finally:
            holder.communicate(b"x")
        eventually(lambda: h.exporter.get("/-/healthy").status == 200, 5, "healthy")
        h.await_recovery()


# PTRACE_SEIZE and PTRACE_INTERRUPT stop one thread; it runs on when its holder ends.
HOLD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
thread = int(sys.argv[1])
ok = libc.ptrace(0x4206, thread, None, None) == 0 and libc.ptrace(0x4207, thread, None, None) == 0
ok = ok and os.waitpid(thread, 0x40000000)[0] == thread
sys.stdout.write("+" if ok else "-")
sys.stdout.flush()
sys.stdin.read(1)
"""
