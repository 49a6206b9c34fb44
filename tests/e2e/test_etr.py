"""The end-to-end topology of ETR and what it asserts there: two paths, two addresses at TTL 2, over both families."""
from etr_topology import DESTINATION, SECOND_HOPS, etr_topology
from exporter import Exporter, config, eventually

FLOWS = 24  # of 4, all take the same branch once in eight times


def test_two_paths_by_tcp_and_udp_over_both_families():
    with etr_topology() as network:
        destinations = [{"name": f"{protocol}-{family}", "host": host, "protocol": protocol, "flows": FLOWS}
                        for protocol in ("tcp", "udp") for family, host in DESTINATION.items()]
        with Exporter(config(destinations), network.ns("probe")) as exporter:
            def finished():
                replies = exporter.metrics().values("ecmp_flow_replies_total", ("destination", "flow"))
                return len(replies) == FLOWS * len(destinations) and min(replies.values()) >= 3
            eventually(finished, 30, "3 answered rounds of each flow")
            metrics = exporter.metrics()
            for protocol in ("tcp", "udp"):
                for family, host in DESTINATION.items():
                    paths = metrics.paths(f"{protocol}-{family}").values()
                    assert len(paths) == 2
                    assert {path[1] for path in paths} == SECOND_HOPS[family]
                    assert all(len(path) == 4 and path[3] == host for path in paths)
            assert metrics.total("ecmp_flow_path_changes_total") == 0
