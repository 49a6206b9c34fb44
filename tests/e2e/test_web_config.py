"""Who is let in, and how: TLS, client certificates, passwords."""
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse

import pytest

from exporter import BINARY, eventually, free_port
from web_exporter import CONFIG, Web, authority, bcrypt, certificate, openssl

PASSWORD = "correct horse: battery"
EVERYTHING = """
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
basic_auth_users:
  alice: {hash}
"""


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """Certificates, to be copied."""
    directory = tmp_path_factory.mktemp("issued")
    authority(directory, "ca")
    authority(directory, "other-ca")
    certificate(directory, "server", "ca", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    certificate(directory, "renewed", "ca", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    certificate(directory, "client", "ca", "DNS:scraper.example,IP:2001:db8::7", "clientAuth")
    certificate(directory, "second", "ca", "DNS:other.example", "clientAuth")
    certificate(directory, "stranger", "other-ca", "DNS:scraper.example", "clientAuth")
    return directory


@pytest.fixture
def files(issued, tmp_path):
    for path in issued.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def client(name):
    return ["--cert", f"{name}.pem", "--key", f"{name}.key"]


GOOD_USER = ["--user", f"alice:{PASSWORD}"]


# --- who is let in -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(issued, tmp_path_factory):
    directory = tmp_path_factory.mktemp("guarded")
    for path in issued.iterdir():
        shutil.copy(path, directory)
    with Web(directory, EVERYTHING.format(hash=bcrypt(PASSWORD))) as running:
        yield running


def test_certificate_and_password_are_let_in(guarded):
    assert guarded.status(*client("client"), *GOOD_USER) == 200
    status, _, body = guarded.curl(*client("client"), *GOOD_USER, path="/metrics")
    assert status == 200 and "ecmp_exporter_build_info" in body


@pytest.mark.parametrize("arguments", [[], client("stranger")], ids=["none", "of another authority"])
def test_without_a_good_client_certificate_there_is_no_answer(guarded, arguments):
    status, code, output = guarded.curl(*arguments, *GOOD_USER)
    assert status == 0 and code in (35, 55, 56), output  # TLS handshake, or (TLS 1.3) the first read or write after it


def test_a_certificate_for_servers_is_none_of_a_client(guarded):
    assert guarded.status(*client("server"), *GOOD_USER) == 0


@pytest.mark.parametrize("user", ["alice:wrong", "alice:", "bob:" + PASSWORD, ":", "alice:" + PASSWORD + "x"])
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(guarded, user):
    status, _, body = guarded.curl(*client("client"), "--include", "--user", user)
    assert status == 401
    assert re.search(r"^www-authenticate: Basic realm=", body, re.I | re.M) and body.rstrip().endswith("unauthorized")


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!!!", "Bearer abc", "Basic " + "QQ==" * 500, "Digest x"])
def test_other_credentials_are_refused(guarded, value):
    assert guarded.status(*client("client"), "--header", "Authorization: " + value) == 401
    assert guarded.status(*client("client")) == 401


def test_every_path_asks_for_the_password(guarded):
    for path in ("/", "/metrics", "/paths", "/-/ready", "/nothing-here"):
        assert guarded.status(*client("client"), path=path) == 401


def test_who_speaks_http_is_told(guarded):
    status, _, body = guarded.curl(scheme="http")
    assert status == 400 and "https://" in body


def test_a_client_that_does_not_trust_us_does_no_harm(guarded):
    assert guarded.curl("--cacert", "other-ca.pem", *client("client"), *GOOD_USER)[1] == 60
    assert guarded.status(*client("client"), *GOOD_USER) == 200


def test_failed_handshakes_are_counted(guarded):
    def count():
        body = guarded.curl(*client("client"), *GOOD_USER, path="/metrics")[2]
        return float(re.search(r'connections_refused_total\{reason="tls"\} (\S+)', body).group(1))

    before = count()
    assert guarded.status(*client("stranger"), *GOOD_USER) == 0
    eventually(lambda: count() > before, 10, "the count goes up")  # scrapes within a moment share one body


# --- a slow client costs its own connection and nothing else -------------------------------------------------------------


def client_hello(length=None):
    """The first bytes of a handshake, as Python's TLS sends them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    greeting = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        greeting.do_handshake()
    return outgoing.read()[:length]


@pytest.mark.parametrize("first", [b"", b"\x16", None], ids=["silent", "a byte", "half a handshake"])
def test_slow_handshakes_keep_nobody_out(guarded, first):
    slow = []
    try:
        for _ in range(60):
            slow.append(socket.create_connection(("127.0.0.1", guarded.port), timeout=20))
            slow[-1].sendall(client_hello() if first is None else first)
        begin = time.monotonic()
        assert guarded.status(*client("client"), *GOOD_USER) == 200
        assert time.monotonic() - begin < 4  # the slow ones have 5 s
        # And then they are closed: the last thing that each reads is the end.
        for connection in slow:
            while connection.recv(65536):
                pass
    except ConnectionResetError:
        pass
    finally:
        for connection in slow:
            connection.close()


def test_a_trickled_handshake_ends_at_its_deadline(guarded):
    hello = client_hello()
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as connection:
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in hello:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.2)
                with contextlib.suppress(socket.timeout):
                    if connection.recv(1) == b"":
                        break
        assert 3 < time.monotonic() - begin < 9


def test_a_handshake_without_end_is_broken_off(guarded):
    # A ClientHello that says it has 128 KiB; 100 of them come, in records of 16 KiB.
    hello = b"\x01" + (128 << 10).to_bytes(3, "big") + b"\x03\x03" + bytes(100 << 10)
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(hello), 1 << 14):
                part = hello[at:at + (1 << 14)]
                connection.sendall(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part)
            while connection.recv(4096):
                pass
    assert time.monotonic() - begin < 4  # not the deadline of 5 s, but the budget
    assert guarded.status(*client("client"), *GOOD_USER) == 200


def test_wrong_passwords_do_not_hold_up_who_is_known(files):
    text = f"basic_auth_users:\n  alice: {bcrypt(PASSWORD, 5)}\n  slow: {bcrypt('x', 13)}\n"
    with Web(files, text) as running:
        assert running.status(*GOOD_USER, scheme="http") == 200
        begin = time.monotonic()
        assert running.status("--user", "slow:guess", scheme="http") == 401
        turn = time.monotonic() - begin  # what one hash takes on this machine, as busy as it is
        guessing = [subprocess.Popen(
            ["curl", "--silent", "--output", "/dev/null", "--max-time", "30", "--noproxy", "*", "--user", f"slow:guess{i}",
             f"http://127.0.0.1:{running.port}/-/healthy"]) for i in range(8)]
        try:
            begin = time.monotonic()
            assert running.status(*GOOD_USER, scheme="http") == 200  # remembered: no turn needed
            assert any(one.poll() is None for one in guessing), "the others were not at work"
            assert time.monotonic() - begin < 2 + 2 * turn
            code, seconds = running.stop(seconds=60)
            assert code == 0 and seconds < 2 + 4 * turn  # one that is under way ends, the other seven never begin
        finally:
            for one in guessing:
                one.kill()
                one.wait()


# --- settings ------------------------------------------------------------------------------------------------------------


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def test_versions(files):
    old = ["--ciphers", "DEFAULT@SECLEVEL=0"]
    with Web(files, TLS) as running:
        assert running.status("--tlsv1.2", "--tls-max", "1.2") == 200
        assert running.status("--tlsv1.3") == 200
        assert running.status("--tlsv1.1", "--tls-max", "1.1", *old) == 0
    with Web(files, TLS + "  min_version: TLS13\n") as running:
        assert running.status("--tlsv1.3") == 200
        assert running.status("--tlsv1.2", "--tls-max", "1.2") == 0
    with Web(files, TLS + "  min_version: TLS10\n  max_version: TLS12\n") as running:
        assert running.status("--tlsv1.1", "--tls-max", "1.1", *old) == 200
        assert running.status("--tlsv1.3") == 0


def test_cipher_suites_and_curves(files):
    text = TLS + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n" \
                 "  curve_preferences: [CurveP384]\n"
    with Web(files, text) as running:
        assert running.status("--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384") == 200
        assert running.status("--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256") == 0
        assert running.status("--curves", "P-384:P-256") == 200  # P-256 for the certificate's own key
        assert running.status("--curves", "X25519:P-256") == 0


@pytest.mark.parametrize("policy,none,stranger,known", [
    ("NoClientCert", 200, 200, 200), ("RequestClientCert", 200, 200, 200), ("RequireAnyClientCert", 0, 200, 200),
    ("VerifyClientCertIfGiven", 200, 0, 200), ("RequireAndVerifyClientCert", 0, 0, 200)])
def test_client_auth_types(files, policy, none, stranger, known):
    authority_file = "" if policy == "NoClientCert" else "  client_ca_file: ca.pem\n"
    with Web(files, TLS + f"  client_auth_type: {policy}\n" + authority_file) as running:
        assert [running.status(), running.status(*client("stranger")), running.status(*client("client"))] \
            == [none, stranger, known]


@pytest.mark.parametrize("name", ["scraper.example", "2001:DB8:0::7"])
def test_only_allowed_names(files, name):
    text = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n" \
        f"  client_allowed_sans: ['nobody.example', '{name}']\n"
    with Web(files, text) as running:
        assert running.status(*client("client")) == 200
        assert running.status(*client("second")) == 0


def test_headers(files):
    text = TLS + "http_server_config:\n  http2: true\n  headers:\n    Strict-Transport-Security: max-age=3600\n" \
                 "    X-Frame-Options: deny\n    X-XSS-Protection: 0\n    X-Content-Type-Options: nosniff\n"
    with Web(files, text) as running:
        lines = running.curl("--include", "--http1.1")[2].lower().splitlines()
        for wanted in ("strict-transport-security: max-age=3600", "x-frame-options: deny", "x-xss-protection: 0",
                       "x-content-type-options: nosniff"):
            assert lines.count(wanted) == 1, lines
        assert "http2" in running.read_log()
        assert running.status("--http2") == 200  # agrees on HTTP/1.1


def test_rate_limit(files):
    with Web(files, "rate_limit: {interval: 1h, burst: 3}\n") as running:
        assert [running.status(scheme="http") for _ in range(5)] == [200, 200, 200, 429, 429]
        assert re.search(r"^retry-after: 3[56]\d\d", running.curl("--include", scheme="http")[2], re.I | re.M)


# --- what changes on disk ------------------------------------------------------------------------------------------------


def served_certificate(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, \
            context.wrap_socket(connection) as talk:
        return talk.getpeercert(binary_form=True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_a_replaced_certificate_is_served(files):
    with Web(files, TLS) as running:
        assert served_certificate(running.port) == der(files / "server.pem")
        # Not at once: between the two the pair does not fit, and the old one stays.
        os.replace(files / "renewed.pem", files / "server.pem")
        renewed = der(files / "server.pem")
        eventually(lambda: served_certificate(running.port) and "the key is not that" in running.read_log(), 10,
                   lambda: running.read_log())
        assert served_certificate(running.port) != renewed
        os.replace(files / "renewed.key", files / "server.key")
        eventually(lambda: served_certificate(running.port) == renewed, 10, lambda: running.read_log())
        assert running.status() == 200


def test_a_broken_file_keeps_the_last_good_one(files):
    good = TLS + f"basic_auth_users:\n  alice: {bcrypt(PASSWORD)}\n"
    with Web(files, good) as running:
        assert running.status(*GOOD_USER) == 200
        running.rewrite(good + "colour: red\n")
        eventually(lambda: running.status(*GOOD_USER) and "colour" in running.read_log(), 10, lambda: running.read_log())
        for _ in range(3):
            assert running.status(*GOOD_USER) == 200 and running.status() == 401
        eventually(lambda: time.time() - running.web_path.stat().st_mtime > 2.5 or running.status(*GOOD_USER) != 200, 10,
                   "two more looks at the file")
        lines = [line for line in running.read_log().splitlines() if "colour" in line]
        assert len(lines) == 1 and f"{running.web_path}:6:1: " in lines[0] and "level=error" in lines[0], lines
        running.web_path.unlink()
        eventually(lambda: running.status(*GOOD_USER) == 200 and "No such file" in running.read_log(), 10,
                   lambda: running.read_log())
        running.rewrite(good.replace("alice", "carol"))
        eventually(lambda: running.status(*GOOD_USER) == 401, 10, lambda: running.read_log())
        assert running.status("--user", f"carol:{PASSWORD}") == 200


USERS = "basic_auth_users:\n  alice: {hash}\n"


@pytest.mark.parametrize("cut,gone", [
    ("", "tls_server_config is gone"),
    (USERS, "tls_server_config is gone"),
    (TLS, "basic_auth_users is gone"),
    (TLS + USERS, "client_auth_type asks for less"),
    (TLS + "  client_auth_type: RequireAnyClientCert\n" + USERS, "client_auth_type asks for less"),
    (TLS + "  client_auth_type: RequireAndVerifyClientCert\n" + USERS, "client_ca_file is gone"),
], ids=["empty", "no TLS", "no users", "no client certificates", "not verified", "any authority"])
def test_a_file_that_was_cut_short_opens_nothing(files, cut, gone):
    """A file on a full disk, or one that is written in place, is for a moment a good file with less in it."""
    with Web(files, EVERYTHING.format(hash=bcrypt(PASSWORD))) as running:
        def let_in():
            return running.status(*client("client"), *GOOD_USER)

        def current():
            return running.curl(*client("client"), *GOOD_USER, path="/metrics?name[]=ecmp_exporter_web_config_current")[2]

        assert let_in() == 200 and "ecmp_exporter_web_config_current 1" in current()
        running.rewrite(cut.format(hash=bcrypt(PASSWORD)))
        eventually(lambda: let_in() == 200 and gone in running.read_log(), 10, lambda: running.read_log())
        assert running.status(*client("client")) == 401
        assert running.status(*GOOD_USER) == 0 and running.status(*client("stranger"), *GOOD_USER) == 0
        assert running.status(scheme="http") == 400
        assert "ecmp_exporter_web_config_current 0" in current()
        running.rewrite(EVERYTHING.format(hash=bcrypt("another")))
        eventually(lambda: let_in() == 401, 10, lambda: running.read_log())
        good = running.curl(*client("client"), "--user", "alice:another",
                            path="/metrics?name[]=ecmp_exporter_web_config_current")
        assert good[0] == 200 and "ecmp_exporter_web_config_current 1" in good[2]


def test_an_intermediate_authority_is_trusted_for_itself(files):
    """Go trusts each certificate of client_ca_file, with or without the root above it; so does exporter-toolkit."""
    openssl(files, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=between",
            "-keyout", "between.key", "-out", "between.csr")
    (files / "between.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    openssl(files, "x509", "-req", "-in", "between.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "between.ext", "-out", "between.pem")
    certificate(files, "below", "between", "DNS:below.example", "clientAuth")
    text = EVERYTHING.format(hash=bcrypt(PASSWORD)).replace("client_ca_file: ca.pem", "client_ca_file: between.pem")
    with Web(files, text) as running:
        assert running.status(*client("below"), *GOOD_USER) == 200
        assert running.status(*client("client"), *GOOD_USER) == 0


def test_a_removed_user_is_out_on_the_next_request_of_a_connection(files):
    text = f"basic_auth_users:\n  alice: {bcrypt(PASSWORD)}\n  bob: {bcrypt('b')}\n"
    with Web(files, text) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        headers = {"Authorization": "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()}

        def ask():
            connection.request("GET", "/-/healthy", headers=headers)
            response = connection.getresponse()
            response.read()
            return response.status

        assert ask() == 200
        running.rewrite(text.replace("alice", "nobody"))
        eventually(lambda: ask() == 401, 10, lambda: running.read_log())
        connection.close()


def test_what_is_wrong_ends_the_start_and_the_check(files):
    exporter_config = files / "exporter.toml"
    exporter_config.write_text('[web]\nconfig_file = "web.yml"\nlisten_addresses = ["127.0.0.1:0"]\n' + CONFIG)
    (files / "web.yml").write_text(TLS.replace("server.key", "client.key"))
    for arguments in ([], ["--config.check"]):
        done = subprocess.run([BINARY, f"--config.file={exporter_config}", *arguments], capture_output=True, text=True,
                              timeout=20, stdin=subprocess.DEVNULL)
        assert done.returncode == 1
        assert re.search(rf"{re.escape(str(files))}/web.yml:3:13: key_file: \S+/client.key: the key is not that of",
                         done.stderr), done.stderr
    (files / "good.yml").write_text(TLS)
    done = subprocess.run([BINARY, f"--config.file={exporter_config}", "--config.check",
                           f"--web.config.file={files}/good.yml"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")  # the command line wins


# --- a real Prometheus ---------------------------------------------------------------------------------------------------


def test_prometheus_scrapes_over_tls_with_a_certificate_and_a_password(guarded, tmp_path):
    port = free_port()
    directory = guarded.web_directory
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
        f"- job_name: good\n  scheme: https\n  static_configs: [{{targets: ['localhost:{guarded.port}']}}]\n"
        f"  basic_auth: {{username: alice, password: '{PASSWORD}'}}\n"
        f"  tls_config: {{ca_file: {directory}/ca.pem, cert_file: {directory}/client.pem, key_file: {directory}/client.key}}\n"
        f"- job_name: no-password\n  scheme: https\n  static_configs: [{{targets: ['localhost:{guarded.port}']}}]\n"
        f"  tls_config: {{ca_file: {directory}/ca.pem, cert_file: {directory}/client.pem, key_file: {directory}/client.key}}\n"
        f"- job_name: no-certificate\n  scheme: https\n  static_configs: [{{targets: ['localhost:{guarded.port}']}}]\n"
        f"  basic_auth: {{username: alice, password: '{PASSWORD}'}}\n  tls_config: {{ca_file: {directory}/ca.pem}}\n")
    prometheus = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=open(tmp_path / "log", "w"))

    def up():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": "up"}))
            answer = json.loads(connection.getresponse().read())
        except (OSError, ValueError):
            return {}
        finally:
            connection.close()
        return {series["metric"]["job"]: series["value"][1] for series in answer["data"]["result"]}

    try:
        eventually(lambda: up() == {"good": "1", "no-password": "0", "no-certificate": "0"}, 40,
                   lambda: f"{up()}\n" + (tmp_path / "log").read_text())
    finally:
        prometheus.terminate()
        prometheus.wait(20)
