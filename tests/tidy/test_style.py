"""Style that a machine can judge: lengths, names, white space, formatting, scripts, links between documents."""
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

from sources import ROOT, files, read

CODE = (".hpp", ".cpp")
TEXT = (".hpp", ".cpp", ".cpp.in", ".py", ".sh", ".toml", ".md", ".txt", ".cmake", ".json", ".yml", ".yaml", ".html", ".css",
        ".js")
MAXIMUM_FILE_LINES = 500
MAXIMUM_FUNCTION_LINES = 90  # the aim is 70; beyond this it is an error
# Words that say nothing, and words of the glossary that mean something else here (docs/ARCHITECTURE.md).
BANNED_IN_NAMES = ("manager", "helper", "utils", "util", "common", "handler", "misc", "endpoint")
BANNED_IDENTIFIERS = re.compile(r"\b(\w*(?:[Mm]anager|[Hh]elper|[Uu]tils)\w*|class \w*Handler|struct \w*Handler)\b")


def test_files_are_short():
    long = {path: count for path in files(*CODE, ".py", ".sh", under=["src", "tests", "packaging"])
            if (count := read(path).count("\n")) > MAXIMUM_FILE_LINES}
    assert not long, f"longer than {MAXIMUM_FILE_LINES} lines: {long}"


def function_lengths(text):
    """(line, lines) of every top-level block that follows a parameter list. clang-format puts its closing brace first in
    the line, at the indentation of the line that opens it."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        match = re.match(r"( {0,4})\S.*\)[^;=]*\{$", line)
        if not match or re.match(r"\s*(namespace|if|for|while|switch|else|do|catch|struct|class|enum)\b", line):
            continue
        indentation = match.group(1)
        if line.lstrip().startswith(":"):  # the initialisers of a constructor stand four further in than it does
            indentation = indentation[4:]
        for end in range(start + 1, len(lines)):
            if re.match(re.escape(indentation) + r"\}", lines[end]):
                yield start + 1, end - start + 1
                break


def test_functions_are_short():
    long = [f"{path}:{line}: {count} lines" for path in files(*CODE, under=["src"])
            for line, count in function_lengths(read(path)) if count > MAXIMUM_FUNCTION_LINES]
    assert not long, "\n".join(long)


def test_function_lengths_are_seen():
    body = "  do_it();\n" * 100
    assert list(function_lengths(f"void long_one(int a) {{\n{body}}}\n")) == [(1, 102)]
    assert list(function_lengths(f"class A {{\n  int f() const {{\n{body}  }}\n}};\n")) == [(2, 102)]


def test_names_say_something():
    wrong = [path for path in files(*CODE, ".py", under=["src", "tests"])
             if re.split(r"[_.]", os.path.basename(path))[0:-1] and
             any(word in re.split(r"[_./]", path.lower()) for word in BANNED_IN_NAMES)]
    wrong += [f"{path}:{number}: {match.group(1)}" for path in files(*CODE, under=["src"])
              for number, line in enumerate(read(path).splitlines(), 1)
              if (match := BANNED_IDENTIFIERS.search(re.sub(r"//.*|\"[^\"]*\"|<[^>]*>", "", line)))]
    assert not wrong, "\n".join(wrong)


def test_no_stray_white_space():
    wrong = []
    for path in files(*TEXT) + [p for p in files("") if os.path.basename(p) in ("CMakeLists.txt", ".clang-tidy", ".clang-format")]:
        text = read(path)
        wrong += [f"{path}:{number}: white space at the end of the line" for number, line in enumerate(text.split("\n"), 1)
                  if line != line.rstrip()]
        if text and not text.endswith("\n"):
            wrong.append(f"{path}: no newline at its end")
        if "\t" in text and not path.endswith((".html", ".js")):
            wrong.append(f"{path}: a tabulator")
    assert not wrong, "\n".join(wrong)


def test_headers_are_guarded_and_open_no_namespace():
    wrong = []
    for path in files(".hpp", under=["src", "tests"]):
        text = read(path)
        if "#pragma once" not in text:
            wrong.append(f"{path}: no #pragma once")
        if re.search(r"^\s*using namespace", text, re.MULTILINE):
            wrong.append(f"{path}: using namespace in a header")
    assert not wrong, "\n".join(wrong)


def test_tests_do_not_sleep():
    wrong = [path for path in files(".cpp", ".hpp", under=["tests/unit", "tests/sim", "tests/golden"])
             if re.search(r"sleep_for|sleep_until|usleep|std::random_device", read(path))]
    assert not wrong, f"time or chance from outside in {wrong}"


def unusable_name(text):
    """The first name of a TEST_CASE that ctest cannot run on its own: CMake takes a `;` for the end of a list's entry, and
    the test program a leading `-` for an option."""
    for name in re.findall(r'\bTEST_CASE(?:_METHOD)?\s*\((?:\s*\w+\s*,)?\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
        words = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', name))
        if ";" in words or words.startswith("-"):
            return words
    return None


def test_names_of_tests_suit_ctest():
    wrong = [f"{path}: {name}" for path in files(".cpp", under=["tests"]) if (name := unusable_name(read(path)))]
    assert not wrong, "\n".join(wrong)


def test_names_that_do_not_suit_ctest_are_seen():
    assert unusable_name('TEST_CASE("one; two", "[x]") {') == "one; two"
    assert unusable_name('TEST_CASE(\n    "one "\n    "and; two",\n    "[x]") {') == "one and; two"
    assert unusable_name('TEST_CASE_METHOD(Fixture, "-v prints", "[x]") {') == "-v prints"
    assert unusable_name('TEST_CASE("one, two - three", "[a;b]") { call("x;"); }') is None


def test_clang_format_would_change_nothing():
    if not shutil.which("clang-format-19"):
        pytest.skip("clang-format-19 is not installed")
    sources = files(*CODE, under=["src", "tests"])
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *sources], cwd=ROOT, capture_output=True, text=True)
    first = [line for line in done.stderr.splitlines() if "error:" in line]
    assert done.returncode == 0, "\n".join(first[:40])


# --- scripts ---------------------------------------------------------------------------------------------------------


def scripts():
    return [path for path in files("") if re.match(r"#!.*\b(ba)?sh\b", first_line(path))]


def first_line(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.readline(200).decode("utf-8", "replace")


def test_scripts_are_sound():
    found = scripts()
    assert {"packaging/dependencies.sh", "packaging/quickstart.sh", "tests/run.sh", ".ci/run"} <= set(found)
    for path in found:
        done = subprocess.run(["bash", "-n", path], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert os.access(os.path.join(ROOT, path), os.X_OK), f"{path} is not executable"
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "--severity=warning", *found], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_ci_calls_the_tests_and_nothing_else():
    assert read(".ci/run").splitlines()[1:] == ["bash tests/run.sh"]


def test_python_files_compile():
    for path in files(".py"):
        compile(read(path), path, "exec")


# --- documents -------------------------------------------------------------------------------------------------------


def test_links_between_documents_lead_somewhere():
    wrong = []
    for path in files(".md"):
        text = re.sub(r"```.*?```", "", read(path), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:|#", target):
                continue
            place = os.path.normpath(os.path.join(ROOT, os.path.dirname(path), target.split("#")[0]))
            if not os.path.exists(place):
                wrong.append(f"{path}: {target}")
    assert not wrong, "\n".join(wrong)


def test_paths_that_documents_name_exist():
    """Whatever stands in backquotes and looks like a file of ours."""
    top = {path.split("/")[0] for path in files("") if "/" in path}
    wrong = []
    for path in files(".md"):
        for name in re.findall(r"`([A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)+/?)`", read(path)):
            if name.split("/")[0] in top and not os.path.exists(os.path.join(ROOT, name)):
                wrong.append(f"{path}: {name}")
    assert not wrong, "\n".join(wrong)


def test_the_documents_everybody_looks_for_are_there():
    missing = [name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md", "docs/ARCHITECTURE.md",
                                 "docs/lab.md")
               if not os.path.exists(os.path.join(ROOT, name))]
    assert not missing


def test_pictures_are_well_formed():
    for path in files(".svg"):
        xml.etree.ElementTree.parse(os.path.join(ROOT, path))
