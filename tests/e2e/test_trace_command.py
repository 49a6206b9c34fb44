"""ecmp_trace as a command: its arguments, its outputs and their readers, its privilege, its exit status."""
import json
import os
import re
import signal
import subprocess
import threading

import pytest

import tracer
from exporter import eventually
from lab import AGENT_SECOND, DESTINATION, Fan
from tracer import FAST, simulated

anywhere = pytest.mark.anywhere
FOUR = DESTINATION[4]


@pytest.fixture(scope="module")
def fan():
    with Fan(width=4) as made:
        yield made


@anywhere
def test_bad_usage_is_one_line_and_its_exit_status():
    for arguments, code in (([], 1), (["-T", "-U", "h"], 1), (["-P0", "h"], 1), (["-m0", "h"], 1), (["--frob", "h"], 2)):
        done = tracer.run(*arguments)
        assert done.code == code and done.out == "" and done.err.startswith("Error: ")
        assert done.err.count("\n") == code  # unknown options get a hint besides


@anywhere
def test_a_simulated_run_tells_the_same_each_time_and_takes_no_time():
    runs = [simulated("branch_loss_10", "-P16", "-c50", "-J", "--seed", seed) for seed in (1, 1, 2)]
    assert runs[0].out == runs[1].out != runs[2].out
    lines = runs[0].lines
    assert len(lines) == 16 * 50 and max(run.seconds for run in runs) < 20
    assert lines[0]["timestamp"].startswith("2026-01-01T00:00:00")
    lost = {line["source_port"] for line in lines if line["loss"]}
    assert lost == {line["source_port"] for line in lines if "b3" in [hop["ptr"] for hop in line["hops"]]}
    assert {line["destination"] for line in lines} == {"dst"} == {line["destination_ptr"] for line in lines}


@anywhere
def test_simulated_destinations_by_name_and_address_and_mistakes(tmp_path):
    assert simulated("fan_4", "dst", "-6", "-c1", "-J").lines[0]["destination_ip"] == "2001:db8:2::1"
    assert simulated("fan_4", "198.51.100.1", "-n", "-c1", "-J").lines[0]["destination_ptr"] == ""
    for host in ("nobody", "192.0.2.77"):
        done = simulated("fan_4", host, "-c1", "-J")
        assert done.code == 1 and done.err.startswith("Error: ") and host in done.err
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('wires = ["agent - dst"]\n[destination.dst]\nspeed = 3\n')
    done = simulated(str(wrong), "-c1", "-J")
    assert done.code == 1 and done.err.startswith(f"Error: {wrong}:3:")
    assert tracer.run("--simulate", str(tmp_path / "none.toml")).code == 1


@anywhere
def test_sha256_hashes_are_longer_and_tell_the_same_paths_apart():
    short, long = (simulated("fan_4", "-P16", "-c1", "-J", "--hash-algorithm", name).lines for name in ("crc32", "sha256"))
    assert {len(line["path_hash"]) for line in short} == {8} and {len(line["path_hash"]) for line in long} == {64}
    pairs = {(a["path_hash"], b["path_hash"]) for a, b in zip(short, long)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 4


@anywhere
def test_a_reader_that_leaves_ends_it_in_silence():
    read, write = os.pipe()
    process = subprocess.Popen(tracer.command(["--simulate", tracer.scenario("fan_4"), "-J", "-d", "100ms"]), stdout=write,
                               stderr=subprocess.PIPE, text=True)
    os.close(write)
    with open(read) as lines:
        json.loads(lines.readline())
    try:
        assert process.wait(5) == 0  # also while nothing is to be written
        assert process.stderr.read() == ""
    finally:
        process.kill()


@anywhere
def test_a_reader_that_stalls_does_not_keep_it_from_ending():
    read, write = os.pipe()
    process = subprocess.Popen(tracer.command(["--simulate", tracer.scenario("fan_4"), "-J", "-c", "100000"]), stdout=write,
                               stderr=subprocess.PIPE, text=True)
    os.close(write)
    try:
        with open(read):
            # The pipe is full once it takes nothing more.
            eventually(lambda: b" pipe_" in open(f"/proc/{process.pid}/wchan", "rb").read() or stalled(process), 10,
                       "the pipe is full")
            process.send_signal(signal.SIGTERM)
            assert process.wait(2) == 1
        assert "its reader has stalled" in process.stderr.read()
    finally:
        process.kill()


def stalled(process):
    """It has stopped using the processor."""
    def used():
        return sum(map(int, open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]))
    before = used()
    threading.Event().wait(0.3)
    return used() == before


@anywhere
def test_a_json_file_is_emptied_first_and_has_a_line_for_each_round(tmp_path):
    path = tmp_path / "rounds.json"
    path.write_text("old\n" * 1000)
    done = simulated("fan_4", "-c3", "-P4", "--report", "-j", str(path))
    assert done.code == 0 and done.out.startswith("dst (198.51.100.1), TCP port 443: 4 flows, 3 rounds")
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 12


@anywhere
def test_diagrams_come_in_each_form():
    ascii_, utf8, dot, svg = (simulated("fan_4", "-P16", "-c3", "--diagram", form).out
                              for form in ("ascii", "utf8", "dot", "svg"))
    assert ascii_.isascii() and not utf8.isascii()
    assert dot.startswith("digraph") and svg.startswith("<svg") and svg.rstrip().endswith("</svg>")
    for picture in (ascii_, utf8, dot, svg):
        assert all(name in picture for name in ("b1", "b2", "b3", "b4", "dst"))


@anywhere
def test_the_report_of_a_fixed_network_is_what_it_was():
    wanted = open(os.path.join(tracer.ROOT, "tests/golden/trace/report_branch_loss_10.txt")).read()
    assert simulated("branch_loss_10", "-P16", "-c100", "--report").out == wanted


@anywhere
def test_a_router_that_limits_its_icmp_is_told_in_the_report_and_in_each_line(tmp_path):
    path = tmp_path / "rounds.json"
    done = simulated("icmp_limited", "-P16", "-c60", "--report", "-j", str(path))
    assert done.out == open(os.path.join(tracer.ROOT, "tests/golden/trace/report_icmp_limited.txt")).read()
    last = [json.loads(line) for line in path.read_text().splitlines()][-16:]
    assert all(line["hops"][0]["limited"] for line in last)
    assert not any(hop.get("limited") for line in last for hop in line["hops"][2:])


def test_without_privilege_one_line_says_how_to_get_it(fan):
    done = tracer.run(FOUR, "-J", namespace=fan.network.ns("agent"),
                      prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                              "--bounding-set=-all"])
    assert done.code == 1 and done.out == ""
    assert re.fullmatch(r"Error: .*needs CAP_NET_RAW.*`setcap cap_net_raw\+ep \S*ecmp_trace`.*\n", done.err), done.err


def test_cap_net_raw_is_all_it_needs(fan):
    done = tracer.run(FOUR, "-J", "-c1", "-P2", *FAST, namespace=fan.network.ns("agent"),
                      prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_raw",
                              "--ambient-caps=+net_raw", "--bounding-set=+net_raw"])
    assert done.code == 0 and all(line["reached_dest"] for line in done.lines) and len(done.lines) == 2


@anywhere
def test_a_name_that_does_not_exist_is_an_error(tmp_path):
    done = tracer.run("no-such-host.invalid", "-J")
    if "CAP_NET_RAW" in done.err:
        pytest.skip("needs CAP_NET_RAW")
    assert done.code == 1 and done.out == ""
    assert re.fullmatch(r"Error: cannot resolve no-such-host\.invalid: .*\n", done.err)


def test_names_resolve_to_the_family_that_was_asked_for():
    for option, address in (("-4", "127.0.0.1"), ("-6", "::1")):
        done = tracer.run("localhost", option, "-c1", "-P1", "-J", "-i", "0")
        assert done.code == 0, done.err
        assert [line["destination_ip"] for line in done.lines] == [address]
        assert done.lines[0]["destination"] == "localhost"


def test_the_source_can_be_chosen(fan):
    for family, host in DESTINATION.items():
        lines = tracer.run(host, "--source-address", AGENT_SECOND[family], "--interface", "r1", "-P2", "-c1", "-J", *FAST,
                           namespace=fan.network.ns("agent")).lines
        assert len(lines) == 2
        assert all(line["source_ip"] == AGENT_SECOND[family] and line["reached_dest"] for line in lines)


def test_what_the_log_says_goes_to_its_file(fan, tmp_path):
    path = tmp_path / "log"
    path.write_text("kept\n")
    tracer.run(FOUR, "-J", "-c1", "-P2", "-l", path, "--log-level", "debug", *FAST, namespace=fan.network.ns("agent"))
    lines = path.read_text().splitlines()
    assert lines[0] == "kept"
    assert sum('level=debug msg="round"' in line for line in lines) == 2
