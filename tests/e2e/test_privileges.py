"""What the exporter runs with: everything is given up once its sockets are open, and it still does all it has to. The other
files here run it under the same filter, which ends it at the first system call that it should not make."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from exporter import BINARY, Exporter, config, eventually, now
from lab import DESTINATION, Fan
from mmdb import database, maxmind_city

FLOWS = 4
NOTHING = "0000000000000000"
NOBODY = 65534
# What packaging/systemd/ecmp_exporter.service gives the process, as far as it can be had without systemd.
AS_UNIT = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_raw",
           "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", "--no-new-privs"]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=2) as made:
        yield made


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    """A copy where any user can run it: the build directory may be closed to others."""
    directory = tmp_path_factory.mktemp("bin")
    for parent in (directory, *directory.parents):
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    return shutil.copy(BINARY, directory / "ecmp_exporter")


def destinations(*more):
    return [{"name": f"v{family}", "host": DESTINATION[family], "flows": FLOWS} for family in (4, 6)] + list(more)


def threads(process):
    """{field: values over all threads} of /proc/PID/task/*/status"""
    found = {}
    for task in os.listdir(f"/proc/{process.pid}/task"):
        # Threads of connections come and go.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{process.pid}/task/{task}/status") as status:
            for line in status:
                key, _, value = line.partition(":")
                found.setdefault(key, set()).add(value.strip())
    return found


def facts(exporter):
    (sample,) = exporter.metrics().families["ecmp_exporter_privileges_info"]
    return sample[0]


def filtered(exporter):
    """Whether this build has a filter at all: one with a sanitizer has not."""
    return facts(exporter)["seccomp"] == "filter"


def all_reach(exporter, count, since=None):
    def reached():
        lines = exporter.paths(**({"since": since} if since else {}))
        return len({(x["destination"], x["source_port"]) for x in lines if x["reached_dest"]}) == count
    eventually(reached, 15, lambda: f"{count} flows reach: {exporter.paths()}\n{exporter.read_log()}")


@pytest.mark.parametrize("launched", ["root", "unit", "user"])
def test_nothing_is_kept(fan, binary, launched):
    prefix = AS_UNIT if launched == "unit" else ()
    arguments = ["--user=nobody"] if launched == "user" else []
    with Exporter(config(destinations()), fan.network.ns("agent"), command_prefix=prefix, arguments=arguments,
                  binary=binary) as running:
        all_reach(running, 2 * FLOWS)
        have = threads(running.process)
        assert len(os.listdir(f"/proc/{running.process.pid}/task")) > 1
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert have[field] == {NOTHING}, f"{field}: {have[field]}"
        # Without CAP_SETPCAP the bounding set stays what it was: with no_new_privs nothing comes of it.
        assert have["CapBnd"] == ({"0000000000002000"} if launched == "unit" else {NOTHING})
        assert have["NoNewPrivs"] == {"1"}
        told = facts(running)
        assert told["capabilities"] == "none" and told["no_new_privs"] == "1"
        assert told["user"] == ("root" if launched == "root" else "nobody")
        uid = "0" if launched == "root" else "65534"
        assert have["Uid"] == {"\t".join([uid] * 4)}
        if filtered(running):
            assert have["Seccomp"] == {"2"}
        assert re.search(rf'msg="privileges" user={told["user"]} capabilities=none', running.read_log())
        assert running.stop()[0] == 0


def everything(directory):
    """Every optional feature that has a thread or a file of its own."""
    origins = os.path.join(directory, "origins.txt")
    with open(origins, "w") as file:
        file.write("203.0.113.0\t24\t64500\n")
    cities = os.path.join(directory, "cities.mmdb")
    with open(cities, "wb") as file:
        file.write(database({"203.0.113.0/24": maxmind_city("Paris", "FR")}))
    more = os.path.join(directory, "more.toml")
    with open(more, "w") as file:
        file.write("")
    os.mkdir(os.path.join(directory, "history"))
    for path in (directory, origins, cities, more, os.path.join(directory, "history")):
        os.chmod(path, 0o777)
    text = config(destinations()).replace("[dns]\nnames = false\n", f'[dns]\nnames = true\nasn_database = "{origins}"\ncity_database = "{cities}"\n')
    return text + f'''
[history]
directory = "{os.path.join(directory, "history")}"
[discovery]
files = ["{more}"]
http = ["http://127.0.0.1:9/targets"]
[localisation]
enabled = true
[reflector]
listen_addresses = ["127.0.0.1:20862"]
allow = ["127.0.0.0/8"]
[mesh]
peers = ["127.0.0.2", "localhost"]
port = 20863
[modules.edge]
flows = 2
[one_off]
allowed_networks = ["0.0.0.0/0"]
'''


@pytest.mark.parametrize("launched", ["root", "unit", "user"])
def test_no_feature_begins_a_thread_that_keeps_anything(fan, binary, launched):
    directory = tempfile.mkdtemp(prefix="ecmp-everything-")
    os.chmod(directory, 0o755)
    try:
        with Exporter(everything(directory), fan.network.ns("agent"), command_prefix=AS_UNIT if launched == "unit" else (),
                      arguments=[f"--web.listen-address=unix:{directory}/web.sock",
                                 *(["--user=nobody"] if launched == "user" else [])], binary=binary) as running:
            eventually(lambda: {x["destination"] for x in running.paths() if x["reached_dest"]} >= {"v4", "v6"}, 15,
                       running.read_log)
            # The loop, the log, HTTP, localisation, roll-ups, the disk, configurations, the server of discovery, two
            # databases, the reflector, names.
            eventually(lambda: len(os.listdir(f"/proc/{running.process.pid}/task")) >= 12, 15, "threads of all features")
            have = threads(running.process)
            for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert have[field] == {NOTHING}, f"{field}: {have[field]}"
            assert have["NoNewPrivs"] == {"1"}
            assert facts(running)["capabilities"] == "none"
            assert running.stop()[0] == 0
    finally:
        shutil.rmtree(directory)


def test_what_comes_later_works_without_privileges(fan, binary):
    """Another interface, another destination of another family and protocol, a reload, a name."""
    network = fan.network
    with Exporter(config([destinations()[0]]), network.ns("agent"), command_prefix=AS_UNIT, binary=binary) as running:
        all_reach(running, FLOWS)
        network.batch("agent", [f"link add later type veth peer name later netns {network.ns('dst')}"])
        network.batch("agent", ["addr add 10.66.0.2/24 dev later", "link set later up"])
        network.batch("dst", ["addr add 10.66.0.1/24 dev later", "link set later up"])
        with open(running.config_path, "w") as file:
            file.write(config(destinations({"name": "later", "host": "10.66.0.1", "flows": 2, "protocol": "tcp", "port": 9},
                                           {"name": "named", "host": "localhost", "family": "ipv4", "flows": 2,
                                            "source_port": 50100})))
        since = now()
        assert running.request("POST", "/-/reload").status == 200, running.read_log()
        all_reach(running, 2 * FLOWS + 4, since)
        os.kill(running.process.pid, signal.SIGHUP)
        eventually(lambda: running.read_log().count("configuration reloaded") >= 2, 5, running.read_log)
        assert running.stop()[0] == 0
        network.batch("agent", ["link del later"])


@pytest.fixture()
def history():
    with tempfile.TemporaryDirectory(prefix="ecmp-history-") as made:
        os.chmod(made, 0o755)
        yield os.path.join(made, "history")


def with_history(directory):
    return config(destinations()) + f'\n[history]\ndirectory = "{directory}"\n'


def owner(path):
    return os.stat(path).st_uid


def written(exporter):
    return exporter.metrics().families["ecmp_exporter_history_disk_writable"][0][1] == 1


def test_the_history_is_kept_by_the_user_that_it_becomes(fan, binary, history):
    os.mkdir(history, 0o750)
    os.chown(history, NOBODY, NOBODY)
    begin, before = now(), None
    for _ in range(2):
        with Exporter(with_history(history), fan.network.ns("agent"), arguments=["--user=nobody"], binary=binary) as running:
            all_reach(running, 2 * FLOWS)
            files = eventually(lambda: [f for f in os.listdir(history) if f.startswith("rounds-")], 10, running.read_log)
            # Opened as root is only what was there before; what is made then is the user's.
            assert owner(os.path.join(history, files[0])) == NOBODY
            if before is not None:
                assert set(map(json.dumps, running.paths(since=begin))) >= before
            for reload in (lambda: running.request("POST", "/-/reload"),
                           lambda: os.kill(running.process.pid, signal.SIGHUP)):
                count = running.read_log().count("configuration reloaded")
                reload()
                eventually(lambda: running.read_log().count("configuration reloaded") > count, 5, running.read_log)
            all_reach(running, 2 * FLOWS, now())
            assert written(running) and " level=error " not in running.read_log()
            before = set(map(json.dumps, running.paths(since=begin)))
            assert running.stop()[0] == 0, running.read_log()


@pytest.mark.parametrize("launched", ["user", "root"])
def test_a_history_that_cannot_be_written_after_the_drop_is_told_once(fan, binary, history, launched):
    """As root without --user: a directory of somebody else's takes a capability that is gone."""
    mine, others, arguments = (NOBODY, 0, ["--user=nobody"]) if launched == "user" else (0, NOBODY, [])
    os.mkdir(history, 0o755)
    os.chown(history, others, others)
    with Exporter(with_history(history), fan.network.ns("agent"), arguments=arguments, binary=binary) as running:
        all_reach(running, 2 * FLOWS)
        assert not written(running)
        os.kill(running.process.pid, signal.SIGHUP)
        eventually(lambda: "configuration reloaded" in running.read_log(), 5, running.read_log)
        errors = [line for line in running.read_log().splitlines() if " level=error " in line]
        assert len(errors) == 1, errors
        assert "the history is not written to disk; it is tried again" in errors[0]
        assert f'error="{history}: Permission denied"' in errors[0]
        for path in (history, *(os.path.join(history, name) for name in os.listdir(history))):
            os.chown(path, mine, mine)
        eventually(lambda: written(running), 10, running.read_log)
        assert [name for name in os.listdir(history) if name.startswith("rounds-")]
        assert running.stop()[0] == 0
        assert running.read_log().count("is not written to disk") == 1


@pytest.mark.parametrize("mode,seccomp", [("on", "filter"), ("off", "off")])
def test_the_filter_can_be_chosen(fan, mode, seccomp):
    with Exporter(config(destinations()), fan.network.ns("agent"), arguments=[f"--sandbox={mode}"]) as running:
        all_reach(running, 2 * FLOWS)
        if mode == "off" or filtered(running):
            assert facts(running)["seccomp"] == seccomp
        assert facts(running)["capabilities"] == "none"


def test_a_user_that_is_not_there_and_a_mode_that_is_none():
    done = subprocess.run([BINARY, "--sandbox=maybe"], capture_output=True, text=True)
    assert done.returncode == 2 and "--sandbox=maybe: expected on, kill or off" in done.stderr
    with Exporter(config([{"name": "lo", "host": "127.0.0.1", "flows": 1}]), arguments=["--user=no-such-user"],
                  ready_seconds=0) as running:
        assert running.process.wait(5) == 1
        assert "--user=no-such-user: there is no such user" in running.read_log()


def test_ecmp_trace_gives_up_its_capabilities_too(fan):
    trace = os.environ.get("ECMP_TRACE") or os.path.join(os.path.dirname(BINARY), "ecmp_trace")
    process = fan.network.popen("agent", [trace, "-n", "-P", "2", "-J", DESTINATION[4]], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    assert '"reached_dest":true' in process.stdout.readline()
    have = threads(process)
    assert have["CapEff"] == have["CapPrm"] == have["CapBnd"] == {NOTHING} and have["NoNewPrivs"] == {"1"}
    process.terminate()
    process.communicate(timeout=10)
