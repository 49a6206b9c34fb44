"""clang-tidy over every source of src/, with the checks of .clang-tidy: all findings are errors."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess

import pytest

from sources import ROOT

BUILD = os.environ.get("ECMP_BUILD_DIRECTORY") or os.path.join(ROOT, "build/dev")
# What g++ understands and clang does not, and what makes no difference to a reader of the code.
GCC_ONLY = {"-Wduplicated-cond", "-Wlogical-op", "-Wno-maybe-uninitialized", "-fno-sanitize-recover=all"}


def commands():
    path = os.path.join(BUILD, "compile_commands.json")
    if not os.path.exists(path):
        pytest.fail(f"there is no {path}: configure first")
    with open(path) as file:
        entries = json.load(file)
    return [entry for entry in entries if entry["file"].startswith(os.path.join(ROOT, "src") + "/")]


def check(directory, source):
    return source, subprocess.run(["clang-tidy-19", "--quiet", "-p", directory, source], capture_output=True, text=True)


def test_clang_tidy_is_silent(tmp_path):
    if not shutil.which("clang-tidy-19"):
        pytest.skip("clang-tidy-19 is not installed")
    entries = commands()
    assert entries, "nothing is compiled from src/"
    for entry in entries:
        words = [word for word in entry["command"].split() if word not in GCC_ONLY]
        # libstdc++ 12's own std::stable_sort uses what it has marked as deprecated (cmake/CompileSettings.cmake).
        words.append("-Wno-deprecated-declarations")
        entry["command"] = " ".join(words[1:] if words[0].endswith("ccache") else words)
    (tmp_path / "compile_commands.json").write_text(json.dumps(entries))
    sources = sorted({entry["file"] for entry in entries})
    findings = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for source, done in pool.map(lambda source: check(str(tmp_path), source), sources):
            if done.returncode != 0:
                findings += re.findall(r"^.*(?:error|warning):.*$", done.stdout, re.MULTILINE) or [f"{source}: {done.stderr}"]
    assert not findings, "\n".join(sorted(set(findings))[:60])
