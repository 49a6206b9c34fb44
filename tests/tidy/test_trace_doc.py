"""The manual and the completions of ecmp_trace are what man and the shells take."""
import os
import shutil
import subprocess

import pytest

from sources import ROOT

COMPLETIONS = os.path.join(ROOT, "packaging/completions")
MANUAL = os.path.join(ROOT, "docs/ecmp_trace.1")


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


def silent(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    return done.stdout


@needs("man")
def test_man_has_no_warnings_about_the_manual():
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    text = silent("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", MANUAL, env=environment)
    assert text


@needs("mandoc")
def test_mandoc_finds_nothing_wrong_with_the_manual():
    assert silent("mandoc", "-T", "lint", "-W", "warning", MANUAL) == ""


def completed(*words):
    """What bash offers for the last of these words."""
    script = f'. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ecmp_trace; printf "%s\\n" "${{COMPREPLY[@]}}"'
    path = os.path.join(COMPLETIONS, "ecmp_trace.bash")
    return set(silent("bash", "-c", script, "bash", path, "ecmp_trace", *words, cwd=ROOT).split("\n")) - {""}


def test_bash_completes_options_their_values_and_files():
    assert completed("--hash") == {"--hash-algorithm"}
    assert completed("--json") == {"--json", "--json-file"}
    assert {"-T", "--tcp", "-J", "--simulate"} <= completed("-")
    assert completed("--hash-algorithm", "") == {"crc32", "sha256"}
    assert completed("--diagram", "=", "s") == {"svg"}
    assert completed("--log-level", "=") == {"debug", "info", "warn", "error"}
    assert completed("-P", "") == set()
    assert completed("-j", "READ") == {"README.md"}
    assert "lo" in completed("--interface", "l")


@needs("shellcheck")
def test_shellcheck_is_silent_about_the_completion_of_bash():
    silent("shellcheck", "-s", "bash", os.path.join(COMPLETIONS, "ecmp_trace.bash"))


@needs("zsh")
def test_zsh_can_read_its_completion():
    silent("zsh", "-n", os.path.join(COMPLETIONS, "_ecmp_trace"))


@needs("fish")
def test_fish_completes_options_and_their_values():
    path = os.path.join(COMPLETIONS, "ecmp_trace.fish")
    silent("fish", "--no-execute", path)

    def offered(line):
        out = silent("fish", "--no-config", "-c", f"source {path}; complete -C '{line}'", env={**os.environ, "HOME": "/tmp"})
        return {entry.split("\t")[0] for entry in out.splitlines()}
    assert "--hash-algorithm" in offered("ecmp_trace --hash")
    assert offered("ecmp_trace --hash-algorithm ") == {"crc32", "sha256"}
    assert offered("ecmp_trace --diagram s") == {"svg"}
