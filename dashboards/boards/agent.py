"""The agents themselves: whether they keep up, what they drop, what they cost."""
from . import promql as q
from . import variables
from .panels import (BAD_IF_ZERO, GOOD_IF_ZERO, LAG_STEPS, PLAIN, RELOADED, board, graph, heat, heatmap, instant,
                     number_column, override, series, stat, table, value_now)

WHERE = q.AGENT
X = "ecmp_exporter_"
BY = ("instance",)
LAG, SCRAPE = X + "schedule_lag_seconds", X + "scrape_duration_seconds"


def bucket_quantile(quantile, histogram, by=BY):
    # The exporter's own histograms come with classic buckets in every format.
    return f"histogram_quantile({quantile}, {q.rate(histogram + '_bucket', WHERE, (*by, 'le'))})"


def at_a_glance():
    dropped = " + ".join(
        q.increase(X + name, WHERE, ())
        for name in ("capture_dropped_total", "send_errors_total", "rounds_skipped_total", "series_dropped_total"))
    return [
        stat("Agents seen", "Agents whose metrics are there.", value_now(f"count({X}build_info{{{WHERE}}})"), "none",
             PLAIN, decimals=0),
        stat("Configuration", "Whether the last attempt to load the configuration succeeded, of all agents.",
             value_now(f"min({X}config_last_reload_successful{{{WHERE}}})"), "none", BAD_IF_ZERO, mappings=RELOADED,
             color_mode="background"),
        stat("Lag p99", "99 of 100 probes left no later than this after they were due; of the worst agent.",
             series(f"max({bucket_quantile(0.99, LAG)})", "lag"), "s", LAG_STEPS, decimals=2, graph=True),
        stat(
            "Missed",
            "Packets not captured, probes not sent, rounds not begun and series not told within the time range: "
            "what the agents themselves did not see.", value_now(dropped), "none", GOOD_IF_ZERO, decimals=0),
        stat("Probes", "Probes sent each second.", series(q.rate(X + "probes_sent_total", WHERE, ()), "probes"), "pps",
             PLAIN, graph=True),
        stat("Series told", "Series about the network that the agents tell.",
             series(f"sum({X}series{{{WHERE}}})", "series"), "short", PLAIN, graph=True),
    ]


def agents():
    by = "instance"
    targets = [
        instant(f"max by ({by}, version, revision) ({X}build_info{{{WHERE}}})", "build"),
        instant(f"max by ({by}) (process_start_time_seconds{{{WHERE}}}) * 1000", "started"),
        instant(f"max by ({by}) ({X}config_last_reload_success_timestamp_seconds{{{WHERE}}}) * 1000", "loaded"),
        instant(f"count by ({by}) (ecmp_destination_info{{{WHERE}}})", "destinations"),
        instant(q.rate(X + "probes_sent_total", WHERE, BY), "probes"),
        instant(bucket_quantile(0.99, LAG), "lag"),
        instant(q.rate("process_cpu_seconds_total", WHERE, BY), "cpu"),
        instant(f"max by ({by}) (process_resident_memory_bytes{{{WHERE}}})", "memory"),
    ]
    columns = {
        "instance": "Agent", "version": "Version", "revision": "Revision", "Value #started": "Started", "Value #loaded":
        "Configuration loaded", "Value #destinations": "Destinations", "Value #probes": "Probes", "Value #lag":
        "Lag p99", "Value #cpu": "CPU", "Value #memory": "Memory"
    }
    overrides = [
        override("Started", unit="dateTimeFromNow", custom__width=150),
        override("Configuration loaded", unit="dateTimeFromNow", custom__width=170),
        number_column("Destinations", 110),
        override("Probes", unit="pps", decimals=1, custom__width=110),
        override("Lag p99", unit="s", decimals=2, custom__width=110),
        override("CPU", unit="percentunit", decimals=1, custom__width=90),
        override("Memory", unit="bytes", decimals=1, custom__width=110)
    ]
    return table("Agents", "What runs where, since when, and with how much to do. 100 % of CPU is one processor.",
                 targets, columns, ("Value #build",), 24, 6, overrides, (("Agent", False),))


def probing():
    return [
        graph("Probes sent", "Probes sent each second, by protocol.",
              [series(q.rate(X + "probes_sent_total", WHERE,
                             ("instance", "protocol")), "{{protocol}} ({{instance}})")], "pps"),
        graph(
            "Schedule lag",
            "How much later than due probes were sent. More than some milliseconds: the host is busy, or "
            "more is asked than it can do.", [
                series(bucket_quantile(0.5, LAG), "p50 ({{instance}})"),
                series(bucket_quantile(0.99, LAG), "p99 ({{instance}})", "B")
            ], "s"),
        heatmap("Schedule lag, all probes", "The distribution of the lag of all probes, over all chosen agents.",
                heat(q.classic_heatmap(LAG, WHERE)), "s", height=8),
        graph(
            "Held back by limits", "Probes that waited for limits.probes_per_second (rate) or for "
            "limits.probes_per_second_per_responder (responder). They are sent later, which is meant so.", [
                series(q.rate(X + "rate_limited_total", WHERE, BY), "rate ({{instance}})"),
                series(q.rate(X + "responder_delayed_total", WHERE, BY), "responder ({{instance}})", "B")
            ], "pps"),
    ]


def missed():
    return [
        graph("Send errors", "Probes that did not leave the host, by reason. They count as no loss.",
              [series(q.rate(X + "send_errors_total", WHERE,
                             ("instance", "reason")), "{{reason}} ({{instance}})")], "pps", width=8),
        graph(
            "Capture drops",
            "Packets that the kernel dropped because the capture buffer was full: answers may be among "
            "them, and show as loss.", [series(q.rate(X + "capture_dropped_total", WHERE, BY), "{{instance}}")], "pps",
            width=8),
        graph("Rounds skipped",
              "Rounds that were not begun, because earlier ones of their flow were not over or time ran "
              "out.", [series(q.rate(X + "rounds_skipped_total", WHERE, BY), "{{instance}}")], "ops", width=8),
        graph("Datagrams ignored",
              "Received datagrams that were not counted as replies, by reason: late, duplicate, or "
              "nobody's.",
              [series(q.rate(X + "replies_ignored_total", WHERE,
                             ("instance", "reason")), "{{reason}} ({{instance}})")], "pps", width=8),
        graph("DNS errors", "Queries that failed, for destinations and for reverse names.",
              [series(q.rate(X + "dns_errors_total", WHERE, BY), "{{instance}}")], "ops", width=8),
        graph("HTTP connections refused", "Connections refused or cut, by reason.", [
            series(q.rate(X + "http_connections_refused_total", WHERE,
                          ("instance", "reason")), "{{reason}} ({{instance}})")
        ], "ops", width=8),
    ]


def limits():
    return [
        graph("Series", "Series about the network in a scrape; limits.max_series bounds them.",
              [series(f"max by (instance) ({X}series{{{WHERE}}})", "{{instance}}")], "short", width=8),
        graph(
            "Series dropped", "Series left out of scrapes because of limits.max_series, by family: the least important "
            "families go first; the five that lose most.", [
                series(f"topk(5, {q.rate(X + 'series_dropped_total', WHERE, ('instance', 'family'))})",
                       "{{family}} ({{instance}})")
            ], "ops", width=8),
        graph(
            "Paths refused", "Paths that were not told because a destination had as many as "
            "limits.max_paths_per_destination allows.", [
                series(q.rate("ecmp_destination_paths_refused_total", WHERE,
                              ("instance", "destination")), "{{destination}} ({{instance}})")
            ], "ops", width=8),
        graph("Scrape duration p99", "How long it took to render a scrape.",
              [series(bucket_quantile(0.99, SCRAPE), "{{instance}}")], "s", width=8),
        graph("Rounds kept",
              "Rounds in memory that /paths can tell, and those forgotten for want of memory each second.", [
                  series(f"max by (instance) ({X}history_rounds{{{WHERE}}})", "kept ({{instance}})"),
                  series(q.rate(X + "history_forgotten_total", WHERE, BY), "forgotten ({{instance}})", "B")
              ], "short", width=8, overrides=[override("B", "byFrameRefID", unit="ops",
                                                       custom__axisPlacement="right")]),
        graph("Memory of rounds", "Memory of the rounds kept; history.memory bounds it.",
              [series(f"max by (instance) ({X}history_bytes{{{WHERE}}})", "{{instance}}")], "bytes", width=8),
    ]


def process():
    return [
        graph("CPU", "Processor time; 100 % is one processor.",
              [series(q.rate("process_cpu_seconds_total", WHERE, BY), "{{instance}}")], "percentunit", width=8),
        graph("Memory", "Resident and virtual memory.", [
            series(f"max by (instance) (process_resident_memory_bytes{{{WHERE}}})", "resident ({{instance}})"),
            series(f"max by (instance) (process_virtual_memory_bytes{{{WHERE}}})", "virtual ({{instance}})", "B")
        ], "bytes", width=8),
        graph(
            "File descriptors", "Open ones, and how many there may be.", [
                series(f"max by (instance) (process_open_fds{{{WHERE}}})", "open ({{instance}})"),
                series(f"max by (instance) (process_max_fds{{{WHERE}}})", "limit ({{instance}})", "B")
            ], "none", width=8, decimals=0, overrides=[
                override("B", "byFrameRefID", custom__lineStyle={"fill": "dash", "dash": [10, 10]},
                         custom__axisPlacement="right")
            ]),
    ]


def make():
    rows = [("At a glance", False, at_a_glance()), ("Agents", False, [agents()]), ("Probing", False, probing()),
            ("Missed and ignored", False, missed()), ("Limits and scrapes", False, limits()),
            ("Process", False, process())]
    return board(
        "ecmp-agent", "ECMP / Agent", "The agents: whether they keep their schedule, what they drop and why, how "
        "near they are to their limits, and what they cost.", ["agent"],
        [variables.job(), variables.instance()], rows)
