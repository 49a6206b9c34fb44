"""The hops of one path (or a few): who answers, where loss begins, and what is only silence."""
from . import promql as q
from . import variables
from .panels import (BLUE, LOSS_STEPS, ORANGE, PLAIN, RED, SILENCE_STEPS, board, graph, heat, heatmap, instant,
                     loss_column, number_column, override, seconds_column, series, stat, table, trend_column)

WHERE = q.HOP
HOP_NAME = "{{ttl}} {{hop}} ({{path}})"
RTT, JITTER, LOSS = "ecmp_hop_rtt_seconds", "ecmp_hop_jitter_seconds", "ecmp_hop_loss_ratio"


def at_a_glance():
    return [
        stat("Loss, end to end", "Share of the end-to-end probes of the chosen paths that had no answer.",
             series(q.loss("path", q.PATH, ()), "loss"), "percentunit", LOSS_STEPS, width=6, decimals=2, graph=True),
        stat("Flows", "Flows on the chosen paths.", series(f"sum(ecmp_path_flows{{{q.PATH}}})", "flows"), "none", PLAIN,
             width=6, decimals=0, graph=True),
        stat("Longest path", "Hops of the longest of the chosen paths, the destination included.",
             series(f"max(ecmp_path_hops{{{q.PATH}}})", "hops"), "none", PLAIN, width=6, decimals=0),
        stat(
            "Silence of the hops",
            "Share of the probes that a hop did not answer while a later one did. It says something "
            "about the answering, often an ICMP limit, and nothing about the traffic.",
            series(q.hop_share("silences", WHERE, ()),
                   "silence"), "percentunit", SILENCE_STEPS, width=6, decimals=2, graph=True),
    ]


def hops():
    by = q.BY_HOP
    sent = q.increase("ecmp_hop_probes_total", WHERE, by)
    targets = [
        instant(q.named(sent, f"ecmp_path_hop_info{{{WHERE}}}"), "sent"),
        instant(q.hop_share("losses", WHERE, by, q.RANGE), "loss"),
        series(q.hop_share("losses", WHERE, by), "__auto", "losses"),
        instant(q.hop_share("silences", WHERE, by, q.RANGE), "silence"),
        instant(f'max by ({q.listed(by)}) (ecmp_hop_window_rtt_seconds{{{WHERE}, quantile="0.5"}})', "window"),
        instant(q.quantile(0.5, RTT, WHERE, by, q.RANGE), "p50"),
        instant(q.quantile(0.95, RTT, WHERE, by, q.RANGE), "p95"),
        instant(q.quantile(0.99, RTT, WHERE, by, q.RANGE), "p99"),
        instant(q.quantile(0.99, JITTER, WHERE, by, q.RANGE), "jitter"),
    ]
    columns = {
        "path": "Path", "ttl": "TTL", "hop": "Hop", "name": "Name", "asn": "AS", "mpls": "MPLS", "Value #sent":
        "Probes", "Value #loss": "Loss", "Trend #losses": "Loss over time", "Value #silence": "Silence",
        "Value #window": "RTT now", "Value #p50": "RTT p50", "Value #p95": "RTT p95", "Value #p99": "RTT p99",
        "Value #jitter": "Jitter p99"
    }
    overrides = [
        override("Path", custom__width=100),
        number_column("TTL", 60),
        number_column("Probes", 90),
        override("AS", custom__width=80),
        loss_column("Loss", width=90),
        trend_column("Loss over time", "percentunit", RED, 150),
        loss_column("Silence", SILENCE_STEPS, 90),
        seconds_column("RTT now", 90),
        seconds_column("RTT p50", 90),
        seconds_column("RTT p95", 90),
        seconds_column("RTT p99", 90),
        seconds_column("Jitter p99", 90)
    ]
    return table(
        "Hops", "What mtr shows, of every path at once and over the time range. Loss: no answer from this hop nor "
        "any beyond; silence: none from this hop, but from a later one. Only the last hop's loss is sure. Heavy loss "
        "shows at every hop behind its cause; light loss as silence of all of them, and as loss at the end. Silence of "
        "one hop alone is that hop's way of answering, and harms nobody.", targets, columns,
        ("job", "instance", "destination"), 24, 13, overrides, (("Path", False), ("TTL", False)), ("losses",), ("ttl",))


def over_time():
    by = q.BY_HOP
    mirrored = override("B", "byFrameRefID", custom__transform="negative-Y",
                        color={"mode": "fixed", "fixedColor": BLUE})
    return [
        graph(
            "Loss against silence",
            "Loss upwards in red, silence downwards in blue, for each hop. Loss of the traffic "
            "shows from a hop on up to the last one, silence of one hop alone means nothing.", [
                series(q.hop_share("losses", WHERE, by), f"loss {HOP_NAME}"),
                series(q.hop_share("silences", WHERE, by), f"silence {HOP_NAME}", "B")
            ], "percentunit", 24, 10, color={"mode": "fixed", "fixedColor":
                                             RED}, minimum=None, right=True, fill=10, overrides=[mirrored]),
        graph(
            "RTT p50 of each hop",
            "Median round-trip time to a hop. A hop that answers slowly and passes on fast is no "
            "trouble: look at what follows it.", [series(q.quantile(0.5, RTT, WHERE, by), HOP_NAME)], "s"),
        graph("RTT p99 of each hop", "99 of 100 answers of a hop came within this time.",
              [series(q.quantile(0.99, RTT, WHERE, by), HOP_NAME)], "s"),
        graph("Jitter p99 of each hop",
              "99 of 100 differences of consecutive round-trip times of a flow were below this.",
              [series(q.quantile(0.99, JITTER, WHERE, by), HOP_NAME)], "s"),
        graph("Loss over the rolling window", "Loss of hops as the agent keeps it itself, over window.duration of its "
              "configuration.", [series(f"max by ({q.listed(by)}) (ecmp_hop_window_loss_ratio{{{WHERE}}})", HOP_NAME)],
              "percentunit", steps=LOSS_STEPS, maximum=0.01),
    ]


def heatmaps(make_heat, of, suffix):
    return [
        heatmap(f"RTT{suffix}", f"Round-trip times to the chosen hops; {of}.", heat(make_heat(RTT, WHERE)), "s",
                width=8),
        heatmap(f"Jitter{suffix}", f"Differences of consecutive round-trip times of a flow to a hop; {of}.",
                heat(make_heat(JITTER, WHERE)), "s", width=8),
        heatmap(f"Loss in rounds{suffix}", f"Loss at a hop within one round of all flows of its path; {of}.",
                heat(make_heat(LOSS, WHERE)), "percentunit", width=8, scheme="Reds"),
    ]


def make():
    rows = [
        ("At a glance", False, at_a_glance()),
        ("Hops", False, [hops()]),
        ("Over time", False, over_time()),
        ("Distribution (native histograms)", False, heatmaps(q.native_heatmap, "from native histograms", "")),
        ("Distribution (classic histograms, where Prometheus takes no native ones)", True,
         heatmaps(q.classic_heatmap, "from classic buckets", " (classic)")),
    ]
    return board(
        "ecmp-path", "ECMP / Path and hop", "Hop by hop along the chosen paths: loss, silence, round-trip times "
        "and jitter, with names where reverse DNS knows them.", ["path"],
        [variables.job(),
         variables.instance(),
         variables.destination(every=False),
         variables.path(),
         variables.hop()], rows, [variables.path_changes()])
