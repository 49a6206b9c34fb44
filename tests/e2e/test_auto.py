"""`flows = "auto"` against the kernel's own routing: the paths that scamper's tracelb finds, with what each costs."""
import json
import subprocess

import pytest

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan

FIRST_PORT = 50000
MOST_FLOWS = 512


def tracelb(network, node, destination):
    """(addresses on the way, probes) of scamper's search at 95 %."""
    command = ["scamper", "-O", "json", "-p", "1000", "-c", "tracelb -P udp-dport -d 33434 -c 95", "-i", destination]
    out, _ = network.popen(node, command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).communicate()
    trace = next(line for line in map(json.loads, out.splitlines()) if line["type"] == "tracelb")
    seen = {node["addr"] for node in trace["nodes"]}
    seen |= {hop["addr"] for node in trace["nodes"] for hops in node["links"] for hop in hops if "addr" in hop}
    return seen - {"*"}, trace["probec"]


def search_of(exporter):
    return json.loads(exporter.get("/topology?destination=dst").text)["destinations"][0]["search"]


def sent(exporter):
    return exporter.metrics().total("ecmp_exporter_probes_sent_total")


@pytest.mark.parametrize("width", [4, 16])
def test_the_paths_that_another_tracer_finds(width, capsys):
    with Fan(width=width) as fan:
        destination = {"name": "dst", "host": DESTINATION[4], "flows": "auto", "source_port": FIRST_PORT}
        with Exporter(config([destination], {"interval": "2s", "timeout": "800ms"}), fan.network.ns("agent")) as exporter:
            eventually(lambda: search_of(exporter)["finished"], 90, "a search that is over")
            search, probes = search_of(exporter), sent(exporter)
            assert not search["bounded"] and search["coverage"] >= 0.95
            assert search["flows_kept"] <= 2 * width

            def settled():
                metrics = exporter.metrics()
                return (len(metrics.flow_paths("dst")) == search["flows_kept"]
                        and len(set(metrics.flow_paths("dst").values())) == width)
            eventually(settled, 20, "all paths in use")
            metrics = exporter.metrics()
            found = metrics.paths("dst")
            used = {tuple(found[path]) for path in metrics.flow_paths("dst").values()}
        ports = range(FIRST_PORT, FIRST_PORT + MOST_FLOWS)
        assert used == {tuple(path) for path in fan.expected_paths(DESTINATION[4], ports).values()}
        theirs, their_probes = tracelb(fan.network, "agent", DESTINATION[4])
        assert {address for path in used for address in path} >= theirs
        # scamper, too, may miss a branch now and then; that it finds none that we do not is what counts.
        assert len(theirs) >= width
        steady = search["flows_kept"] * len(next(iter(used)))
        with capsys.disabled():
            print(f"\nwidth {width}: {search['paths']} paths; search {probes:.0f} probes over {search['flows_asked']} "
                  f"flows, steady {steady} probes a round over {search['flows_kept']} flows; "
                  f"scamper tracelb {their_probes} probes for {len(theirs)} addresses")
