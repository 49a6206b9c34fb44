"""What no average of a destination shows: one of sixteen paths loses a fifth and the others 0.6 %, where routers limit their
ICMP as Linux does by default. Such a start raises no alert, and the loss raises that of its path alone."""
import time

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from prometheus import Prometheus
from test_rules import WINDOW, alerts, fired, paths_over, rule_files, shortened

FLOWS, INTERVAL = 128, "250ms"
# Long enough for a path with 0.6 % to stay far below 2 %: 8 flows and 4 rounds a second are 480 probes.
SECONDS = {"2m": 6, "5m": 15, "10m": 20, "15m": 30, "30m": 40, "1h": 30, "2h": 40, "5h": 15, "6h": 120, "1d": 60}
# What a machine that is busy with other work raises rightly.
BUSY = {"EcmpAgentLagging", "EcmpAgentRoundsSkipped"}


def test_the_loss_of_one_path_in_sixteen_raises_its_own_alert_alone(tmp_path):
    rules = []
    for path in rule_files():
        rules.append(tmp_path / path.rpartition("/")[2])
        with open(path, encoding="ascii") as file:
            rules[-1].write_text(shortened(file.read(), SECONDS))
    destination = {"name": "four", "host": DESTINATION[4], "protocol": "tcp", "port": 443, "flows": FLOWS, "source_port": 50000, "interval": INTERVAL}
    with Fan(width=16, icmp="kernel") as fan, Exporter(config([destination]) + WINDOW, fan.network.ns("agent")) as exporter:
        prometheus = Prometheus(fan, {"sixteen": exporter}, tmp_path / "sixteen", "--enable-feature=native-histograms", rules=rules)
        try:
            begin = time.time()
            eventually(prometheus.is_up, 60, lambda: prometheus.log.read_text())
            # Routers are asked in turn: it takes a while until all branches have answered.
            eventually(lambda: prometheus.query("count(ecmp_path_flows > 0) >= 16", ()), 120, "sixteen paths")
            eventually(lambda: time.time() - begin > 25, 60, "the time of the alerts")
            assert set(fired(prometheus, begin)) <= BUSY, fired(prometheus, begin)
            fault = time.time()
            for number in range(1, 17):
                fan.lose(fan.branch(number), 0.2 if number == 5 else 0.006)
            eventually(lambda: "EcmpPathLoss" in {alert for alert, _ in alerts(prometheus)}, 120, lambda: prometheus.api("alerts"))
            found = fired(prometheus, fault)
            assert set(found) <= {"EcmpPathLoss", "EcmpLinkLoss"} | BUSY, found
            over = paths_over(fan, fan.branch(5), prometheus)
            assert over and {labels["path"] for labels in found["EcmpPathLoss"]} <= over, (found, over)
            at_fault = fan.addresses[fan.branch(5)][4]
            assert all(at_fault in (labels["from"], labels["to"]) for labels in found.get("EcmpLinkLoss", ())), found
        finally:
            prometheus.close()
