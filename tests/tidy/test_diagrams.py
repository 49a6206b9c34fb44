"""The golden diagrams are what their readers take: SVG is XML that asks nobody for anything, DOT is what graphviz draws."""

import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "render"
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "style", "rect", "text", "tspan", "path", "line", "g"}


def named(suffix):
    files = sorted(GOLDEN.glob(f"fan_*{suffix}"))
    assert files
    return files


@pytest.mark.parametrize("file", named(".svg") + [ROOT / "docs" / "images" / "fan.svg"], ids=lambda file: file.name)
def test_svg_is_well_formed_and_harmless(file):
    root = ElementTree.parse(file).getroot()
    assert root.tag == SVG + "svg"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        for attribute in element.attrib:
            assert not attribute.startswith("on") and "href" not in attribute
    style = root.find(SVG + "style").text
    assert "prefers-color-scheme:dark" in style
    assert "url(" not in style and "@import" not in style
    # What is light has a dark twin, so that nothing vanishes in either.
    light, dark = style.split("@media", 1)
    classes = set(re.findall(r"\.ecmp-fan \.(\w+)\{(?:fill|stroke):", light))
    assert classes - set(re.findall(r"\.ecmp-fan \.(\w+)\{", dark)) == set()


def test_hostile_names_are_text():
    root = ElementTree.parse(GOLDEN / "fan_hostile.svg").getroot()
    texts = [element.text for element in root.iter(SVG + "text")]
    assert any(text and "</text><script>alert(1)" in text for text in texts)


@pytest.mark.parametrize("file", named(".dot"), ids=lambda file: file.name)
def test_graphviz_draws_it(file, tmp_path):
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed")
    drawn = subprocess.run(["dot", "-Tsvg", file], capture_output=True, text=True, timeout=60, check=False)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stderr == ""
    assert drawn.stdout.count("<svg ") == file.read_text().count("digraph ")


def test_graphviz_shows_hostile_names_as_they_are():
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed")
    drawn = subprocess.run(["dot", "-Tsvg", GOLDEN / "fan_hostile.dot"], capture_output=True, text=True, timeout=60, check=True)
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(drawn.stdout.encode()).iter(SVG + "text")]
    texts = [text.replace("\xa0", " ") for text in texts]
    assert '"]; n9 [label="owned\\' in texts
    assert "</text><script>alert(1)</script>" in texts
    assert not any(text == "owned" for text in texts)
