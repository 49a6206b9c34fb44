"""Our Session-Sender against our own Session-Reflector: two exporters at the ends of a fan whose routers and hosts have the
kernel's own settings."""
import contextlib
import hashlib
import hmac
import os
import struct

import pytest

from capture import Capture, read_datagrams
from exporter import Exporter, config, eventually
from lab import AGENT, DESTINATION, Fan

FLOWS = 16
PORTS = range(50000, 50000 + FLOWS)
PORT = 10862
KEY = bytes.fromhex("8899aabbccddeeff0011223344556677")
LOSS = 0.2
ENOUGH = 300  # packets of which a fifth is lost: 60, give or take 3 x 7
# So large that the extension between two of ours is in: 4 + 32 bytes, and 4 + 16 for the HMAC that covers it.
SIZE = {4: 124, 6: 144}
SEALED_SIZE = {4: 212, 6: 232}


def sender_config(address, **keys):
    return config([{"name": "far", "host": address, "protocol": "stamp", "port": PORT, "flows": FLOWS,
                    "source_port": PORTS[0], "packet_interval": "30ms", **keys}],
                  probe={"interval": "1s", "timeout": "900ms"})


def reflector_config(allow, **keys):
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    return "\n".join(["[reflector]", f'listen_addresses = [":{PORT}"]', f'allow = ["{allow}"]', *lines]) + "\n"


def rewrite(exporter, text):
    with open(exporter.config_path, "w") as file:
        file.write(text)
    answer = exporter.request("POST", "/-/reload")
    assert answer.status == 200, answer.text


def one(exporter, name, by="destination"):
    return next(iter(exporter.metrics().values(name, by).values()), None)


def counted(exporter, family):
    """{(path, direction): count}"""
    return exporter.metrics().values(f"ecmp_path_oneway_{family}_total", ("path", "direction"), destination="far")


class Growth:
    """Packets and losses by path and direction since it was made."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.before = {family: counted(exporter, family) for family in ("packets", "losses")}

    def __call__(self):
        return {family: {key: value - self.before[family].get(key, 0) for key, value in counted(self.exporter, family).items()}
                for family in self.before}

    def enough(self, paths, direction, packets=ENOUGH):
        grown = self()
        return grown if all(grown["packets"].get((path, direction), 0) >= packets for path in paths) else None

    def lost(self):
        grown = self()["losses"]
        return {way: sum(count for (_, of), count in grown.items() if of == way)
                for way in ("forward", "reverse", "unresolved")}


def settle(exporter, paths):
    """Waits until what was lost before is judged. `paths`: None are those that flows are on at the moment: after a start it
    takes minutes to know them, where routers limit their ICMP."""
    for _ in range(20):
        growth = Growth(exporter)

        def enough():
            return growth.enough(paths or set(exporter.metrics().flow_paths("far").values()), "forward", 60)
        grown = eventually(enough, 120, growth)
        if not any(grown["losses"].values()):
            return
    raise AssertionError(f"losses go on: {grown}")


def on_their_paths(exporter, expected):
    """{port: path id} once flows share a path where routers send them the same way: routers that limit their ICMP are asked
    in turn, so until then a path may lack some of them. None until then."""
    flows = exporter.metrics().flow_paths("far")

    def parts(ways):
        return {frozenset(port for port in ways if ways[port] == way) for way in ways.values()}
    return flows if parts(flows) == parts({port: tuple(path) for port, path in expected.items()}) else None


def refused_by(exporter):
    return {reason: count for reason, count in
            exporter.metrics().values("ecmp_exporter_reflector_refused_total", "reason").items() if count}


def unreachables(fan, node):
    """Destination unreachable messages of either family that a host has sent."""
    table = fan.network.run_in(node, ["cat", "/proc/net/snmp"]).splitlines()
    names, values = (line.split() for line in table if line.startswith("Icmp:"))
    six = fan.network.run_in(node, ["cat", "/proc/net/snmp6"])
    return int(values[names.index("OutDestUnreachs")]) + int(dict(line.split() for line in six.splitlines())["Icmp6OutDestUnreachs"])


def lose_replies(fan, node, ratio):
    """The branch loses this share of what it should forward from the destination."""
    fan._rule(node, "forward", f'iifname "{fan._onward(node)}" {fan._drop(ratio)}')


def begun(exporter, direction):
    """Growth from here on, where losses are being counted: those of packets that are judged later than they left."""
    before = Growth(exporter)
    eventually(lambda: before.lost()[direction] > 3, 120, before)
    return Growth(exporter)


def lose_some_replies(fan, exporter, paths):
    """Has a branch lose replies. Which branches they take is not known here: the lab's routers may give all replies of
    one socket the same hash."""
    for node in fan.branches[1]:
        lose_replies(fan, node, LOSS)
        tried = Growth(exporter)
        eventually(lambda: tried.lost()["reverse"] > 0 or tried.enough(paths, "reverse", 150), 120, tried)
        if tried.lost()["reverse"] > 0:
            return node
        fan.heal(node)
    raise AssertionError("no branch forwards replies")


def check_seals(path, family):
    """Every packet that left has the HMAC of RFC 8762 section 4.2.2 over its first 96 bytes, by Python's own."""
    header = 20 if family == 4 else 40
    seen = 0
    for datagram in read_datagrams(path):
        at = 9 if family == 4 else 6
        if datagram[0] >> 4 != family or datagram[at] != 17 or struct.unpack_from("!H", datagram, header + 2)[0] != PORT:
            continue
        payload = datagram[header + 8:]
        assert payload[96:112] == hmac.new(KEY, payload[:96], hashlib.sha256).digest()[:16]
        seen += 1
    assert seen > 50


@pytest.mark.parametrize("family, sealed", [(4, False), (6, True)], ids=["open-ipv4", "sealed-ipv6"])
def test_loss_in_each_direction_and_restarts_of_either_side(family, sealed, tmp_path):
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    os.chmod(tmp_path, 0o755)
    keys = {"key_file": str(tmp_path / "key")} if sealed else {}
    allow = f"{AGENT[family]}/{32 if family == 4 else 128}"
    sending = sender_config(DESTINATION[family], packet_size=(SEALED_SIZE if sealed else SIZE)[family], **keys)
    reflecting = reflector_config(allow, **keys)
    with Fan(width=4, icmp="kernel") as fan, contextlib.ExitStack() as stack:
        ns = fan.network.ns
        far = stack.enter_context(Exporter(reflecting, ns("dst")))
        near = stack.enter_context(Exporter(sending, ns("agent")))

        def ready():
            return (len(near.metrics().flow_paths("far")) == FLOWS and one(near, "ecmp_reflector_info", "mode") is not None
                    and next(iter(near.metrics().values("ecmp_reflector_info", "mode"))) == "stateful"
                    and one(near, "ecmp_reflector_up") == 1)
        eventually(ready, 60, lambda: (near.metrics().text, near.read_log(), far.read_log(), refused_by(far)))
        expected = fan.expected_paths(DESTINATION[family], PORTS, port=PORT)
        flows = eventually(lambda: on_their_paths(near, expected), 120, lambda: (near.metrics().flow_paths("far"), expected))
        node = fan.branch(2)
        crossing = {flows[port] for port, path in expected.items() if fan.addresses[node][family] in path}
        others = set(flows.values()) - crossing
        assert crossing and others
        settle(near, crossing | others)

        fan.lose(node, LOSS)
        there = begun(near, "forward")
        grown = eventually(lambda: there.enough(crossing, "forward"), 120, there)
        fan.heal(node)
        for path in crossing:
            share = grown["losses"][path, "forward"] / grown["packets"][path, "forward"]
            assert 0.1 < share < 0.3, grown
        # With the receipts of our extension nothing is guessed: no loss of another direction or of another path.
        assert not any(lost for (path, direction), lost in grown["losses"].items()
                       if direction == "reverse" or path in others), grown

        settle(near, crossing | others)
        node = lose_some_replies(fan, near, crossing | others)
        back = begun(near, "reverse")
        eventually(lambda: back.lost()["reverse"] > 30, 120, back)
        fan.heal(node)
        lost = back.lost()
        assert lost["forward"] == 0 and lost["unresolved"] <= 0.1 * lost["reverse"], lost

        # A reload of either side that changes nothing of a stream ends no session and loses no packet.
        settle(near, crossing | others)
        calm = Growth(near)
        restarts = one(near, "ecmp_reflector_restarts_total")
        rewrite(far, reflecting.replace(f'["{allow}"]', f'["{allow}", "203.0.113.0/24"]'))
        rewrite(near, sending + '\n[[destination]]\nname = "more"\nhost = "203.0.113.9"\nprotocol = "icmp"\n')
        eventually(lambda: calm.enough(crossing | others, "forward", 60), 120, calm)
        assert not any(calm.lost().values()), calm()
        assert one(near, "ecmp_reflector_restarts_total") == restarts
        assert not refused_by(far), refused_by(far)

        # Away and back: down, up again, and the numbers that begin anew are a restart and no loss on the way back.
        silences = near.read_log().count("the reflector does not answer")
        far.stop()
        eventually(lambda: one(near, "ecmp_reflector_up") == 0, 60, near.metrics().text)
        assert near.read_log().count("the reflector does not answer") == silences + 1, near.read_log()
        away = Growth(near)
        far = stack.enter_context(Exporter(reflecting, ns("dst")))
        eventually(lambda: one(near, "ecmp_reflector_up") == 1, 60, lambda: (near.metrics().text, refused_by(far)))
        settle(near, crossing | others)
        assert away.lost()["reverse"] == 0, away.lost()
        assert one(near, "ecmp_reflector_restarts_total") == restarts + 1

        # The sender begins anew, with other session identifiers: new sessions, and nothing is lost.
        near.stop()
        if sealed:
            capture = Capture(fan.network, "agent", "r1", str(tmp_path / "sent.pcap"))
        near = stack.enter_context(Exporter(sending, ns("agent")))
        eventually(ready, 60, lambda: (near.metrics().text, near.read_log()))
        settle(near, None)
        if sealed:
            capture.stop()
            check_seals(str(tmp_path / "sent.pcap"), family)
        assert unreachables(fan, "agent") == 0


@pytest.mark.parametrize("near_key, far_key, reason", [(None, KEY, "too_short"), (KEY, None, "malformed"),
                                                      (KEY, KEY[::-1], "unauthenticated")],
                         ids=["reflector", "sender", "different"])
def test_a_key_that_only_one_side_has(tmp_path, near_key, far_key, reason):
    """Nothing is measured, and both sides say so: one line in each log, and a metric."""
    os.chmod(tmp_path, 0o755)

    def keys(name, key):
        if key is None:
            return {}
        (tmp_path / name).write_text(key.hex() + "\n")
        return {"key_file": str(tmp_path / name)}
    with Fan(width=1, icmp="kernel") as fan, \
            Exporter(reflector_config(f"{AGENT[4]}/32", **keys("far", far_key)), fan.network.ns("dst")) as far, \
            Exporter(sender_config(DESTINATION[4], **keys("near", near_key)), fan.network.ns("agent")) as near:
        eventually(lambda: one(near, "ecmp_reflector_up") == 0, 60, lambda: near.metrics().text)
        eventually(lambda: refused_by(far).get(reason, 0) > 10, 60, lambda: refused_by(far))
        assert set(refused_by(far)) == {reason} and not one(far, "ecmp_exporter_reflected_total")
        line = eventually(lambda: [line for line in far.read_log().splitlines() if "a request was refused" in line], 10, far.read_log)
        assert len(line) == 1 and reason in line[0] and AGENT[4] in line[0] and "key" in line[0], line
        line = eventually(lambda: [line for line in near.read_log().splitlines() if "does not answer" in line], 10, near.read_log)
        assert len(line) == 1 and "key" in line[0], line
