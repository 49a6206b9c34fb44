"""Every query of every dashboard, asked of Debian's Prometheus that scrapes an exporter in a lab with faults."""
import json
import re
import subprocess

import pytest

from exporter import Exporter, config, eventually
from grafana import boards, fill_in, grouping_labels, made_labels, metrics_of, panels, queries
from lab import DESTINATION, Fan
from ntp import NtpServer
from prometheus import THREE, Prometheus, without_three

FLOWS = 16
LOSSY, SILENT, CHANGED, REFUSING = 2, 1, 3, 4
WINDOW = "20s"
EVERYTHING = dict.fromkeys(("job", "instance", "destination", "path", "hop"), ".+")
FLAVOURS = ["native", "classic", "three", "nhcb"]
HISTOGRAM = re.compile(r"ecmp_(?:path|hop)_(?:rtt_seconds|jitter_seconds|loss_ratio)(?=[{_])(_bucket)?")
# Label columns that are only there when reverse DNS knows something, which the lab has not.
ONLY_WITH_NAMES = {"name", "asn", "mpls"}


def filled(query, **values):
    return fill_in(query.expression, **{**EVERYTHING, "__rate_interval": WINDOW, "__range": "1m", **values})


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@pytest.fixture(scope="module")
def lab(fan, tmp_path_factory):
    """Prometheus with and without native histograms, and 3.x with them, once with classic ones made native with custom
    buckets; after loss, silence, a refusal and a change of path."""
    destinations = [{"name": "four", "host": DESTINATION[4], "flows": FLOWS, "labels": {"site": "lab"}},
                    {"name": "six", "host": DESTINATION[6], "flows": FLOWS},
                    {"name": "mesh-dst", "host": DESTINATION[4], "flows": FLOWS, "protocol": "stamp", "port": 10862, "source_port": 51000,
                     "packet_interval": "100ms"}]
    directory = tmp_path_factory.mktemp("prometheus")
    started = {}
    reflector = f'[reflector]\nlisten_addresses = ["{DESTINATION[4]}:10862"]\n'
    both = config(destinations) + "\n" + reflector.replace(DESTINATION[4], "127.0.0.1")  # the agent reflects as well
    with NtpServer(fan, "dst"), NtpServer(fan, "agent"), Exporter(reflector, fan.network.ns("dst")), \
            Exporter(both, fan.network.ns("agent")) as exporter:
        eventually(lambda: len([x for x in exporter.paths() if x["reached_dest"]]) == 3 * FLOWS, 30, "all flows reach")
        try:
            native = "--enable-feature=native-histograms"
            for name, flags in (("native", [native]), ("classic", [])):
                started[name] = Prometheus(fan, exporter, directory / name, *flags)
            # The feature's flag does nothing any more from 3.9 on.
            kept = {"scrape_native_histograms": True}
            converted = {"convert_classic_histograms_to_nhcb": True, **kept}
            for name, keys in () if without_three() else (("three", kept), ("nhcb", converted)):
                started[name] = Prometheus(fan, exporter, directory / name, native, program=THREE, keys=keys)
            for one in started.values():
                eventually(one.is_up, 30, lambda: one.log.read_text())
            # One flow may be all that this branch has: half of its probes, so that some seconds are enough to see it.
            fan.lose(fan.branch(LOSSY), 0.5)
            fan.lose_answers(fan.branch(SILENT), 0.4)
            # Of what comes back to streams; the highest bit of the sender's number says that it was a probe of a trace,
            # whose loss would be a link's.
            fan.network.nft("r1", """table inet back {
                chain forward {
                    type filter hook forward priority 0; policy accept;
                    oifname "agent" udp sport 10862 @th,256,1 0 numgen random mod 1000 < 100 drop
                }
            }""")
            fan.reject(fan.branch(REFUSING))
            refusals = "sum(ecmp_destination_unreachable_replies_total)"
            eventually(lambda: started["native"].query(refusals, ()), 15, "refusals")
            fan.heal(fan.branch(REFUSING))
            fan.replace_branch(CHANGED)
            changes = "sum(increase(ecmp_flow_path_changes_total[10s]))"
            for one in started.values():
                eventually(lambda: one.query(changes, ()).get((), 0) > 1, 20, "changes of paths")
                eventually(lambda: one.query("max(ecmp_hop_window_loss_ratio) > 0.05", ()), 20, "loss")
                for way in ("forward", "reverse"):
                    lost = f'max(ecmp_path_oneway_losses_total{{direction="{way}"}}) > 10'
                    eventually(lambda: one.query(lost, ()), 60, f"loss {way}")
                eventually(lambda: one.query("max(ecmp_link_blamed) == 1", ()), 60, "a link that is blamed")
                eventually(lambda: one.query("ecmp_path_oneway_delay_seconds > 0", ()), 60, "delays by both clocks")
                # Rates want two samples of everything that became new.
                eventually(lambda: one.query("count(rate(ecmp_path_probes_total[3s]) > 0)", ()).get((), 0) >= 8, 20,
                           "rates")
            yield started
        finally:
            for one in started.values():
                one.close()


def expects_data(query, flavour):
    """Native histograms are not there without the feature; with it, 2.42 does not keep their classic buckets."""
    forms = {bool(bucket) for bucket in HISTOGRAM.findall(query.expression)}
    return forms != {flavour != "classic"}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_query_succeeds_and_has_data(lab, flavour):
    if flavour not in lab:
        pytest.skip(without_three())
    wrong, asked = [], 0
    for query in queries():
        answer = lab[flavour].answer("query", query=filled(query))
        asked += 1
        if answer["status"] != "success":
            wrong.append(f"{query}: {answer['error']}\n  {filled(query)}")
        elif expects_data(query, flavour) != bool(answer["data"]["result"]):
            wrong.append(f"{query}: {len(answer['data']['result'])} series\n  {filled(query)}")
        elif all(series["value"][1] == "NaN" for series in answer["data"]["result"] if "value" in series) \
                and "histogram" not in (answer["data"]["result"] or [{}])[0] and answer["data"]["result"]:
            wrong.append(f"{query}: nothing but NaN")
    assert asked > 100 and not wrong, "\n".join(wrong)


def test_queries_stand_the_choice_of_one_of_everything(lab):
    native = lab["native"]
    by = ("destination", "path", "hop")
    chosen = sorted(native.query('ecmp_path_hop_info{destination="four", ttl="2"}', by))[0]
    instance = native.api("label/instance/values")[0]
    values = {
        "job": "ecmp",
        **{
            name: re.escape(value).replace("\\", "\\\\")  # as Grafana does
            for name, value in (("instance", instance), *zip(by, chosen))
        }
    }
    wrong = []
    for query in queries():
        answer = native.answer("query", query=filled(query, **values))
        found = answer.get("data", {}).get("result", [])
        told = {series["metric"].get("destination", "four") for series in found}
        if answer["status"] != "success" or "$destination" in query.expression and told - {"four"}:
            wrong.append(f"{query}: {answer.get('error', told)}")
    assert not wrong, "\n".join(wrong)


def test_variables_offer_what_is_there(lab):
    offered = {}
    for board in boards().values():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                match = re.fullmatch(r"label_values\((.+), (\w+)\)", fill_in(variable["query"]["query"], **EVERYTHING))
                assert match, variable
                answer = lab["native"].answer(f"label/{match.group(2)}/values", **{"match[]": match.group(1)})
                assert answer["status"] == "success", answer
                offered[variable["name"]] = answer["data"]
    assert offered["destination"] == ["four", "mesh-dst", "six"] and offered["job"] == ["ecmp"] and len(offered["instance"]) == 1
    assert len(offered["path"]) >= 8 and DESTINATION[4] in offered["hop"]


def labels_in(prometheus):
    """{metric: labels of its series}, histograms by their base name too."""
    found = {}
    for series in prometheus.api("series", **{"match[]": '{job="ecmp"}'}):
        name, labels = series["__name__"], set(series) - {"__name__"}
        found.setdefault(name, set()).update(labels)
        # What a query asks of native histograms, of what has classic buckets here.
        if name.endswith("_bucket"):
            found.setdefault(name.removesuffix("_bucket"), set()).update(labels - {"le"})
    return found


def test_metrics_and_labels_of_queries_exist(lab):
    known = {}
    for prometheus in lab.values():
        for metric, labels in labels_in(prometheus).items():
            known.setdefault(metric, set()).update(labels)
    wrong = []
    for query in queries():
        used = metrics_of(query.expression)
        assert used, query
        unknown = set(used) - set(known)
        wrong += [f"{query}: there is no metric {metric}" for metric in unknown]
        wrong += [
            f"{query}: {metric} has no label {label}" for metric, labels in used.items() if metric in known
            for label in labels - known[metric]
        ]
        have = set().union(*(known.get(metric, set())
                             for metric in used)) | made_labels(query.expression) | ONLY_WITH_NAMES
        wrong += [f"{query}: no label {label}" for label in grouping_labels(query.expression) - have]
    assert not wrong, "\n".join(wrong)


def test_legends_name_labels_of_the_answers(lab):
    wrong = []
    for query in queries():
        wanted = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
        if query.format == "heatmap" and "_bucket" not in query.expression:
            wanted = set()  # native histograms have no label for their buckets
        flavour = "native" if expects_data(query, "native") else "classic"
        for series in lab[flavour].api("query", query=filled(query))["result"]:
            if wanted - set(series["metric"]):
                wrong.append(f"{query}: {query.legend} of {series['metric']}")
                break
    assert not wrong, "\n".join(wrong)


def test_columns_of_tables_are_labels_and_values_of_their_queries(lab):
    wrong, tables = [], 0
    for board in boards().values():
        for panel in (one for one in panels(board) if one["type"] == "table"):
            tables += 1
            matrix = next((t["options"] for t in panel["transformations"] if t["id"] == "groupingToMatrix"), None)
            if matrix:
                (query,) = (one for one in queries() if (one.board, one.panel) == (board["uid"], panel["title"]))
                found = lab["native"].api("query", query=filled(query))["result"]
                # Every series is one cell.
                cells = {(series["metric"][matrix["rowField"]], series["metric"][matrix["columnField"]]) for series in found}
                if not found or len(cells) != len(found) or any(len(series["metric"]) != 2 for series in found):
                    wrong.append(f"{panel['title']}: {found}")
                continue
            organize = next(t["options"] for t in panel["transformations"] if t["id"] == "organize")
            refs = [target["refId"] for target in panel["targets"]]
            trends = next((set(t["options"]) for t in panel["transformations"] if t["id"] == "timeSeriesTable"), set())
            have = {"Time", *ONLY_WITH_NAMES}
            # Grafana numbers the values of several queries only.
            have |= {"Value"} if len(refs) == 1 else {f"{'Trend' if ref in trends else 'Value'} #{ref}" for ref in refs}
            for query in queries():
                if (query.board, query.panel) == (board["uid"], panel["title"]):
                    found = lab["native"].api("query", query=filled(query))["result"]
                    have |= {label for series in found for label in series["metric"]}
            shown = set(organize["indexByName"]) | {name for name, hide in organize["excludeByName"].items() if hide}
            wrong += [f"{panel['title']}: nothing gives the column {name}" for name in shown - have]
            wrong += [
                f"{panel['title']}: the column {name} is neither shown nor hidden"
                for name in have - shown - ONLY_WITH_NAMES
            ]
            names = {organize["renameByName"].get(name, name) for name in organize["indexByName"]}
            wrong += [
                f"{panel['title']}: an override of {one['matcher']['options']}"
                for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] not in names
            ]
            wrong += [
                f"{panel['title']}: sorts by {one['displayName']}" for one in panel["options"]["sortBy"]
                if one["displayName"] not in names
            ]
    assert tables >= 8 and not wrong, "\n".join(wrong)


def node_graph(prometheus, **values):
    (nodes,) = [query for query in queries() if query.ref == "nodes"]
    (edges,) = [query for query in queries() if query.ref == "edges"]
    return [prometheus.api("query", query=filled(query, **values))["result"] for query in (nodes, edges)]


def test_every_edge_of_the_node_graph_ends_at_a_node(lab, fan):
    for family, name in ((4, "four"), (6, "six")):
        nodes, edges = node_graph(lab["native"], destination=name)
        ids = [node["metric"]["id"] for node in nodes]
        assert len(ids) == len(set(ids)) and all(node["metric"]["title"] for node in nodes)
        for edge in edges:
            assert edge["metric"]["source"] in ids and edge["metric"]["target"] in ids and edge["metric"]["id"], edge
        assert len({edge["metric"]["id"] for edge in edges}) == len(edges)
        at = {edge["metric"]["id"]: float(edge["value"][1]) for edge in edges}
        own = {node: addresses[family] for node, addresses in fan.addresses.items()}
        branches = [fan.branch(n) for n in (LOSSY, SILENT, REFUSING)] + ["s1"]
        for branch in branches:
            assert f"{own['r1']} > {own[branch]}" in at and f"{own[branch]} > {own['r2']}" in at, at
        # Whatever goes in at r1 comes out of it: all flows, once from the agent and once to the branches.
        assert sum(share for link, share in at.items() if link.endswith(f"> {own['r1']}")) == pytest.approx(100)
        assert sum(share for link, share in at.items() if link.startswith(f"{own['r1']} >")) == pytest.approx(100)
        # Every node but the agent is at the far end of something.
        assert {edge["metric"]["target"] for edge in edges} == set(ids) - {edges_from_agent(edges, own["r1"])}


def edges_from_agent(edges, first):
    (agent,) = [edge["metric"]["source"] for edge in edges if edge["metric"]["target"] == first]
    return agent


def query_of(board, panel, ref):
    (found,) = [query for query in queries() if (query.board, query.panel, query.ref) == (board, panel, ref)]
    return found


def test_the_worst_links_are_those_of_the_branch_that_loses(lab, fan):
    """Of both families, though hops lose differently there; and not the last link, whose far end loses most."""
    for family, name in ((4, "four"), (6, "six")):
        lossy, near, far = (fan.addresses[node][family] for node in (fan.branch(LOSSY), "r1", "r2"))

        def scores():
            query = filled(query_of("ecmp-overview", "Worst links", "A"), destination=name, __range="10s")
            return lab["native"].query(query, ("from", "to"))

        # The branch that refused is in the window for a while.
        eventually(lambda: set(sorted(scores(), key=scores().get)[-2:]) == {(near, lossy), (lossy, far)}, 20, scores)
        shares = lab["native"].query(
            filled(query_of("ecmp-overview", "Worst hops", "share"), destination=name, __range="10s"), ("hop",))
        assert shares[lossy,] == 1 and shares[DESTINATION[family],] < 1, shares

        def worst_node():
            nodes, _ = node_graph(lab["native"], destination=name, __rate_interval="10s")
            return max(nodes, key=lambda node: float(node["value"][1]))["metric"]["id"]

        eventually(lambda: worst_node() == lossy, 20, worst_node)


def test_the_suspected_links_are_those_of_the_branch_that_loses(lab, fan):
    suspicion = filled(query_of("ecmp-overview", "Suspected links", "suspicion"))
    blamed = {link for link, value in lab["native"].query(suspicion, ("from", "to")).items() if value >= 1}
    # The branch that refused lost what it refused, and is in the window still.
    for_it = {family: {link for link in blamed if fan.addresses[fan.branch(LOSSY)][family] in link} for family in (4, 6)}
    known = {address for n in (LOSSY, REFUSING) for address in fan.addresses[fan.branch(n)].values()}
    assert all(for_it.values()) and all(known & set(link) for link in blamed), blamed


def test_silence_and_loss_are_not_taken_for_each_other(lab, fan):
    silent, lossy = (fan.addresses[fan.branch(n)][4] for n in (SILENT, LOSSY))
    losses, silences = (lab["native"].query(
        f"max by (hop) ({filled(query_of('ecmp-path', 'Loss against silence', ref), destination='four')})", ("hop",))
                        for ref in "AB")
    assert silences[
        silent,
    ] > 0.1 and losses[
        silent,
    ] == 0 and losses[
        lossy,
    ] == silences[
        lossy,
    ] == 0
    assert max(losses.values()) > 0.02


# --- without a lab ----------------------------------------------------------------------------------------------------


@pytest.mark.anywhere
def test_a_name_is_shown_where_there_is_one_and_no_hop_is_missing_where_not(tmp_path):
    """The node graph breaks when an edge leads to no node; two names of a hop are one node."""
    (nodes,) = [query for query in queries() if query.ref == "nodes"]
    labels = 'job="j",instance="a",destination="d"'
    series = [
        f'ecmp_link_flows{{{labels},ttl="2",from="10.0.0.1",to="10.0.0.2"}}',
        f'ecmp_path_hop_info{{{labels},path="p",ttl="1",hop="10.0.0.1"}}', f"ecmp_destination_info{{{labels}}}",
        'ecmp_hop_info{job="j",instance="a",hop="10.0.0.1",name="one.example",asn="64500"}'
    ]
    seconds = 'job="j",instance="b",destination="d"'
    series += [
        f'ecmp_link_flows{{{seconds},ttl="2",from="10.0.0.1",to="10.0.0.2"}}',
        'ecmp_hop_info{job="j",instance="b",hop="10.0.0.1",name="other.example"}'
    ]
    made = {
        "rule_files": [], "tests": [{
            "interval":
            "1m", "input_series": [{"series": one, "values": "1x10"} for one in series], "promql_expr_test": [{
                "eval_time":
                "5m", "expr":
                f"count by (id) ({filled(nodes, __rate_interval='5m')})", "exp_samples":
                [{"labels": f'{{id="{one}"}}', "value": 1} for one in ("10.0.0.1", "10.0.0.2", "a")]
            }, {
                "eval_time":
                "5m", "expr":
                f"count by (title, subtitle) ({filled(nodes, instance='a', __rate_interval='5m')})", "exp_samples":
                [{"labels": '{title="one.example",subtitle="10.0.0.1"}', "value":
                  1}, {"labels": '{title="10.0.0.2"}', "value": 1},
                 {"labels": '{title="a",subtitle="agent"}', "value": 1}]
            }]
        }]
    }
    file = tmp_path / "nodes.yml"
    file.write_text(json.dumps(made))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
