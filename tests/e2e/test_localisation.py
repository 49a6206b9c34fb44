"""A branch of the lab loses: the exporter names its link, says on what evidence, and blames no other."""
import json

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan

FLOWS = 24
PORTS = range(50000, 50000 + FLOWS)
NAMES = {4: "four", 6: "six"}
SECONDS = 60  # a look is 1/60 of the window, and a verdict has to stand in two of them


def lines(exporter, path):
    return [json.loads(line) for line in exporter.get(path).text.splitlines()]


def blamed(exporter):
    """Links by the exporter's own account: {(from, to): loss}, its verdicts."""
    metrics = exporter.metrics()
    loss = metrics.values("ecmp_link_loss_ratio", ("from", "to"))
    verdicts = metrics.values("ecmp_link_blamed", ("from", "to"))
    return {link: loss[link] for link, is_blamed in verdicts.items() if is_blamed == 1}


def test_the_link_of_a_lossy_branch_is_named_with_its_evidence():
    destinations = [{"name": name, "host": DESTINATION[family], "flows": FLOWS, "source_port": PORTS[0],
                     "interval": "500ms", "timeout": "400ms"} for family, name in NAMES.items()]
    with Fan(width=4) as fan:
        text = config(destinations) + '\n[window]\nduration = "30s"\n'
        with Exporter(text, fan.network.ns("agent")) as exporter:
            eventually(lambda: len(exporter.metrics().flow_paths("four")) == FLOWS, 15, lambda: "flows without a path")
            assert blamed(exporter) == {}
            node = fan.branch(2)
            at_fault = set(fan.addresses[node].values())
            over = {family: {port for port, path in fan.expected_paths(DESTINATION[family], PORTS).items()
                             if fan.addresses[node][family] in path} for family in NAMES}
            fan.lose(node, 0.2)

            def named():
                return any(at_fault & set(link) for link in blamed(exporter))
            eventually(named, SECONDS, lambda: f"nothing at {at_fault} is blamed, but {blamed(exporter)}")
            verdicts = []

            def told():
                verdicts[:] = [event["loss"] for event in lines(exporter, "/events")
                               if event["kind"] == "loss_verdict" and event["phase"] == "begin"]
                return bool(verdicts)
            eventually(told, SECONDS, lambda: f"no verdict among {lines(exporter, '/events')}")
            suspected = json.loads(exporter.get("/topology").text)["suspected_links"]
            print("verdict:", json.dumps(verdicts[0]))
            print("blamed:", blamed(exporter))

            # Every link that is blamed is one of the branch's, and every port that reproduces it goes over it.
            assert all(at_fault & set(link) for link in blamed(exporter)), blamed(exporter)
            assert any(at_fault & {link["from"], link["to"]} for each in suspected for link in each["links"]), suspected
            for verdict in verdicts:
                assert any(at_fault & {link["from"], link["to"]} for link in verdict["links"]), verdict
                by_name = {name: over[family] for family, name in NAMES.items()}
                assert verdict["reproduced_by"] and verdict["not_reproduced_by"], verdict
                assert all(flow["source_port"] in by_name[flow["destination"]] for flow in verdict["reproduced_by"]), verdict
                assert all(flow["source_port"] not in by_name[flow["destination"]]
                           for flow in verdict["not_reproduced_by"]), verdict
            counted = exporter.metrics().total("ecmp_localisation_verdicts_total", kind="loss_verdict")
            assert counted >= len(verdicts)  # one more may have come meanwhile
