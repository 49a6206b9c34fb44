"""Two of our agents, one of which reflects: the way back of each flow, and the link and the way on which packets are lost."""
import json
import os

import pytest

from browser import Browser
from exporter import Exporter, config, eventually
from lab import AGENT, DESTINATION, Fan

FLOWS = 8
PORTS = range(50000, 50000 + FLOWS)
PORT = 10862
LOSS = 0.2
PICTURES = os.path.join(os.environ.get("ECMP_BUILD_DIRECTORY", "build/dev"), "artefacts/page")


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


def watch_replies(fan):
    """Has the branches note the flows whose replies they forward."""
    for node in fan.branches[1]:
        fan.network.nft(node, f"""table inet seen {{
            set ports {{ type inet_service; flags dynamic; size 1024; }}
            chain forward {{
                type filter hook forward priority 0; policy accept;
                udp sport {PORT} add @ports {{ udp dport }}
            }}
        }}""")


def seen_ways(fan, family):
    """{port: routers} as the branches have seen it. A host labels IPv6 flows by a hash that the lab's routers, which are the
    same kernel's, find with the packet and use: their routing tables would say something else."""
    ways = {}
    for node in fan.branches[1]:
        listed = json.loads(fan.network.run_in(node, ["nft", "-j", "list", "set", "inet", "seen", "ports"]))
        ports = next(item["set"].get("elem", []) for item in listed["nftables"] if "set" in item)
        for port in ports:
            assert port not in ways, "probes and replies of one flow take different ways"
            ways[port] = [fan.addresses["r2"][family], fan.addresses[node][family], fan.addresses["r1"][family]]
    return ways


def lose_on_the_way_back(fan, node):
    fan._rule(node, "forward", f'iifname "{fan._onward(node)}" {fan._drop(LOSS)}')


def look_at_the_page(fan, exporter, routers):
    """Both directions of the fan, one above the other; what each way loses; and the verdict in words."""
    with Browser(fan.network.ns("agent")) as browser:
        browser.resize(1440, 900)
        browser.open(f"http://127.0.0.1:{exporter.port}/#destination=far")
        browser.until("document.querySelectorAll('section[aria-label=\"Way back\"] .node').length > 3")
        cards = "[...document.querySelectorAll('section.card')].filter((card) => card.querySelector('.node')).map((card) => card.getAttribute('aria-label'))"
        assert browser.run(cards) == ["Fan", "Way back"]
        drawn = set(browser.run("[...document.querySelectorAll('section[aria-label=\"Way back\"] .node')].map((node) => node.dataset.address)"))
        assert drawn == routers | {AGENT[4], DESTINATION[4]}
        tiles = browser.run("[...document.querySelectorAll('.tile-name')].map((tile) => tile.textContent)")
        assert {"Way there", "Way back", "Reflector"} <= set(tiles), tiles
        browser.until("[...document.querySelectorAll('.tile')].some((tile) => tile.textContent.startsWith('Way back') && tile.textContent.includes('%'))")
        browser.until("[...document.querySelectorAll('.events')].some((list) => list.textContent.includes('on the way back'))")
        browser.picture(os.path.join(PICTURES, "both_ways.png"), True)
        assert browser.console == []


@pytest.mark.parametrize("family, size", [(4, 144), (6, 164)], ids=["ipv4", "ipv6"])
def test_an_agent_that_reflects_reports_the_way_back_and_losses_have_a_link_and_a_way(family, size):
    mine = AGENT[family] + ("/32" if family == 4 else "/128")
    reflecting = f'[reflector]\nlisten_addresses = [":{PORT}"]\nallow = ["{mine}"]\n'
    sending = config([{"name": "far", "host": DESTINATION[family], "protocol": "stamp", "port": PORT, "flows": FLOWS,
                       "source_port": PORTS[0], "packet_interval": "30ms", "packet_size": size}],
                     probe={"interval": "1s", "timeout": "900ms"}) + '\n[window]\nduration = "1m"\n'
    with Fan(width=2, icmp="kernel") as fan, Exporter(reflecting, fan.network.ns("dst")), \
            Exporter(sending, fan.network.ns("agent")) as near:
        if family == 4:
            expected = {port: path[:-1] for port, path in
                        fan.expected_paths(DESTINATION[family], PORTS, port=PORT, back=True).items()}
        else:
            watch_replies(fan)
            eventually(lambda: len(seen_ways(fan, family)) == FLOWS, 30, lambda: seen_ways(fan, family))
            expected = seen_ways(fan, family)
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
        core, own = fan.addresses["r2"][family], fan.addresses[node][family]
        found = eventually(lambda: verdicts(near, "reverse"), 90, lambda: near.get("/events").text)
        assert all((core, own) in links for links in found), found
        assert not verdicts(near, "forward")
        lost = near.metrics().values("ecmp_path_oneway_losses_total", ("path", "direction"), destination="far")
        over = next(path for path, flows in by_path.items() if own in expected[min(flows)])
        assert lost[over, "reverse"] > 0, lost
        fan.heal(node)
        if family == 6:
            return

        look_at_the_page(fan, near, {router for path in expected.values() for router in path})
        other = fan.branch(2)
        fan.lose(other, LOSS)
        found = eventually(lambda: verdicts(near, "forward"), 90, lambda: near.get("/events").text)
        assert all((fan.addresses["r1"][family], fan.addresses[other][family]) in links for links in found), found
        blamed = near.metrics().values("ecmp_link_blamed", ("from", "to"))
        assert blamed[fan.addresses["r1"][family], fan.addresses[other][family]] == 1, blamed
