"""All destinations at a glance, and what is worst among them."""
from . import promql as q
from . import variables
from .panels import (BLUE, GOOD_IF_ZERO, GREEN, LOSS_STEPS, ORANGE, PLAIN, RED, UP, YELLOW, board, graph, instant,
                     link_to, loss_column, number_column, override, seconds_column, series, stat, table, thresholds,
                     timeline, trend_column, value_now)

WHERE = q.DESTINATION
NAME = "{{destination}} ({{instance}})"
TO_DESTINATION = link_to("ecmp-destination", "Paths to this destination", ("destination", "Destination"),
                         ("instance", "Agent"))
TO_PATH = link_to("ecmp-path", "Hops of this path", ("destination", "Destination"), ("instance", "Agent"),
                  ("path", "Path"))
WORST = 10
LOSSY = 0.005


def up(where=WHERE):
    return f"max by ({q.listed(q.BY_DESTINATION)}) (ecmp_destination_up{{{where}}})"


def lossy_and_all(responder="hop"):
    """How many lossy paths pass a responder, and how many paths at all."""
    by = f"job, instance, {responder}"
    hops = f"ecmp_path_hop_info{{{WHERE}}}"
    lossy = f"{hops} and on ({q.listed(q.BY_PATH)}) ({q.loss('path', WHERE, q.BY_PATH, q.RANGE)} > {LOSSY})"
    lossy, hops = (one if responder == "hop" else q.relabel(one, responder, "hop") for one in (lossy, hops))
    return f"count by ({by}) ({lossy})", f"count by ({by}) ({hops})"


def score(responder="hop"):
    """Lossy paths through a responder, times their share of all through it: high where only they pass."""
    lossy, every = lossy_and_all(responder)
    return f"{lossy} ^ 2 / {every}"


def worst_links():
    """The score of the worse one of a link's ends."""
    links = f"(sum by (job, instance, from, to) (ecmp_link_flows{{{WHERE}}}) > bool 0)"
    ends = " or ".join(f"label_replace({links} * on (job, instance, {end}) group_left () ({score(end)}),"
                       f' "end", "{end}", "", "")' for end in ("from", "to"))
    return f"topk({WORST}, max by (job, instance, from, to) ({ends}))"


def at_a_glance():
    return [
        stat("Destinations traced", "How many destinations the chosen agents trace and have told the state of.",
             value_now(f"count({up()})"), "none", PLAIN, decimals=0),
        stat("Down", "Destinations that no flow reached in its last round.", value_now(f"sum({up()} == bool 0)"),
             "none", ((None, GREEN), (1, RED)), color_mode="background", decimals=0),
        stat("Loss of all paths", "Share of all end-to-end probes that the destinations did not answer.",
             series(q.loss("path", WHERE, ()), "loss"), "percentunit", LOSS_STEPS, decimals=2, graph=True),
        stat("Loss of the worst path", "Loss of the path that loses most: an average over all paths hides it.",
             series(f"max({q.loss('path', WHERE, q.BY_PATH)})", "worst path"), "percentunit", LOSS_STEPS, decimals=2,
             graph=True),
        stat("Paths in use now", "Paths that flows are on now, over all destinations.",
             series(f"sum(ecmp_paths{{{WHERE}}})", "paths"), "none", PLAIN, decimals=0, graph=True),
        stat("Changes of paths", "Confirmed changes of the paths of flows within the time range.",
             value_now(q.increase("ecmp_flow_path_changes_total", WHERE, ())), "none", GOOD_IF_ZERO, decimals=0),
    ]


def destinations():
    by = q.BY_DESTINATION
    rtt = "ecmp_path_rtt_seconds"
    targets = [
        instant(f"max by ({q.listed(by)}, address, protocol) (ecmp_destination_info{{{WHERE}}})", "info"),
        instant(up(), "up"),
        instant(f"max by ({q.listed(by)}) (ecmp_paths{{{WHERE}}})", "paths"),
        instant(q.loss("path", WHERE, by, q.RANGE), "loss"),
        series(q.loss("path", WHERE, by), "__auto", "losses"),
        instant(q.quantile(0.5, rtt, WHERE, by, q.RANGE), "p50"),
        instant(q.quantile(0.99, rtt, WHERE, by, q.RANGE), "p99"),
        series(q.quantile(0.99, rtt, WHERE, by), "__auto", "rtts"),
        instant(q.increase("ecmp_flow_path_changes_total", WHERE, by), "changes"),
    ]
    columns = {
        "destination": "Destination", "instance": "Agent", "address": "Address", "protocol": "Protocol", "Value #up":
        "State", "Value #paths": "Paths", "Value #loss": "Loss", "Trend #losses": "Loss over time", "Value #p50":
        "RTT p50", "Value #p99": "RTT p99", "Trend #rtts": "RTT p99 over time", "Value #changes": "Changes"
    }
    overrides = [
        override("Destination", links=TO_DESTINATION, custom__width=190),
        override("Agent", custom__width=170),
        override("Protocol", custom__width=80),
        override("State", mappings=UP, unit="none", custom__width=80,
                 custom__cellOptions={"type": "color-background", "mode": "basic"}),
        number_column("Paths", 80),
        loss_column("Loss"),
        trend_column("Loss over time", "percentunit", RED),
        seconds_column("RTT p50"),
        seconds_column("RTT p99"),
        trend_column("RTT p99 over time", "s", BLUE),
        number_column("Changes"),
    ]
    return table(
        "Destinations", "Every destination: its state, and over the time range its loss, round-trip times, and "
        "changes of the paths of its flows. Worst first; a click on a name leads to its paths.", targets, columns,
        ("job", "Value #info"), 24, 11, overrides, (("Loss", True),), ("losses", "rtts"))


def over_time():
    by = q.BY_DESTINATION
    return [
        graph("Loss", "Share of the end-to-end probes of a destination that it did not answer.",
              [series(q.loss("path", WHERE, by), NAME)], "percentunit", steps=LOSS_STEPS, maximum=0.01),
        graph("RTT p99", "99 of 100 end-to-end probes were answered within this time, over all paths of a destination.",
              [series(q.quantile(0.99, "ecmp_path_rtt_seconds", WHERE, by), NAME)], "s"),
        graph("Paths in use", "How many different paths the flows of a destination are on.",
              [series(f"max by ({q.listed(by)}) (ecmp_paths{{{WHERE}}})", NAME)], "none", stepped=True, decimals=0),
        graph(
            "Path changes", "Confirmed changes of the paths of flows: reroute (new responders), remap (the same ones, "
            "flows permuted), width (the fan grew or shrank), per_packet (a flow alternates).",
            [series(q.increase("ecmp_flow_path_changes_total", WHERE,
                               ("kind",), q.STEP), "{{kind}}")], "none", stack=True, bars=True),
    ]


def worst_paths():
    loss = f"topk({WORST}, {q.loss('path', WHERE, q.BY_PATH, q.RANGE)})"
    flows = f"sum by ({q.listed(q.BY_PATH)}) (ecmp_path_flows{{{WHERE}}})"
    columns = {
        "destination": "Destination", "path": "Path", "instance": "Agent", "Value #flows": "Flows", "Value #loss":
        "Loss"
    }
    return table(
        "Worst paths", f"The {WORST} paths that lost the largest share of their end-to-end probes within the time "
        "range. A click on a path leads to its hops.",
        [instant(loss, "loss"),
         instant(f"{flows} and on ({q.listed(q.BY_PATH)}) {loss}", "flows")], columns, ("job",), 24, 9, [
             override("Path", links=TO_PATH, custom__width=110),
             override("Agent", custom__width=160),
             number_column("Flows", 80),
             loss_column("Loss", width=120)
         ], (("Loss", True),))


def worst_hops():
    by = q.listed(q.RESPONDER)
    worst = f"topk({WORST}, {score()})"
    lossy, every = lossy_and_all()
    columns = {
        "hop": "Hop", "name": "Name", "asn": "AS", "instance": "Agent", "Value #score": "Score",
        "Value #share": "Lossy paths"
    }
    return table(
        "Worst hops", "Responders that many lossy paths pass, and few others: the share of the paths through each that "
        f"lost more than {LOSSY:.1%} within the time range, and that share times their number as a score. Empty when "
        "no path does.", [
            instant(q.named(worst, f"ecmp_path_hop_info{{{WHERE}}}"), "score"),
            instant(f"{lossy} / {every} and on ({by}) {worst}", "share")
        ], columns, ("job", "mpls"), 12, 9, [
            override("Agent", custom__width=160),
            override("Score", unit="none", decimals=2, custom__width=90),
            loss_column("Lossy paths", ((None, GREEN), (0.5, ORANGE), (0.99, RED)), 110)
        ], (("Score", True),))


def links():
    columns = {"from": "From", "to": "To", "instance": "Agent", "Value": "Score"}
    return table(
        "Worst links", "Links by the score of the worse of their ends. The two links of a responder that loses tie: "
        "which of them it is, or whether it is the responder, loss alone does not tell.", [instant(worst_links())],
        columns, ("job",), 12, 9,
        [override("Agent", custom__width=200), override("Score", unit="none", decimals=2, custom__width=140)],
        (("Score", True),))


def suspected_links():
    """The agents' own localisation, which knows all flows of all destinations: it has no label `destination`."""
    link = "job, instance, from, to"
    worst = f"topk({WORST}, ecmp_link_suspicion{{{q.AGENT}}})"
    far_ends = q.relabel(worst, "hop", "to")
    columns = {
        "from": "From", "to": "To", "name": "Name of the far end", "asn": "AS", "instance": "Agent", "Value #loss":
        "Loss", "Value #suspicion": "Suspicion", "Value #blamed": "Blamed"
    }
    return table(
        "Suspected links", "Links that explain the loss of all flows of all destinations, by the agents' own account: "
        "the most likely loss of each, the score of its suspicion, and the verdict: 1 for a link that is blamed. "
        "/events has the evidence. Empty when nothing is lost.", [
            instant(q.named(far_ends, far_ends), "suspicion"),
            instant(f"max by ({link}) (ecmp_link_loss_ratio{{{q.AGENT}}}) and on ({link}) {worst}", "loss"),
            instant(f"max by ({link}) (ecmp_link_blamed{{{q.AGENT}}}) and on ({link}) {worst}", "blamed")
        ], columns, ("job", "hop", "mpls"), 24, 7, [
            override("Agent", custom__width=200),
            override("AS", custom__width=90),
            loss_column("Loss"),
            override("Suspicion", unit="none", decimals=2, custom__width=110),
            override("Blamed", unit="none", decimals=0, thresholds=thresholds(((None, GREEN), (1, RED))),
                     color={"mode": "thresholds"}, custom__width=90,
                     custom__cellOptions={"type": "color-background", "mode": "basic"}),
        ], (("Blamed", True), ("Suspicion", True)))


def states():
    return timeline("State over time", "When a destination was reached by any flow and when by none.",
                    series(up(), NAME), UP, height=6)


def make():
    rows = [("At a glance", False, at_a_glance()), ("Destinations", False, [destinations(), states()]),
            ("Over time", False, over_time()), ("Worst paths and links", False, [worst_paths(), suspected_links()]),
            # Over all hops of all paths: asked when it is unfolded, not each 30 seconds.
            ("Worst hops and links", True, [worst_hops(), links()])]
    return board(
        "ecmp-overview", "ECMP / Overview", "All destinations of the chosen agents: state, loss, round-trip "
        "times, equal-cost paths in use, and the worst paths, hops and links.", ["overview"],
        [variables.job(), variables.instance(), variables.destination()], rows, [variables.path_changes()])
