"""What a probe costs in instructions and a round in allocations, compared with the least that was ever recorded. Counts
are repeatable where times are not, so that no feature costs much unseen. core_counts.cpp says what is counted."""
import os
import re
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "../bench/counts.txt")
BUILD = os.environ.get("ECMP_BUILD_DIRECTORY", "build/check")
PROGRAM = os.path.join(BUILD, "tests/bench/core_counts")
MOST = 1.05  # of the least recorded
FLAGS = "-O2 -DNDEBUG"  # of the build that is shipped


def recorded(compiler):
    """The least of each figure for this compiler, by name."""
    least = {}
    with open(RECORDED) as file:
        for line in file:
            line = line.split("#")[0].split()
            if not line or line[0] != compiler:
                continue
            for pair in line[1:]:
                name, value = pair.split("=")
                least[name] = min(float(value), least.get(name, float("inf")))
    return least


def release_build():
    with open(os.path.join(BUILD, "CMakeCache.txt")) as file:
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", file.read(), re.MULTILINE))
    return (cache["CMAKE_BUILD_TYPE"], cache.get("CMAKE_CXX_FLAGS_RELEASE"), cache.get("CMAKE_CXX_FLAGS")) == \
        ("Release", FLAGS, "")


def said_by(program_output):
    return dict(line.split(maxsplit=1) for line in program_output.splitlines())


def instructions(directory):
    """What the program says of itself, and the instructions of the counted turns, the network's left out."""
    profile = os.path.join(directory, "callgrind.out")
    run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "--collect-atstart=no",
                          "--toggle-collect=ecmp::counted_turn*", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    collected = int(re.search(r"Collected : (\d+)", run.stderr).group(1))
    listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", profile],
                             capture_output=True, text=True)
    network = re.search(r"^ *([\d,]+) .*ecmp::network_answers\(", listing.stdout, re.MULTILINE)
    assert network, listing.stdout[:2000] + listing.stderr
    return said_by(run.stdout), collected - int(network.group(1).replace(",", ""))


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    if not os.path.exists(PROGRAM):
        pytest.skip(f"{PROGRAM} is not built")
    if not release_build():
        pytest.skip("counts are of the release's flags, which are " + FLAGS)
    if shutil.which("valgrind") is None or shutil.which("callgrind_annotate") is None:
        pytest.skip("valgrind (Debian package valgrind) is not installed")
    return instructions(tmp_path_factory.mktemp("counts"))


def assert_no_more_than_recorded(name, figure, compiler):
    least = recorded(compiler)
    if name not in least:
        pytest.skip(f"no figure of {compiler} is recorded: {name} is {figure:.2f} here")
    print(f"{name}: {figure:.2f}, least recorded {least[name]:.2f}")
    assert figure <= MOST * least[name], f"{name} is {figure:.2f}, and was {least[name]:.2f} (tests/bench/counts.txt)"


def test_a_probe_takes_no_more_instructions_than_it_did(counted):
    said, cost = counted
    assert int(said["probes"]) == 100 * 32 * 12  # the whole scenario
    assert_no_more_than_recorded("instructions_per_probe", cost / int(said["probes"]), said["compiler"])


@pytest.mark.parametrize("name, intervals, before", [("filling", 25, 5), ("steady", 25, 30)])
def test_a_round_takes_no_more_allocations_than_it_did(counted, name, intervals, before):
    """While windows and histograms grow, and once windows and history are full. Of many intervals: growth comes in steps,
    and in which interval a step falls says nothing."""
    said, _ = counted
    run = subprocess.run([PROGRAM, str(intervals), str(before)], capture_output=True, text=True, check=True)
    assert_no_more_than_recorded(name + "_allocations_per_round", float(said_by(run.stdout)["allocations_per_round"]),
                                 said["compiler"])


def test_the_engine_allocates_nothing(counted):
    said, _ = counted
    assert_no_more_than_recorded("engine_allocations", float(said["engine_allocations"]), said["compiler"])
