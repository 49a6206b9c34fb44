"""Name servers that fail, keep quiet or tell another address, while their names are traced: what is known stays, nothing of
it is told as the network's loss, and it is asked again."""
import json
import socket
import struct
import threading

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from netns import entered

FLOWS = 4
MOVED, BACK = "10.78.0.5", "10.78.0.6"  # the lab's destination has all of 10.78.0.0/16
SERVFAIL, NXDOMAIN = 2, 3
SILENT = "silent"
RETRY = 15  # seconds after a failure, docs/faults.md
NAMES = ("stays", "fails", "is-gone", "is-quiet", "moves")


class NameServer:
    """On port 53 of the namespace's own loopback: {name: an address, a response code, or SILENT}"""

    def __init__(self, namespace, zone):
        self.zone = zone
        with entered(namespace):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                query, sender = self.socket.recvfrom(2048)
            except OSError:
                return
            end = 12
            while query[end]:
                end += query[end] + 1
            question = query[12:end + 5]
            answer = self.zone.get(question[1:1 + question[0]].decode(), NXDOMAIN)
            if answer == SILENT:
                continue
            found = isinstance(answer, str)
            record = b"\xc0\x0c\x00\x01\x00\x01" + struct.pack("!IH", 300, 4) + socket.inet_aton(answer) if found else b""
            head = query[:2] + b"\x81" + bytes([0x80 | (0 if found else answer)]) + struct.pack("!HHHH", 1, int(found), 0, 0)
            self.socket.sendto(head + question + record, sender)

    def close(self):
        self.socket.close()


def addresses(exporter):
    return exporter.metrics().values("ecmp_destination_info", ("destination", "address"))


def traced_at(exporter):
    return {name: address for name, address in addresses(exporter)}


def probes(exporter):
    return exporter.metrics().values("ecmp_flow_probes_total", "destination")


def nothing_is_told_of_the_network(exporter):
    metrics = exporter.metrics()
    assert metrics.values("ecmp_destination_up", "destination") == dict.fromkeys(NAMES, 1)
    assert metrics.values("ecmp_flow_probes_total", "destination") == metrics.values("ecmp_flow_replies_total", "destination")
    assert [json.loads(line) for line in exporter.get("/events").text.splitlines()] == []


def goes_on(exporter):
    before = probes(exporter)
    eventually(lambda: all(count > before[name] + FLOWS for name, count in probes(exporter).items()), 10, before)


def test_names_that_cannot_be_resolved_or_move(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    # Its own mount namespace: the machine's resolv.conf stays as it is.
    prefix = ["unshare", "--mount", "sh", "-c", f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh"]
    destinations = [{"name": name, "host": f"{name}.test", "family": "ipv4", "flows": FLOWS, "source_port": 50000 + 10 * i}
                    for i, name in enumerate(NAMES)]
    text = config(destinations).replace("[dns]\n", '[dns]\nrefresh = "1s"\n')
    home = DESTINATION[4]
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        server = NameServer(namespace, dict.fromkeys(NAMES, home))
        try:
            with Exporter(text, namespace, command_prefix=prefix) as exporter:
                eventually(lambda: traced_at(exporter) == dict.fromkeys(NAMES, home), 10, exporter.read_log)
                eventually(lambda: len(probes(exporter)) == len(NAMES), 10, exporter.read_log)
                goes_on(exporter)
                nothing_is_told_of_the_network(exporter)
                assert exporter.metrics().total("ecmp_exporter_dns_errors_total") == 0

                server.zone = {"stays": home, "fails": SERVFAIL, "is-gone": NXDOMAIN, "is-quiet": SILENT, "moves": MOVED}
                # The resolver waits 2 and then 4 s for who keeps quiet.
                eventually(lambda: exporter.metrics().total("ecmp_exporter_dns_errors_total") >= 3, 20, exporter.read_log)
                assert traced_at(exporter) == {**dict.fromkeys(NAMES, home), "moves": MOVED}
                goes_on(exporter)
                nothing_is_told_of_the_network(exporter)
                for name in ("fails", "is-gone", "is-quiet"):
                    assert exporter.read_log().count(f"cannot resolve {name}.test") == 1, exporter.read_log()

                server.zone = dict.fromkeys(NAMES, BACK)
                eventually(lambda: traced_at(exporter) == dict.fromkeys(NAMES, BACK), RETRY + 5, exporter.read_log)
                # Nobody is traced twice: the series of the addresses before are gone.
                assert len(addresses(exporter)) == len(NAMES)
                goes_on(exporter)
                nothing_is_told_of_the_network(exporter)
        finally:
            server.close()
