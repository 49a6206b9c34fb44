"""One destination (or a few): its fan, its paths, and which flow is on which path."""
from . import promql as q
from . import variables
from .panels import (BLUE, LOSS_STEPS, PLAIN, RED, UP, BAD_IF_ZERO, board, graph, heat, heatmap, instant, link_to,
                     loss_column, number_column, ordinal_mappings, override, panel, seconds_column, series, stat, table,
                     timeline, trend_column, value_now)

WHERE = q.DESTINATION
PATH_NAME = "{{path}} to {{destination}}"
TO_PATH = link_to("ecmp-path", "Hops of this path", ("destination", "Destination"), ("instance", "Agent"),
                  ("path", "Path"))
RTT, JITTER = "ecmp_path_rtt_seconds", "ecmp_path_jitter_seconds"


def at_a_glance():
    return [
        stat("State", "Whether any flow reached the destination in its last round; of several destinations the worst.",
             value_now(f"min(ecmp_destination_up{{{WHERE}}})"), "none", BAD_IF_ZERO, mappings=UP,
             color_mode="background"),
        stat("Paths in use now", "Different paths that flows are on now.",
             series(f"sum(ecmp_paths{{{WHERE}}})", "paths"), "none", PLAIN, decimals=0, graph=True),
        stat("Flows traced", "Flows that are traced. Each stays on one path as long as routers balance by flow.",
             value_now(f"sum(ecmp_path_flows{{{WHERE}}})"), "none", PLAIN, decimals=0),
        stat("Loss", "Share of the end-to-end probes that had no answer.", series(q.loss("path", WHERE, ()), "loss"),
             "percentunit", LOSS_STEPS, decimals=2, graph=True),
        stat("RTT p50", "Median of the end-to-end round-trip times, over all paths.",
             series(q.quantile(0.5, RTT, WHERE, ()), "p50"), "s", PLAIN, decimals=2, graph=True),
        stat("RTT p99", "99 of 100 end-to-end probes were answered within this time.",
             series(q.quantile(0.99, RTT, WHERE, ()), "p99"), "s", PLAIN, decimals=2, graph=True),
    ]


def responders():
    """All that stands at an end of a link, but the agents; were one missing, the panel would break."""
    ends = " or ".join(f"group by (job, instance, hop) ({q.relabel(f'ecmp_link_flows{{{WHERE}}}', 'hop', end)})"
                       for end in ("from", "to"))
    first = f'group by (job, instance, hop) (ecmp_path_hop_info{{{WHERE}, ttl="1"}})'
    return f"({ends} or {first})"


def nodes():
    by = q.listed(q.RESPONDER)
    known = responders()
    loss = q.loss_through(WHERE, q.STEP)
    valued = f"({loss} and on ({by}) {known} or on ({by}) {known} * 0)"
    shown = q.relabel(q.named(valued, known), "id", "hop")
    shown = q.relabel(shown, "title", "hop")
    shown = q.relabel(shown, "title", "name", "(.+)")
    # The address below the name, where there is one; else the address is the title already.
    shown = f'label_join({shown}, "subtitle", "#", "name", "hop")'
    shown = q.relabel(q.relabel(shown, "subtitle", "subtitle", ".+#(.*)"), "subtitle", "subtitle", "#.*", "")
    shown = q.relabel(shown, "detail__as", "asn")
    agents = f"group by (job, instance) (ecmp_destination_info{{{WHERE}}}) * 0"
    agents = q.relabel(q.relabel(q.relabel(agents, "id", "instance"), "title", "instance"), "subtitle", "job", "(.*)",
                       "agent")
    # Two agents may know a responder by different names: one node all the same.
    return f"topk by (id) (1, {shown} or {agents})"


def edges():
    between = f"sum by (from, to) (ecmp_link_flows{{{WHERE}}})"
    between = q.relabel(q.relabel(between, "source", "from"), "target", "to")
    at = q.listed(q.BY_PATH)
    first = (f'sum by (instance, hop) (ecmp_path_hop_info{{{WHERE}, ttl="1"}} * on ({at}) group_left ()'
             f" sum by ({at}) (ecmp_path_flows{{{WHERE}}}) > 0)")
    first = q.relabel(q.relabel(first, "source", "instance"), "target", "hop")
    drawn = f"sum by (source, target) ({between} or {first})"
    return (f'label_join({drawn}, "id", " > ", "source", "target")'
            f" * 100 / scalar(sum(ecmp_path_flows{{{WHERE}}}))")


def computed(alias, left, operator, right):
    # The node graph looks at the names of fields, which renaming leaves alone: new fields have to be made.
    return {
        "id": "calculateField", "options": {
            "alias": alias, "mode": "binary", "reduce": {"reducer": "sum"}, "binary":
            {"left": left, "operator": operator, "right": right}, "replaceFields": False,
            # The two tables stay two: as series in time they would be joined.
            "timeSeries": False
        }
    }


def fan():
    transformations = [
        computed("mainstat", "Value #nodes", "*", "100"),
        computed("arc__lost", "Value #nodes", "*", "1"),
        computed("arc__answered", "1", "-", "Value #nodes"),
        computed("secondarystat", "Value #edges", "*", "1"),
        computed("thickness", "Value #edges", "*", "0.1")
    ]
    overrides = [
        override("arc__lost", color={"mode": "fixed", "fixedColor": RED}, displayName="lost by paths through it"),
        override("arc__answered", color={"mode": "fixed", "fixedColor": "green"}, displayName="not lost")
    ]
    defaults = {"unit": "none", "decimals": 1}
    options = {"nodes": {"mainStatUnit": "%"}, "edges": {"secondaryStatUnit": "%"}}
    return panel(
        "nodeGraph", "The fan", "Every responder on the way of the flows, from the agent to the destination. A "
        "link is as wide as its share of the flows. The ring around a responder is red for the "
        "end-to-end loss of the paths through it: reddest where only lossy paths pass.",
        [instant(nodes(), "nodes"), instant(edges(), "edges")], 24, 15, defaults, options, overrides, transformations)


def paths():
    by = q.BY_PATH
    targets = [
        instant(f"sum by ({q.listed(by)}) (ecmp_path_flows{{{WHERE}}})", "flows"),
        instant(f"max by ({q.listed(by)}) (ecmp_path_hops{{{WHERE}}})", "hops"),
        instant(q.loss("path", WHERE, by, q.RANGE), "loss"),
        series(q.loss("path", WHERE, by), "__auto", "losses"),
        instant(q.quantile(0.5, RTT, WHERE, by, q.RANGE), "p50"),
        instant(q.quantile(0.99, RTT, WHERE, by, q.RANGE), "p99"),
        series(q.quantile(0.99, RTT, WHERE, by), "__auto", "rtts"),
        instant(q.quantile(0.99, JITTER, WHERE, by, q.RANGE), "jitter"),
    ]
    columns = {
        "destination": "Destination", "path": "Path", "instance": "Agent", "Value #hops": "Hops", "Value #flows":
        "Flows now", "Value #loss": "Loss", "Trend #losses": "Loss over time", "Value #p50": "RTT p50", "Value #p99":
        "RTT p99", "Trend #rtts": "RTT p99 over time", "Value #jitter": "Jitter p99"
    }
    overrides = [
        override("Path", links=TO_PATH, custom__width=120),
        number_column("Hops", 80),
        number_column("Flows now", 100),
        loss_column("Loss"),
        trend_column("Loss over time", "percentunit", RED, 220),
        seconds_column("RTT p50"),
        seconds_column("RTT p99"),
        trend_column("RTT p99 over time", "s", BLUE, 220),
        seconds_column("Jitter p99")
    ]
    return table(
        "Paths", "Every path that flows took within the time range, with what it lost and how long it took. A path "
        "that no flow is on any more stays for a while. A click leads to its hops.", targets, columns, ("job",), 24, 10,
        overrides, (("Loss", True),), ("losses", "rtts"))


def flows():
    ordinal = series(f"max by (instance, destination, flow) (ecmp_flow_path_ordinal{{{WHERE}}})",
                     "{{destination}} {{flow}}")
    info = f"max by (instance, destination, flow, source_address) (ecmp_flow_info{{{WHERE}}})"
    on_path = f"max by (instance, destination, flow, path) (ecmp_flow_path_info{{{WHERE}}})"
    by = ("instance", "destination", "flow")
    columns = {
        "destination": "Destination", "flow": "Flow", "source_address": "From", "path": "Path", "instance": "Agent",
        "Value #loss": "Loss", "Value #changes": "Changes"
    }
    which = table("Flows", "The path each flow is on now. To reproduce what a flow sees, send from its source port.", [
        instant(info, "info"),
        instant(on_path, "path"),
        instant(q.loss("flow", WHERE, by, q.RANGE), "loss"),
        instant(q.increase("ecmp_flow_path_changes_total", WHERE, by), "changes")
    ], columns, ("Value #info", "Value #path"), 12, 11, [
        number_column("Flow", 90),
        override("Path", links=TO_PATH, custom__width=110),
        loss_column("Loss"),
        number_column("Changes")
    ], (("Loss", True),), numbers=("flow",))
    return [
        timeline(
            "Path of each flow", "Which path a flow was on: a colour for each path of a destination, numbered in the "
            "order of appearance.", ordinal, ordinal_mappings(), width=12, height=11), which
    ]


def over_time():
    by = q.BY_PATH
    return [
        graph("Loss of each path", "Share of the end-to-end probes of a path that had no answer.",
              [series(q.loss("path", WHERE, by), PATH_NAME)], "percentunit", steps=LOSS_STEPS, maximum=0.01),
        graph("RTT p99 of each path", "Equal-cost paths should not differ much.",
              [series(q.quantile(0.99, RTT, WHERE, by), PATH_NAME)], "s"),
        graph(
            "RTT over the rolling window",
            "Median and 99th percentile that the agent keeps itself, over window.duration of "
            "its configuration: there also where no histograms are stored.", [
                series(
                    f'max by (instance, destination, quantile) (ecmp_path_window_rtt_seconds{{{WHERE}, '
                    'quantile=~"0.5|0.99"})', "worst path, quantile {{quantile}}, {{destination}}")
            ], "s"),
        graph("Flows on each path", "How the routers deal out the flows.",
              [series(f"sum by ({q.listed(by)}) (ecmp_path_flows{{{WHERE}}})", PATH_NAME)], "none", stack=True, fill=30,
              stepped=True, decimals=0),
        graph("Path changes", "Confirmed changes of the paths of flows, by kind.", [
            series(q.increase("ecmp_flow_path_changes_total", WHERE,
                              ("destination", "kind"), q.STEP), "{{kind}} to {{destination}}")
        ], "none", stack=True, bars=True),
        graph("Refusals", "Answers that refuse a probe, by their reason and by who sent them.", [
            series(q.rate("ecmp_destination_unreachable_replies_total", WHERE,
                          ("destination", "reply", "hop")), "{{reply}} from {{hop}} for {{destination}}")
        ], "pps", stack=True, fill=30),
    ]


def heatmaps(make_heat, of, suffix):
    return [
        heatmap(f"RTT{suffix}",
                f"End-to-end round-trip times over all chosen paths; {of}. Two bands are two sorts of paths.",
                heat(make_heat(RTT, WHERE)), "s"),
        heatmap(f"Jitter{suffix}", f"Differences of consecutive round-trip times within one flow; {of}.",
                heat(make_heat(JITTER, WHERE)), "s"),
    ]


def make():
    rows = [
        ("At a glance", False, at_a_glance()),
        ("Fan and paths", False, [fan(), paths()]),
        ("Flows", False, flows()),
        ("Over time", False, over_time()),
        ("Distribution (native histograms)", False, heatmaps(q.native_heatmap, "from native histograms", "")),
        ("Distribution (classic histograms, where Prometheus takes no native ones)", True,
         heatmaps(q.classic_heatmap, "from classic buckets", " (classic)")),
    ]
    return board(
        "ecmp-destination", "ECMP / Destination", "The equal-cost paths to a destination: drawn as a graph, in a "
        "table, and which flow was on which of them when.", ["destination"],
        [variables.job(), variables.instance(), variables.destination(every=False)], rows, [variables.path_changes()])
