"""Agents that measure each other with one configuration for all: peers by address and by name, a group, peers that come, go
and move."""
import contextlib
import json
import subprocess

import pytest

from exporter import BINARY, Exporter, eventually
from netns import Network, missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason="; ".join(missing_requirements()))

NODES = ("a", "b", "c", "d")
ADDRESS = {node: f"10.60.0.{number}" for number, node in enumerate(NODES, 1)}
MOVED = "10.60.0.77"
KEY = "00112233445566778899aabbccddeeff"
FAST = {"flows": 4, "packet_interval": "50ms", "interval": "1s", "timeout": "500ms"}


@pytest.fixture(scope="module")
def network():
    """Four hosts at one switch, each with an address of its own on a link of its own."""
    with Network() as made:
        made.add_nodes(["sw", *NODES])
        made.batch(None, [f"link add {node}0 netns {made.ns(node)} type veth peer name {node} netns {made.ns('sw')}"
                          for node in NODES])
        made.batch("sw", ["link add name bridge type bridge", "link set dev bridge up"]
                   + [f"link set dev {node} master bridge up" for node in NODES])
        for node in NODES:
            made.batch(node, ["link set lo up", f"link set {node}0 up", f"addr add {ADDRESS[node]}/24 dev {node}0"])
        made.batch("c", [f"addr add {MOVED}/24 dev c0"])
        yield made


def toml(table):
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def mesh_config(more="", **keys):
    return f'[dns]\nnames = false\nrefresh = "1s"\n[mesh]\n{toml({**FAST, **keys})}{more}'


@contextlib.contextmanager
def agents(network, hosts, configs):
    """{node: its exporter}, each with the one hosts file: a resolver that can be edited."""
    with contextlib.ExitStack() as stack:
        prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
        yield {node: stack.enter_context(Exporter(text, network.ns(node), command_prefix=prefix))
               for node, text in configs.items()}


def rewrite(exporter, text):
    with open(exporter.config_path, "w") as file:
        file.write(text)
    answer = exporter.request("POST", "/-/reload")
    assert answer.status == 200, answer.text


def up(exporter):
    return exporter.metrics().values("ecmp_reflector_up", "destination")


def modes(exporter):
    return {have["destination"]: have["mode"] for have, _ in exporter.metrics().families.get("ecmp_reflector_info", [])}


def losses(exporter):
    return sum(value for _, value in exporter.metrics().families.get("ecmp_path_oneway_losses_total", []))


def packets(exporter, destination):
    return sum(exporter.metrics().values("ecmp_path_oneway_packets_total", "direction", destination=destination).values())


def addresses(exporter):
    return {name: address for name, address in exporter.metrics().values("ecmp_destination_info", ("destination", "address"))}


def refused(exporter):
    return {reason: count for reason, count in
            exporter.metrics().values("ecmp_exporter_reflector_refused_total", "reason").items() if count}


def everything(running):
    return lambda: {node: (up(one), refused(one), one.read_log()) for node, one in running.items()}


def test_three_agents_with_one_configuration(network, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{ADDRESS['c']} c.mesh.test\n")
    (tmp_path / "key").write_text(KEY + "\n")
    tmp_path.chmod(0o755)
    peers = [ADDRESS["a"], ADDRESS["b"], "c.mesh.test"]
    text = mesh_config(peers=peers, key_file=str(tmp_path / "key"))
    names = {node: f"mesh-{peer}" for node, peer in zip("abc", peers)}
    with agents(network, hosts, dict.fromkeys("abc", text)) as running:
        for node, one in running.items():
            # Each measures the others and not itself, by the extension between two of ours: stateful.
            others = {name for other, name in names.items() if other != node}
            eventually(lambda: up(one) == dict.fromkeys(others, 1) and modes(one) == dict.fromkeys(others, "stateful"),
                       60, everything(running))
        a, b, c = running["a"], running["b"], running["c"]
        assert addresses(a)[names["c"]] == ADDRESS["c"]
        shown = a.get("/config").text
        assert KEY not in shown and f'"{ADDRESS["b"]}/32"' in shown and f'"{ADDRESS["c"]}/32"' in shown
        # Before all had begun some requests met no reflector; from here on nothing is refused or lost.
        quiet = {node: (refused(one), losses(one)) for node, one in running.items()}

        # A peer that comes and goes touches no stream of another one.
        rounds = a.metrics().values("ecmp_flow_probes_total", "flow", destination=names["b"])
        sent = packets(a, names["b"])
        rewrite(a, mesh_config(peers=[*peers, ADDRESS["d"]], key_file=str(tmp_path / "key")))
        eventually(lambda: up(a).get(f"mesh-{ADDRESS['d']}") == 0, 30, everything(running))
        rewrite(a, text)
        eventually(lambda: set(up(a)) == {names["b"], names["c"]}, 30, everything(running))
        eventually(lambda: packets(a, names["b"]) > sent + 40, 60, everything(running))
        after = a.metrics().values("ecmp_flow_probes_total", "flow", destination=names["b"])
        assert set(after) == set(rounds) and all(after[flow] >= count for flow, count in rounds.items())
        assert {node: (refused(one), losses(one)) for node, one in running.items()} == quiet

        # The name moves: the destination goes on under its name, and the others answer the new address.
        hosts.write_text(f"{MOVED} c.mesh.test\n")
        network.batch("c", [f"route replace 10.60.0.0/24 dev c0 src {MOVED}"])
        for one in (a, b):
            eventually(lambda: addresses(one).get(names["c"]) == MOVED and up(one).get(names["c"]) == 1, 60, everything(running))
        eventually(lambda: up(c) == {names["a"]: 1, names["b"]: 1}, 60, everything(running))
        assert f'"{MOVED}/32"' in b.get("/config").text and f'"{ADDRESS["c"]}/32"' not in b.get("/config").text

        # A name that is gone from the DNS keeps its last address.
        hosts.write_text("\n")
        eventually(lambda: a.metrics().values("ecmp_exporter_discovery_source_up", "source").get("mesh") == 0, 60, everything(running))
        assert addresses(a)[names["c"]] == MOVED and up(a)[names["c"]] == 1


def test_a_group_and_somebody_who_is_no_agent(network, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"{ADDRESS[node]} agents.mesh.test\n" for node in "ab"))
    tmp_path.chmod(0o755)
    text = mesh_config(groups=["agents.mesh.test"])
    stranger = mesh_config(peers=[ADDRESS["a"]])
    with agents(network, hosts, {"a": text, "b": text, "d": stranger}) as running:
        a, b, d = running["a"], running["b"], running["d"]
        eventually(lambda: up(a) == {f"mesh-{ADDRESS['b']}": 1} and up(b) == {f"mesh-{ADDRESS['a']}": 1}, 60, everything(running))
        eventually(lambda: refused(a).get("not_allowed", 0) > 10 and up(d) == {f"mesh-{ADDRESS['a']}": 0}, 60, everything(running))
        lines = [line for line in a.read_log().splitlines() if "a request was refused" in line]
        assert len(lines) == 1 and f"source={ADDRESS['d']}" in lines[0] and "reason=not_allowed" in lines[0], lines
        # It joins the group.
        hosts.write_text("".join(f"{ADDRESS[node]} agents.mesh.test\n" for node in "abd"))
        eventually(lambda: up(d) == {f"mesh-{ADDRESS['a']}": 1}, 60, everything(running))
        eventually(lambda: set(up(a)) == {f"mesh-{ADDRESS[node]}" for node in "bd"}, 60, everything(running))
        # It leaves: without [mesh] its port stays until it ends, and answers nobody rather than everybody.
        eventually(lambda: up(a).get(f"mesh-{ADDRESS['d']}") == 1, 60, everything(running))
        before = sum(d.metrics().values("ecmp_exporter_reflected_total", "x").values())
        rewrite(d, f'[[destination]]\nhost = "{ADDRESS["b"]}"\nprotocol = "icmp"\n')
        eventually(lambda: up(a).get(f"mesh-{ADDRESS['d']}") == 0 and refused(d).get("not_allowed", 0) > 10, 60, everything(running))
        quiet = sum(d.metrics().values("ecmp_exporter_reflected_total", "x").values())
        eventually(lambda: refused(d)["not_allowed"] > 50, 60, everything(running))
        assert 0 < before <= quiet == sum(d.metrics().values("ecmp_exporter_reflected_total", "x").values())


@pytest.mark.parametrize("text, line", [
    ('[mesh]\npeers = ["10.0.0.0/8"]\n', '2:10: peers = "10.0.0.0/8": '),
    ('[reflector]\nkey_file = "x"\n[mesh]\npeers = ["10.0.0.1"]\nkey_file = "y"\n',
     '5:12: key_file = "y": [reflector] has key_file = "x", and an agent has one key'),
    ('[mesh]\npeers = ["10.0.0.1"]\nkey_file = "missing"\n', "missing: No such file or directory"),
    ('[mesh]\npeers = ["10.0.0.1"]\nprotocol = "icmp"\n', '3:12: protocol = "icmp": agents of a mesh are measured by STAMP')])
def test_what_is_wrong_is_one_line(tmp_path, text, line):
    (tmp_path / "exporter.toml").write_text(text)
    done = subprocess.run([BINARY, f"--config.file={tmp_path}/exporter.toml", "--config.check"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and line in done.stderr, done.stderr
