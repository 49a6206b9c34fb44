"""One-way delay by synchronised clocks, between two exporters on one machine: both have one clock, so that what is claimed
can be compared with what the lab does. Who may not ask the kernel asks the NTP server of the host, which is imitated here
(RFC 5905)."""
import contextlib
import ctypes
import json

import pytest

from delay import Delay
from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from ntp import ROOT_DELAY, ROOT_DISPERSION, NtpServer

FLOWS = 8
WAIT = 0.05
LONG = 90
TIME_ERROR = 5
STA_UNSYNC = 0x40


def kernel_keeps_the_clock():
    """What adjtimex(2) says, of which modes comes first and status behind it and four longs."""
    state = (ctypes.c_long * 64)()
    returned = ctypes.CDLL(None, use_errno=True).adjtimex(state)
    return 0 <= returned != TIME_ERROR and not state[5] & STA_UNSYNC


def clock_error(exporter):
    return next(iter(exporter.metrics().values("ecmp_reflector_clock_error_seconds", "destination").values()), None)


def delays(exporter):
    """{(path, direction): median}"""
    found = exporter.metrics().values("ecmp_path_oneway_delay_seconds", ("path", "direction"), destination="far", quantile="0.5")
    return {key: value for key, value in found.items() if value == value}


@pytest.mark.skipif(kernel_keeps_the_clock(), reason="this host's clock is synchronised already: nothing begins with a claim")
def test_delays_come_and_go_with_the_claims_of_both_clocks(tmp_path):
    del tmp_path
    with Fan(width=2) as fan, contextlib.ExitStack() as stack:
        far = stack.enter_context(Exporter('[reflector]\nlisten_addresses = [":10862"]\n', fan.network.ns("dst")))
        near = stack.enter_context(Exporter(config([{
            "name": "far", "host": DESTINATION[4], "protocol": "stamp", "port": 10862, "flows": FLOWS, "source_port": 50000,
            "packet_interval": "200ms"}], probe={"interval": "1s"}), fan.network.ns("agent")))
        routed = fan.expected_paths(DESTINATION[4], range(50000, 50000 + FLOWS), port=10862)
        stack.callback(Delay(fan, fan.branch(1), WAIT).close)
        near_clock = stack.enter_context(NtpServer(fan, "agent"))
        eventually(lambda: near_clock.asked > 1 and len(near.metrics().flow_paths("far")) == FLOWS, LONG, near.read_log)
        info = near.metrics().values("ecmp_reflector_info", "clock", destination="far")
        assert list(info) == ["unsynchronised"], info
        assert clock_error(near) is None and not delays(near), "the reflector's clock claims nothing"

        far_clock = stack.enter_context(NtpServer(fan, "dst"))
        eventually(lambda: clock_error(near) is not None, LONG, lambda: (far_clock.asked, near.metrics().text, far.read_log()))
        assert list(near.metrics().values("ecmp_reflector_info", "clock", destination="far")) == ["synchronised"]
        # Twice half the root's delay and its dispersion, and what it took to ask; seconds only where the machine stood still.
        assert 2 * (ROOT_DELAY / 2 + ROOT_DISPERSION) * 0.99 < clock_error(near) < 2
        slow = {path for port, path in near.metrics().flow_paths("far").items() if fan.addresses[fan.branch(1)][4] in routed[port]}

        def measured():
            found = delays(near)
            ahead = {path for path, direction in found if direction == "forward"}
            return ahead >= slow and len(ahead) > len(slow) and found
        found = eventually(measured, LONG, lambda: delays(near))
        for (path, direction), median in found.items():
            if direction == "forward" and path in slow:
                assert median > 0.9 * WAIT, found  # a bucket is 9 % wide
            else:
                assert median < 0.9 * WAIT, found
        topology = json.loads(near.get("/topology?destination=far").text)
        one = topology["destinations"][0]
        assert one["reflector"]["clock_error_ns"] > 0
        assert all(path["oneway"]["forward"]["window"]["delay_ns"]["p50"] > 0.9e9 * WAIT for path in one["paths"]
                   if path["id"] in slow)

        far_clock.leap = 3
        eventually(lambda: clock_error(near) is None, LONG, lambda: near.metrics().text)
        assert list(near.metrics().values("ecmp_reflector_info", "clock", destination="far")) == ["unsynchronised"]
        assert delays(near), "what was measured stays for its window"
