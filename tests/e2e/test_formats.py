"""Scrapes in every format, read by Debian's Prometheus: what it makes of them is what the agent says itself."""
import json
import re
import struct

import pytest

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from prometheus import Prometheus

FLOWS = 16
INTERVAL = 0.5
TWO = [{"name": "four", "host": DESTINATION[4], "flows": FLOWS}, {"name": "six", "host": DESTINATION[6], "flows": FLOWS}]
HOP = ("destination", "path", "ttl", "hop")

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
# What Prometheus 2.42 sends.
ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," \
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
ACCEPT_NATIVE = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited," \
                "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75," \
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture(scope="module")
def exporter(fan):
    # Every form at once, to compare them.
    everything = '\n[histograms]\nhops = "both"\n[metrics]\nhop_windows = true\n'
    with Exporter(config(TWO) + everything, fan.network.ns("agent")) as running:
        eventually(lambda: len([x for x in running.paths() if x["reached_dest"]]) == 2 * FLOWS, 15, "all flows reach")
        eventually(lambda: {hop[0] for hop in hops(running)} == {"four", "six"}, 15, "hops with RTTs")
        yield running


@pytest.fixture(scope="module")
def prometheuses(fan, exporter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("prometheus")
    started = []
    try:
        for name, flags in (("native", ["--enable-feature=native-histograms"]), ("classic", [])):
            started.append(Prometheus(fan, exporter, directory / name, *flags))
        for one in started:
            eventually(one.is_up, 30, lambda: one.log.read_text() + json.dumps(one.api("targets")))
        yield started
    finally:
        for one in started:
            one.close()


@pytest.fixture(scope="module")
def native(prometheuses):
    return prometheuses[0]


@pytest.fixture(scope="module")
def classic(prometheuses):
    return prometheuses[1]


def hops(exporter):
    """The hops that something was measured at, by their labels."""
    counts = exporter.metrics().values("ecmp_hop_rtt_seconds_count", HOP)
    return {hop for hop, count in counts.items() if count > 0}


# --- the formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept,content_type", [
    (None, TEXT), ("*/*", TEXT), (ACCEPT, OPENMETRICS), (ACCEPT_NATIVE, PROTOBUF),
    ("application/openmetrics-text;q=0.1,text/plain;q=0.2", TEXT), ("application/json", TEXT)])
def test_the_answer_has_the_type_that_was_asked_for(exporter, accept, content_type):
    answer = exporter.request("GET", "/metrics", {"Accept": accept} if accept else {})
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)


def test_every_format_comes_compressed_too(exporter):
    for accept in ("text/plain", ACCEPT, ACCEPT_NATIVE):
        headers = {"Accept": accept}
        plain = exporter.request("GET", "/metrics", headers)
        packed = exporter.request("GET", "/metrics", {**headers, "Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Content-Type"] == plain.headers["Content-Type"]
        assert len(packed.body) < len(plain.body) / 2


def test_openmetrics_ends_as_it_must_also_when_filtered(exporter):
    for path in ("/metrics", "/metrics?name[]=ecmp_path_probes", "/metrics?name[]=nothing"):
        text = exporter.request("GET", path, {"Accept": ACCEPT}).text
        assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    text = exporter.request("GET", "/metrics?name[]=ecmp_path_probes", {"Accept": ACCEPT}).text
    assert "# TYPE ecmp_path_probes counter\n" in text and "\necmp_path_probes_total{" in text


def test_a_filter_by_the_name_of_a_sample_gives_its_family(exporter):
    text = exporter.get("/metrics?name[]=ecmp_path_rtt_seconds_bucket").text
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == {"ecmp_path_rtt_seconds"}
    assert "ecmp_path_rtt_seconds_sum{" in text


# --- what Prometheus makes of them ---------------------------------------------------------------------------------------


def test_native_histograms_have_data_for_every_hop(exporter, native):
    expression = "histogram_quantile(0.9, rate(ecmp_hop_rtt_seconds[1m]))"
    wanted = eventually(lambda: hops(exporter), 15, "hops with RTTs")

    def missing():
        found = native.query(expression, HOP)
        return {hop for hop in wanted if not found.get(hop, 0) > 0}  # NaN is no number

    eventually(lambda: not missing(), 30, lambda: f"no quantile for {missing()}\n{native.log.read_text()}")
    assert {hop[0] for hop in wanted} == {"four", "six"}
    assert not native.query("ecmp_hop_rtt_seconds_bucket", HOP)  # it took them for native ones


def test_without_the_feature_classic_histograms_come(exporter, classic):
    wanted = hops(exporter)
    expression = "histogram_quantile(0.9, rate(ecmp_hop_rtt_seconds_bucket[1m]))"
    eventually(lambda: wanted <= set(classic.query(expression, HOP)), 30,
               lambda: f"{classic.query(expression, HOP)} {classic.log.read_text()}")


def test_the_series_keep_their_names_whatever_the_format(native, classic):
    """Prometheus writes the bounds of protobuf itself; ours in text must be those."""
    same = "ecmp_exporter_scrape_duration_seconds_bucket"
    bounds = set(native.query(same, ("le",)))
    assert ("1.0",) in bounds and bounds == set(classic.query(same, ("le",)))
    names = [set(one.api("label/__name__/values")) for one in (native, classic)]
    parts = ("_bucket", "_sum", "_count")
    assert {n for n in names[0] ^ names[1] if not n.endswith(parts)} \
        == {f"ecmp_{of}_{what}" for of in ("path", "hop") for what in ("rtt_seconds", "jitter_seconds", "loss_ratio")}


def test_by_default_hops_are_native_to_who_takes_them_and_coarse_to_others(fan):
    others = [{**one, "source_port": 34000} for one in TWO]
    with Exporter(config(others), fan.network.ns("agent")) as running:
        eventually(lambda: {hop[0] for hop in hops(running)} == {"four", "six"}, 15, "hops with RTTs")
        text = running.get("/metrics?name[]=ecmp_hop_rtt_seconds&name[]=ecmp_hop_window_rtt_seconds").text
        assert set(re.findall(r'le="([^"]+)"', text)) == {"0.0025", "0.05", "+Inf"} and "window" not in text
        native = running.request("GET", "/metrics?name[]=ecmp_hop_rtt_seconds", {"Accept": ACCEPT_NATIVE})
        both = running.request("GET", "/metrics?name[]=ecmp_path_rtt_seconds", {"Accept": ACCEPT_NATIVE})
        for answer, classic in ((native, False), (both, True)):
            assert answer.headers["Vary"] == "Accept, Accept-Encoding"
            # A bucket is field 3 of a histogram, which begins with 0x1a, and has its upper bound as a double (0x11).
            assert (struct.pack("<cd", b"\x11", 0.05) in answer.body) == classic


def bucket_of(bounds, value):
    return sum(bound < value for bound in bounds)


def test_native_classic_and_window_agree_within_a_bucket(exporter, native, classic):
    """Over the same time, from the exporter's start: no rate, so no extrapolation between them."""
    def quantiles(one, expression):
        return {key[:-1]: value for key, value in one.query(expression, (*HOP, "le")).items() if value == value}

    bounds = sorted({float(le) for (le,) in classic.query("ecmp_hop_rtt_seconds_bucket", ("le",))})
    fine = quantiles(native, "histogram_quantile(0.5, ecmp_hop_rtt_seconds)")
    coarse = quantiles(classic, "histogram_quantile(0.5, ecmp_hop_rtt_seconds_bucket)")
    window = exporter.metrics().values("ecmp_hop_window_rtt_seconds", HOP, quantile="0.5")
    assert hops(exporter) <= set(fine) and set(fine) <= set(coarse) and set(fine) <= set(window)
    for hop, value in fine.items():
        assert abs(bucket_of(bounds, value) - bucket_of(bounds, coarse[hop])) <= 1, (hop, value, coarse[hop])
        # The window is five minutes, all of the time so far. A bucket is 9 % wide; some rounds lie between the two.
        assert value / 1.3 <= window[hop] <= value * 1.3, (hop, value, window[hop])


def test_paths_tells_the_same_window(exporter, native):
    lines = [line for line in exporter.paths() if line.get("window")]
    assert len(lines) == 2 * FLOWS
    told = native.query('ecmp_path_window_rtt_seconds{quantile="0.5"}', ("destination", "path"))
    for line in lines:
        seconds = line["window"]["rtt_ns"]["p50"] / 1e9
        assert told[line["destination"], line["path"]] / 1.5 <= seconds <= told[line["destination"], line["path"]] * 1.5


def test_the_join_of_flows_and_paths_gives_the_loss_of_paths(fan, exporter, classic):
    """Loss per path of the flows' counters, joined by ecmp_flow_path_info, is that of the paths' counters."""
    info = "* on (destination, flow) group_left (path) ecmp_flow_path_info"
    by = ("destination", "path")
    of_flows = (f"1 - sum by (destination, path) (ecmp_flow_replies_total {info})"
                f" / sum by (destination, path) (ecmp_flow_probes_total {info})")
    of_paths = "1 - ecmp_path_replies_total / ecmp_path_probes_total"
    fan.lose(fan.branch(1), 0.3)
    try:
        eventually(lambda: max(classic.query(of_paths, by).values(), default=0) > 0.05, 30, "loss on a path")
    finally:
        fan.heal(fan.branch(1))
    joined, counted = (classic.query(expression, by) for expression in (of_flows, of_paths))
    assert joined and set(joined) <= set(counted)
    for path, loss in joined.items():
        assert loss == pytest.approx(counted[path], abs=0.02), path
    assert max(joined.values()) > 0.04 and min(joined.values()) < 0.02
