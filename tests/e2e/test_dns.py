"""Name servers that fail, keep quiet or tell another address, while their names are traced: what is known stays, nothing of
it is told as the network's loss, and it is asked again."""
import http.server
import json
import socket
import ssl
import struct
import threading

from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from netns import entered, run

FLOWS = 4
MOVED, BACK = "10.78.0.5", "10.78.0.6"  # the lab's destination has all of 10.78.0.0/16
SERVFAIL, NXDOMAIN = 2, 3
SILENT = "silent"
RETRY = 15  # seconds after a failure, docs/faults.md
NAMES = ("stays", "fails", "is-gone", "is-quiet", "moves")


class NameServer:
    """On port 53 of the namespace's own loopback: {name: an address, several, a response code, or SILENT}"""

    def __init__(self, namespace, zone, address="127.0.0.1"):
        self.zone = zone
        with entered(namespace):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
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
            code = answer if isinstance(answer, int) else 0
            found = [] if code else [answer] if isinstance(answer, str) else answer
            if question[-4:-2] != b"\x00\x01":
                found = []  # of another type than A
            records = [b"\xc0\x0c\x00\x01\x00\x01" + struct.pack("!IH", 300, 4) + socket.inet_aton(one) for one in found]
            head = query[:2] + b"\x81" + bytes([0x80 | code]) + struct.pack("!HHHH", 1, len(found), 0, 0)
            self.socket.sendto(head + question + b"".join(records), sender)

    def close(self):
        self.socket.close()


def with_resolv_conf(directory, text):
    """A command in front of another that has a resolv.conf of its own, which may be written to."""
    (directory / "resolv.conf").write_text(text)
    # Its own mount namespace: the machine's resolv.conf stays as it is.
    return ["unshare", "--mount", "sh", "-c", f"mount --bind {directory}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh"]


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
    prefix = with_resolv_conf(tmp_path, "nameserver 127.0.0.1\n")
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


def test_name_servers_that_come_later_and_change(tmp_path):
    """A host that boots before it has a lease, and one that goes to another network."""
    prefix = with_resolv_conf(tmp_path, "# nothing yet\n")
    destination = {"name": "late", "host": "late.test", "family": "ipv4", "flows": FLOWS}
    text = config([destination]).replace("[dns]\n", '[dns]\nrefresh = "1s"\n')
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        with Exporter(text, namespace, command_prefix=prefix) as exporter:
            eventually(lambda: "cannot resolve late.test" in exporter.read_log(), 15, exporter.read_log)
            first = NameServer(namespace, {"late": DESTINATION[4]}, "127.0.0.2")
            try:
                (tmp_path / "resolv.conf").write_text("nameserver fe80::1%eth0\nnameserver 127.0.0.2\n")
                # At once: it is not waited for the next try after a failure.
                eventually(lambda: traced_at(exporter) == {"late": DESTINATION[4]}, 4, exporter.read_log)
                eventually(lambda: "name server fe80::1%eth0" in exporter.read_log(), 4, exporter.read_log)
            finally:
                first.close()
            second = NameServer(namespace, {"late": MOVED}, "127.0.0.3")
            try:
                (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.3\n")
                eventually(lambda: traced_at(exporter) == {"late": MOVED}, 4, exporter.read_log)
            finally:
                second.close()


class Quiet(dict):
    """Names that begin with "dead" are never answered for."""

    def get(self, name, default=None):
        return SILENT if name.startswith("dead") else super().get(name, default)


def test_hundreds_of_names_that_nobody_answers_for_delay_no_other(tmp_path):
    prefix = with_resolv_conf(tmp_path, "nameserver 127.0.0.1\n")
    many = [{"name": f"dead{i}", "host": f"dead{i}.test", "family": "ipv4", "flows": 1} for i in range(600)]
    good = {"name": "good", "host": "good.test", "family": "ipv4", "flows": FLOWS, "source_port": 40000}
    text = config([*many, good]) + f"""
[modules.quick]
flows = 2
rounds = 2
interval = "200ms"
source_port = 30000
family = "ipv4"
[one_off]
allowed_networks = ["{DESTINATION[4]}/32"]
"""
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        server = NameServer(namespace, Quiet(good=DESTINATION[4], asked=DESTINATION[4]))
        try:
            with Exporter(text, namespace, command_prefix=prefix, ready_seconds=0) as exporter:
                def told():
                    try:
                        return traced_at(exporter).get("good") == DESTINATION[4]
                    except OSError:
                        return False
                # Two turns of 500 names a second, and the start.
                eventually(told, 5, exporter.read_log)
                answer = exporter.get("/probe?module=quick&destination=asked.test")
                assert answer.status == 200 and "ecmp_probe_success 1" in answer.text
        finally:
            server.close()


class Targets(http.server.BaseHTTPRequestHandler):
    """One destination, as http_sd has it."""

    def do_GET(self):
        body = json.dumps([{"targets": [DESTINATION[4]]}]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_server_of_destinations_whose_first_address_speaks_no_tls(tmp_path):
    """It takes the connection and keeps quiet, as a port of something else does."""
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sd.test", "-addext",
         "subjectAltName=DNS:sd.test", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"])
    prefix = ["env", f"SSL_CERT_FILE={tmp_path / 'crt'}", *with_resolv_conf(tmp_path, "nameserver 127.0.0.1\n")]
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        with entered(namespace):
            server = http.server.ThreadingHTTPServer(("127.0.0.3", 0), Targets)
            silent = socket.create_server(("127.0.0.2", server.server_address[1]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = NameServer(namespace, {"sd": ["127.0.0.2", "127.0.0.3"]})
        try:
            text = config([]) + f'\n[discovery]\nhttp = ["https://sd.test:{server.server_address[1]}/"]\ntimeout = "6s"\n'
            with Exporter(text, namespace, command_prefix=prefix) as exporter:
                eventually(lambda: traced_at(exporter) == {DESTINATION[4]: DESTINATION[4]}, 30, exporter.read_log)
        finally:
            names.close()
            silent.close()
            server.shutdown()
            server.server_close()


def test_a_server_of_destinations_is_reached_by_whichever_of_its_addresses_answers(tmp_path):
    """http_sd: the first address keeps quiet, the second one refuses."""
    prefix = with_resolv_conf(tmp_path, "nameserver 127.0.0.1\n")
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        shown = run(["ip", "-n", namespace, "-json", "-4", "address", "show", "scope", "global"])
        own = next(one["local"] for link in json.loads(shown) for one in link.get("addr_info", []) if "local" in one)
        silent, refusing = "10.78.0.88", "10.78.0.77"
        run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], "table ip quiet {\n chain out {\n"
            f"  type filter hook output priority 0;\n  ip daddr {silent} tcp flags syn drop\n }}\n}}\n")
        with entered(namespace):
            server = http.server.ThreadingHTTPServer((own, 0), Targets)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = NameServer(namespace, {"sd": [silent, refusing, own]})
        try:
            text = config([]) + f'\n[discovery]\nhttp = ["http://sd.test:{server.server_address[1]}/"]\ntimeout = "3s"\n'
            with Exporter(text, namespace, command_prefix=prefix) as exporter:
                eventually(lambda: traced_at(exporter) == {DESTINATION[4]: DESTINATION[4]}, 6, exporter.read_log)
                up = exporter.metrics().values("ecmp_exporter_discovery_source_up", "source")
                assert list(up.values()) == [1]
        finally:
            names.close()
            server.shutdown()
            server.server_close()
