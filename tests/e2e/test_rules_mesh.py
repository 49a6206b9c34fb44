"""Alerts about destinations whose answers are limited, about reflectors and about loss in one direction, each on its fault:
what test_rules.py has no reflector or no limits for."""
import contextlib
import time

from beside import beside
from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from netns import write_sysctls
from prometheus import Prometheus
from stamp_sender import Sender, open_request
from test_rules import FEW, SECONDS, WINDOW, fired, rule_files, shortened
from test_stamp import lose_replies, reflector

FLOWS = 8
LONG = 120
# Time in which a reflector can be started anew five times, also on a busy machine.
MANY_RESTARTS = f"ecmp_reflector_restarts_total[{SECONDS['15m']}s]", "ecmp_reflector_restarts_total[180s]"
RESTARTS = 5  # more than 3 within the alert's time, however it is counted at its edges
# What a machine that is busy with other work raises rightly, and what loss is as well.
BUSY = {"EcmpAgentLagging", "EcmpAgentRoundsSkipped"} | FEW
LOSSES = {"EcmpPathLoss", "EcmpLinkLoss", "EcmpDestinationLoss"}
REFLECTOR = f'[reflector]\nlisten_addresses = ["{DESTINATION[4]}:10862"]\n'
WANTED = {("EcmpDestinationUndecided", "crowd"), ("EcmpDestinationSuppressed", "rare"), ("EcmpReflectorDown", "nobody"),
          ("EcmpReflectorUndirected", "stateless"), ("EcmpReflectorRefuses", None)}


def limited_agents():
    """40 destinations that share what one host answers by default (one error a second); and one that answers every other
    second, which is tried in vain all the time."""
    adapting = {"adapt_to_responders": True}
    crowd = [{"name": "crowd" if i == 0 else f"crowd-{i}", "host": DESTINATION[4], "flows": 1, "source_port": 41000 + i}
             for i in range(40)]
    rare = [{"name": "rare", "host": DESTINATION[6], "flows": 4, "interval": "3s", "source_port": 42000}]
    return {name: config(destinations, limits=adapting) + WINDOW for name, destinations in (("many", crowd), ("rare", rare))}


def mesh_agent():
    """Reflects for nobody who asks here, and measures with one reflector of ours, one that does not count, and none."""
    common = {"host": DESTINATION[4], "protocol": "stamp", "flows": FLOWS, "packet_interval": "100ms"}
    return config([{"name": "mesh-dst", "port": 10862, "source_port": 43000, **common},
                   {"name": "stateless", "port": 862, "source_port": 43100, **common},
                   {"name": "nobody", "port": 10999, "source_port": 43200, **common, "host": DESTINATION[6]}]) + WINDOW + (
                       '[reflector]\nlisten_addresses = [":10863"]\nallow = ["203.0.113.0/24"]\n')


def restarts_of(exporter, destination):
    return exporter.metrics().total("ecmp_reflector_restarts_total", destination=destination)


@contextlib.contextmanager
def asking(fan, address):
    """Requests that the agent's reflector must refuse, ten a second."""
    def ask(done):
        sequence = 0
        with fan.network.entered("dst"), Sender((address, 10863)) as sender:
            while not done.wait(0.1):
                sequence += 1
                sender.send(open_request(sequence))

    with beside(ask):
        yield


def test_limits_and_reflectors_raise_their_alerts(tmp_path):
    rules = []
    for path in rule_files():
        rules.append(tmp_path / path.rpartition("/")[2])
        with open(path, encoding="ascii") as file:
            rules[-1].write_text(shortened(file.read()).replace(*MANY_RESTARTS))
    with contextlib.ExitStack() as stack:
        fan = stack.enter_context(Fan(width=2, icmp="kernel"))
        # Over IPv6 the host answers everybody, but for the flows to one destination, whose ports it quotes.
        write_sysctls(fan.network.ns("dst"), {"net.ipv6.icmp.ratelimit": 0})
        fan.network.nft("dst", """table inet rare {
            chain output {
                type filter hook output priority 0; policy accept;
                icmpv6 type destination-unreachable @th,384,16 42000-42003 limit rate over 30/minute burst 1 packets drop
            }
        }""")
        namespace = fan.network.ns("agent")
        stack.enter_context(reflector(fan, DESTINATION[4], "stateless"))
        far = stack.enter_context(contextlib.ExitStack())
        far.enter_context(Exporter(REFLECTOR, fan.network.ns("dst")))
        agents = {name: stack.enter_context(Exporter(text, namespace, ready_seconds=0))
                  for name, text in (*limited_agents().items(), ("mesh", mesh_agent()))}
        prometheus = Prometheus(fan, agents, tmp_path / "data", "--enable-feature=native-histograms", rules=rules)
        stack.callback(prometheus.close)
        stack.enter_context(asking(fan, "10.50.0.1"))
        begin = time.time()
        eventually(prometheus.is_up, 60, lambda: prometheus.log.read_text())

        def seen(since):
            return {(name, labels.get("destination")) for name, all_labels in fired(prometheus, since).items()
                    for labels in all_labels}
        eventually(lambda: WANTED <= seen(begin), LONG, lambda: (WANTED - seen(begin), seen(begin)))
        # Other destinations of the crowd have their turn as rarely. Three agents at one address share what routers and host
        # answer, and do not know of each other: no link may be blamed for that (docs/adr/0032).
        others = {(name, destination) for name, destination in seen(begin) if name not in BUSY
                  and not (name == "EcmpDestinationUndecided" and destination.startswith("crowd"))}
        assert others <= WANTED, others - WANTED

        fault = time.time()
        fan.lose(fan.branch(1), 0.3)
        lose_replies(fan, fan.branch(2), 0.3)
        lossy = {("EcmpForwardLoss", "mesh-dst"), ("EcmpReverseLoss", "mesh-dst")}
        eventually(lambda: lossy <= seen(fault), LONG, lambda: (lossy - seen(fault), seen(fault)))
        found = seen(fault)
        assert {one for one in found if one[0] in ("EcmpForwardLoss", "EcmpReverseLoss")} == lossy, found
        # One lost round of a destination that has its turn once in a minute is all that is known of it.
        assert {name for name, destination in found if not (destination or "").startswith(("crowd", "rare"))} <= (
            {name for name, _ in lossy | WANTED} | BUSY | LOSSES | {"EcmpAgentSeesMostDown"}), found

        fan.heal(fan.branch(1))
        fan.heal(fan.branch(2))
        restarts = time.time()
        mesh = agents["mesh"]
        for count in range(1, RESTARTS + 1):
            time.sleep(6)  # those within five seconds are one: streams see it one after the other
            far.close()
            far.enter_context(Exporter(REFLECTOR, fan.network.ns("dst")))
            eventually(lambda: restarts_of(mesh, "mesh-dst") >= count, LONG, lambda: mesh.metrics().text)
        eventually(lambda: ("EcmpReflectorRestarts", "mesh-dst") in seen(restarts), LONG, lambda: seen(restarts))
        found = seen(restarts)
        assert {destination for name, destination in found if name == "EcmpReflectorRestarts"} == {"mesh-dst"}, found
