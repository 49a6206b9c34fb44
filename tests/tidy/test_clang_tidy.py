"""clang-tidy over the sources of src/, with the checks of .clang-tidy: all findings are errors.

All of them take a quarter of an hour, so by itself this looks at the core's probing and paths and at everything that takes
in bytes and text of strangers, there with the path-sensitive analyzer too; with ECMP_TIDY_ALL in the environment at every
file, analyzer included. A file that was clean is not looked at again until it, a header or the checks change. It runs
beside the tests in the lab, which wait most of the time, and gives way to them.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from sources import ROOT, files, read

BUILD = os.environ.get("ECMP_BUILD_DIRECTORY") or os.path.join(ROOT, "build/dev")


def commands():
    """How clang would compile each file by itself, without precompiled headers. Nothing is built by it."""
    directory = os.path.join(BUILD, "clang-tidy")
    done = subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", directory, "-DCMAKE_CXX_COMPILER=clang++-19",
                           "-DCMAKE_BUILD_TYPE=Debug", "-DECMP_PRECOMPILE=OFF", "-DECMP_TESTS=OFF"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(os.path.join(directory, "compile_commands.json")) as file:
        entries = json.load(file)
    return [entry for entry in entries
            if entry["file"].startswith(os.path.join(ROOT, "src") + "/" if os.environ.get("ECMP_TIDY_ALL") else ALWAYS)]


def under(*directories):
    return tuple(os.path.join(ROOT, "src", directory) + "/" for directory in directories)


# Where hostile input is parsed.
ANALYZED = under("packet", "config", "net")
ALWAYS = ANALYZED + under("base", "probe", "path")


def extra_checks(source):
    if source.startswith(ANALYZED) or os.environ.get("ECMP_TIDY_ALL"):
        return []
    return ["--checks=-clang-analyzer-*"]


def check(directory, source):
    return source, subprocess.run(["nice", "-n", "19", "clang-tidy-19", "--quiet", "-p", directory, *extra_checks(source), source],
                                  capture_output=True, text=True)


def fingerprint(entry, shared):
    """What a verdict depends on: the source, how it is compiled, and what `shared` stands for."""
    parts = [shared, entry["command"], read(os.path.relpath(entry["file"], ROOT)), *extra_checks(entry["file"])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def test_clang_tidy_is_silent(tmp_path):
    if not shutil.which("clang-tidy-19"):
        pytest.skip("clang-tidy-19 is not installed")
    entries = commands()
    assert entries, "nothing is compiled from src/"
    for entry in entries:
        entry["command"] = entry["command"][entry["command"].index("/clang++"):].split(" ", 1)[1]
        entry["command"] = "clang++-19 " + entry["command"]
    (tmp_path / "compile_commands.json").write_text(json.dumps(entries))

    clean = pathlib.Path(BUILD, "clang-tidy-clean")
    clean.mkdir(exist_ok=True)
    shared = "\0".join(read(path) for path in [".clang-tidy", *files(".hpp", under=["src"])])
    keys = {entry["file"]: clean / fingerprint(entry, shared) for entry in entries}
    sources = sorted(source for source, key in keys.items() if not key.exists())
    findings = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for source, done in pool.map(lambda source: check(str(tmp_path), source), sources):
            if done.returncode == 0:
                keys[source].touch()
            else:
                findings += re.findall(r"^.*(?:error|warning):.*$", done.stdout, re.MULTILINE) or [f"{source}: {done.stderr}"]
    findings = sorted(set(findings))
    pathlib.Path(BUILD, "clang-tidy.log").write_text("\n".join(findings) + "\n")
    assert not findings, f"{len(findings)} findings, all of them in {BUILD}/clang-tidy.log:\n" + "\n".join(findings[:40])
