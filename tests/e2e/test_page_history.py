"""The page on a history that was written before the exporter began: a fault that came and went half an hour ago, and fans
as large as they come. The rounds are those of the simulated network, with their times moved. Pictures go to
artefacts/page."""
import os
import subprocess
import tempfile
import time

import pytest

from browser import Browser
from exporter import Exporter, config
from lab import DESTINATION, Fan
from test_page import DESK, Scene
from test_page_past import BEYOND, WIDTHS, moment, reveal
from tracer import run

MAKER = os.path.join(os.environ.get("ECMP_BUILD_DIRECTORY", "build/dev"), "tests/e2e/history_maker")
BEGIN = 1767225600  # 2026-01-01T00:00:00Z, when simulated networks are switched on
ROUNDS, INTERVAL = 270, 10
FAULT = (900, 1200)  # seconds after the first round
LONG = "a-very-long-name-of-a-destination-in-some-data-centre-far-away.example.net"

FAULTY = f"""wires = ["agent - r1 - (b1..b4) - r2 - dst"]
[link."*"]
delay = "1ms"
[[change]]
at = "{FAULT[0]}s"
for = "{FAULT[1] - FAULT[0]}s"
node = "b2"
drop = "30%"
[destination.dst]
"""
LARGE = """wires = ["agent - r1 - (b1..b16) - r2 - (c1..c4) - r3 - dst"]
[link."*"]
delay = "1ms"
[destination.dst]
"""


def recorded(directory, scenario, name, end, *arguments, events=0):
    """Writes a history whose last round began at about `end`; returns when its first one did."""
    path, lines, history = (os.path.join(directory, one) for one in ("scenario.toml", "lines", "history"))
    with open(path, "w", encoding="ascii") as file:
        file.write(scenario)
    done = run("--simulate", path, "-U", "-d", f"{INTERVAL}s", "-i", "10ms", "-j", lines, "--report", *arguments, "--spread", seconds=120)
    assert done.code == 0, done.err
    rounds = int(arguments[arguments.index("-c") + 1])
    begin = int(end - rounds * INTERVAL)
    subprocess.run([MAKER, lines, history, name, str(begin - BEGIN), str(events)], check=True, timeout=120)
    return history, begin


@pytest.fixture(scope="module")
def fan():
    with Fan(width=2) as made:
        yield made


def opened(fan, name, family, history):
    text = config([{"name": name, "host": DESTINATION[family], "flows": 4}]) + f'\n[history]\ndirectory = "{history}"\n'
    return Exporter(text, fan.network.ns("agent"))


def test_a_fault_of_half_an_hour_ago_is_seen(fan):
    with tempfile.TemporaryDirectory(prefix="ecmp-page-history-") as directory:
        history, begin = recorded(directory, FAULTY, "four", time.time() - 60, "-P", 16, "-c", ROUNDS)
        with opened(fan, "four", 4, history) as exporter, Browser(fan.network.ns("agent")) as browser:
            page = Scene(fan, exporter, browser)
            browser.resize(*DESK)
            browser.open(f"{page.url}#destination=four")
            reveal(browser, ".past", "document.querySelectorAll('.timeline .path').length >= 4", 60)
            # One path lost, the others did not.
            browser.until("[...document.querySelectorAll('.timeline .path')].filter((one) => one.querySelector('.lost.loss-3[d]')).length === 1", 60)
            page.clean()
            page.picture("half-an-hour-ago")
            lossy = "[...document.querySelectorAll('.link')].filter((one) => one.dataset.severity === '3').length"
            for at, wanted in ((begin + FAULT[0] - 30, 0), (begin + FAULT[1] - 10, 1)):
                browser.open("about:blank")
                browser.open(f"{page.url}#destination=four&at={moment(at)}")
                browser.until(f"document.querySelectorAll('.node').length === 8 && Math.min({lossy}, 1) === {wanted}", 60)
            page.picture("half-an-hour-ago-moment")
            browser.open("about:blank")
            browser.open(f"{page.url}#destination=four&at={moment(begin + FAULT[1] - 10)}&against={moment(begin + FAULT[0] - 30)}")
            text = reveal(browser, ".past", "!document.querySelector('.difference').hidden && document.querySelector('.difference').innerText", 60)
            assert "loss" in text.lower(), text
            page.picture("half-an-hour-ago-difference")
            page.clean()


@pytest.mark.parametrize("events", [0, 1000])
def test_cards_of_a_large_fan_hold_what_is_in_them_at_every_width(fan, events):
    """16 by 4 paths of IPv6, a long name, without events and with a thousand."""
    with tempfile.TemporaryDirectory(prefix="ecmp-page-history-") as directory:
        history, begin = recorded(directory, LARGE, LONG, time.time() - 30, "-6", "-P", 256, "-c", 8, events=events)
        with opened(fan, LONG, 6, history) as exporter, Browser(fan.network.ns("agent")) as browser:
            page = Scene(fan, exporter, browser)
            for width in WIDTHS:
                browser.resize(width, 900, mobile=width == 375)
                browser.open("about:blank")
                browser.open(f"{page.url}#destination={LONG}&at={moment(begin + 75)}")
                browser.until("document.querySelectorAll('.node').length === 25", 60)
                reveal(browser, ".past", "document.querySelectorAll('.timeline .path').length >= 60", 60)
                if events:
                    browser.until("document.querySelectorAll('.events li').length >= 20", 60)
                page.clean()
                assert browser.run(BEYOND) == []
                page.picture(f"large-{events}-{width}")
