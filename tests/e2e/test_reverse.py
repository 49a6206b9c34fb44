"""Two of our agents, one of which reflects: the way back of each flow, and the link and the way on which packets are lost."""
import json

from exporter import Exporter, config, eventually
from lab import AGENT, DESTINATION, Fan

FLOWS = 8
PORTS = range(50000, 50000 + FLOWS)
PORT = 10862
LOSS = 0.2


def topology(exporter):
    return json.loads(exporter.get("/topology?destination=far").text)


def ways_back(exporter):
    """{source port: routers, the one next to the reflector first} of flows whose way back is known."""
    flows = topology(exporter)["destinations"][0]["flows"]
    return {flow["source_port"]: flow["oneway"]["reverse_routers"] for flow in flows
            if flow["oneway"]["reverse_routers"] and all(flow["oneway"]["reverse_routers"])}


def verdicts(exporter, direction):
    """What links were blamed for losses of this way, as their two ends."""
    events = [json.loads(line) for line in exporter.get("/events").text.splitlines()]
    return [{(link["from"], link["to"]) for link in event["loss"]["links"]} for event in events
            if event["kind"] == "loss_verdict" and event["loss"]["direction"] == direction]


def lose_on_the_way_back(fan, node):
    fan._rule(node, "forward", f'iifname "{fan._onward(node)}" {fan._drop(LOSS)}')


def test_an_agent_that_reflects_reports_the_way_back_and_losses_have_a_link_and_a_way():
    reflecting = f'[reflector]\nlisten_addresses = [":{PORT}"]\nallow = ["{AGENT[4]}/32"]\n'
    sending = config([{"name": "far", "host": DESTINATION[4], "protocol": "stamp", "port": PORT, "flows": FLOWS,
                       "source_port": PORTS[0], "packet_interval": "30ms", "packet_size": 144}],
                     probe={"interval": "1s", "timeout": "900ms"}) + '\n[window]\nduration = "1m"\n'
    with Fan(width=2, icmp="kernel") as fan, Exporter(reflecting, fan.network.ns("dst")), \
            Exporter(sending, fan.network.ns("agent")) as near:
        expected = {port: path[:-1] for port, path in
                    fan.expected_paths(DESTINATION[4], PORTS, port=PORT, back=True).items()}
        assert len({tuple(path) for path in expected.values()}) == 2, expected
        eventually(lambda: ways_back(near) == expected, 120, lambda: (ways_back(near), expected))
        metrics = near.metrics()
        named = metrics.values("ecmp_flow_reverse_path_info", ("flow", "path"), destination="far")
        assert {int(flow) for flow, _ in named} == set(PORTS)
        by_path = {path: {int(flow) for flow, other in named if other == path} for _, path in named}
        assert sorted(map(sorted, by_path.values())) == sorted(
            sorted(port for port in PORTS if expected[port] == path) for path in map(list, {tuple(p) for p in expected.values()}))

        node = fan.branch(1)
        lose_on_the_way_back(fan, node)
        core, own = fan.addresses["r2"][4], fan.addresses[node][4]
        found = eventually(lambda: verdicts(near, "reverse"), 90, lambda: near.get("/events").text)
        fan.heal(node)
        assert all((core, own) in links for links in found), found
        assert not verdicts(near, "forward")
        lost = near.metrics().values("ecmp_path_oneway_losses_total", ("path", "direction"), destination="far")
        over = next(path for path, flows in by_path.items() if own in expected[min(flows)])
        assert lost[over, "reverse"] > 0, lost

        other = fan.branch(2)
        fan.lose(other, LOSS)
        found = eventually(lambda: verdicts(near, "forward"), 90, lambda: near.get("/events").text)
        assert all((fan.addresses["r1"][4], fan.addresses[other][4]) in links for links in found), found
        blamed = near.metrics().values("ecmp_link_blamed", ("from", "to"))
        assert blamed[fan.addresses["r1"][4], fan.addresses[other][4]] == 1, blamed
