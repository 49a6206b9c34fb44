"""A first hop with Linux's default ICMP limits is not made silent by 200 destinations behind it."""
import collections

from exporter import Exporter, config, eventually, now
from lab import Fan
from netns import write_sysctls

DESTINATIONS = 200
FLOWS = 16
# What a namespace has when nobody touches it: one a second for each peer, of the types 3, 4, 11 and 12.
KERNEL_DEFAULTS = {"net.ipv4.icmp_ratelimit": 1000, "net.ipv4.icmp_ratemask": 6168}

Hop = collections.namedtuple("Hop", "probes silences")


def first_hop(exporter, since):
    """Over all rounds: counters belong to a responder, and most flows have not heard one at the first hop yet."""
    probes = silences = 0
    for line in exporter.paths(since=since):
        hop = line["hops"][0]
        probes += hop.get("probed", True)
        silences += hop["silent"]
    return Hop(probes, silences)


def measure(fan, adapt, rounds):
    """First hop's counts at the end of the settling, and the growth from then on, both in rounds of all flows."""
    destinations = [{"name": f"d{i}", "host": f"10.78.{i // 100}.{i % 100 + 1}"} for i in range(DESTINATIONS)]
    text = config(destinations, {"interval": "10s", "timeout": "1s", "flows": FLOWS},
                  {"adapt_to_responders": adapt})
    settling, end = rounds
    began = now()
    with Exporter(text, fan.network.ns("agent")) as exporter:
        def done(share):
            def replies():
                metrics = exporter.metrics()
                enough = metrics.total("ecmp_flow_replies_total") >= share * DESTINATIONS * FLOWS
                return metrics if enough else None
            return eventually(replies, 60, f"{share} rounds of all flows")
        done(settling)
        first = first_hop(exporter, began)
        after = done(end)
        last = first_hop(exporter, began)
        lost = after.total("ecmp_flow_probes_total") - after.total("ecmp_flow_replies_total")
    return first, Hop(last.probes - first.probes, last.silences - first.silences), lost, after


def test_a_first_hop_with_default_limits_is_not_made_silent():
    with Fan(width=4) as fan:
        write_sysctls(fan.network.ns("r1"), KERNEL_DEFAULTS)
        settling, paced, lost, metrics = measure(fan, True, (0.9, 2.2))
        print(f"with: settling {settling}, then {paced}")
        assert lost <= DESTINATIONS * FLOWS / 100  # a busy machine may answer late
        # What is asked before the limit is known; without pacing it would be all but a few.
        assert settling.silences <= DESTINATIONS * FLOWS / 10
        assert paced.probes >= 5
        # Not none: a busy machine moves probes together, and up to Linux 6.12 a second limit is that of all namespaces.
        assert paced.silences <= 2
        assert metrics.total("ecmp_exporter_probes_left_out_total") > DESTINATIONS * FLOWS
        # The branches and r2 answer all, and are asked in all rounds.
        assert metrics.total("ecmp_hop_silences_total", ttl="2") == 0
        assert metrics.total("ecmp_hop_probes_total", ttl="2") >= 2 * DESTINATIONS * FLOWS
        _, unpaced, lost, _ = measure(fan, False, (0.3, 0.9))
        print(f"without: {unpaced}")
        assert lost <= DESTINATIONS * FLOWS / 100  # a busy machine loses some of what comes all at once
        assert unpaced.silences > 0.9 * unpaced.probes > 0
