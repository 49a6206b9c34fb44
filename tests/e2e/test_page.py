"""The page at /, in a browser: headless Chromium in the agent's namespace, on real fans. Pictures go to artefacts/page."""
import contextlib
import os
import socket
import struct
import threading

import pytest

from browser import Browser
from exporter import Exporter, config, eventually
from lab import DESTINATION, Fan
from netns import entered

PICTURES = os.path.join(os.environ.get("ECMP_BUILD_DIRECTORY", "build/dev"), "artefacts/page")
DESK, PHONE = (1440, 900), (375, 812)


class Scene:
    def __init__(self, fan, exporter, browser):
        self.fan, self.exporter, self.browser = fan, exporter, browser
        self.url = f"http://127.0.0.1:{exporter.port}/"

    def show(self, destination, size=DESK, dark=False):
        self.browser.resize(*size, mobile=size == PHONE)
        self.browser.scheme(dark)
        self.browser.away()
        self.browser.open("about:blank")
        self.browser.open(f"{self.url}#destination={destination}")
        self.browser.until("document.querySelectorAll('.node').length > 3")

    def picture(self, name, whole=True):
        self.browser.picture(os.path.join(PICTURES, f"{name}.png"), whole)

    def drawn(self):
        """{address of every node drawn}"""
        return set(self.browser.run("[...document.querySelectorAll('.node')].map((node) => node.dataset.address)"))

    def await_nodes(self, family, flows, source_port=50000):
        """All responders that the routers say flows go over are drawn, and nobody else."""
        ports = range(source_port, source_port + flows)
        paths = self.fan.expected_paths(DESTINATION[family], ports)
        wanted = {address for path in paths.values() for address in path} | {self.fan.addresses["agent"][family]}
        eventually(lambda: self.drawn() == wanted, 15, lambda: f"{self.drawn()} are drawn, should be {wanted}")

    def clean(self):
        """Nothing on the console, nobody else asked, nothing wider than the window, no labels over each other."""
        browser = self.browser
        browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert browser.console == []
        assert {url for url in browser.requests if not url.startswith((self.url, "about:", "data:"))} == set()
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        overlaps = browser.run("""(() => { const boxes = [...document.querySelectorAll('.node > rect')].map((one) => one.getBoundingClientRect());
            let count = 0; boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
              if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) ++count; })); return count; })()""")
        assert overlaps == 0
        beyond = browser.run("""[...document.querySelectorAll('.node')].filter((node) => [...node.querySelectorAll('text')].some((text) =>
            text.getBoundingClientRect().width > node.firstChild.getBoundingClientRect().width)).map((node) => node.textContent)""")
        assert beyond == []


@contextlib.contextmanager
def scene(destinations, fan_options=None, **exporter_options):
    with Fan(**(fan_options or {"width": 4})) as fan:
        namespace = fan.network.ns("agent")
        with Exporter(config(destinations, **exporter_options.pop("settings", {})), namespace, **exporter_options) as exporter, \
                Browser(namespace) as browser:
            yield Scene(fan, exporter, browser)


@pytest.fixture(scope="module")
def four():
    destinations = [{"name": "fra-edge", "host": DESTINATION[4], "flows": 24, "labels": {"site": "fra", "role": "edge"}},
                    {"name": "six-edge", "host": DESTINATION[6], "flows": 24}]
    destinations += [{"name": f"any-{i:02}", "host": f"10.78.0.{i}", "flows": 4, "source_port": 50100 + 4 * i} for i in range(1, 41)]
    with scene(destinations) as made:
        yield made


# --- what is drawn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name,width,stages,flows", [("fan-2", 2, 1, 16), ("fan-16", 16, 1, 96), ("two-stages", 4, 2, 64)])
def test_a_fan_is_drawn_with_all_its_responders(name, width, stages, flows):
    destinations = [{"name": "v4", "host": DESTINATION[4], "flows": flows}, {"name": "v6", "host": DESTINATION[6], "flows": flows}]
    with scene(destinations, {"width": width, "stages": stages}) as s:
        for family, destination in ((4, "v4"), (6, "v6")):
            for size, dark in ((DESK, False), (DESK, True), (PHONE, False)):
                s.show(destination, size, dark)
                s.await_nodes(family, flows)
                s.clean()
                s.picture(f"{name}-{destination}-{size[0]}{'-dark' if dark else ''}")


@pytest.mark.parametrize("family,destination", [(4, "fra-edge"), (6, "six-edge")])
def test_a_fan_of_four_on_desk_and_phone_in_light_and_dark(four, family, destination):
    for size in (DESK, PHONE):
        for dark in (False, True):
            four.show(destination, size, dark)
            four.await_nodes(family, 24)
            four.clean()
            four.picture(f"fan-4-{destination}-{size[0]}-{'dark' if dark else 'light'}")
            background = four.browser.run("getComputedStyle(document.body).backgroundColor")
            light = sum(int(part) for part in background.strip("rgb()").split(",")[:3]) > 384
            assert light != dark


def test_links_are_as_broad_as_they_carry_flows(four):
    four.show("fra-edge")
    four.await_nodes(4, 24)
    told = four.browser.run("""[...document.querySelectorAll('.link .stroke')].map((one) => Number(one.getAttribute('stroke-width')))""")
    assert max(told) == pytest.approx(16) and min(told) < 10


def test_the_agents_own_figures_are_the_ones_shown(four):
    four.show("fra-edge")
    four.await_nodes(4, 24)
    eventually(lambda: four.browser.run("document.querySelectorAll('table.flows tbody tr').length") == 24, 10, "a row a flow")
    paths = {have["path"] for have, value in four.exporter.metrics().families["ecmp_path_flows"]
             if have["destination"] == "fra-edge" and value}
    shown = set(four.browser.run("[...document.querySelectorAll('table.paths tbody tr:not(.unused) th')].map((one) => one.textContent.split(' ').at(-1))"))
    assert shown == paths


# --- pointing, choosing, keys --------------------------------------------------------------------------------------------


def test_hover_tells_about_a_hop_and_about_a_link(four):
    four.show("fra-edge")
    address = four.fan.addresses[four.fan.branch(2)][4]
    four.browser.hover(f".node[data-address='{address}']")
    text = four.browser.until("!document.getElementById('tip').hidden && document.getElementById('tip').innerText")
    for word in (address, "loss", "silence", "RTT p50 / p95 / p99", "jitter p50 / p95 / p99", "flows"):
        assert word in text
    four.picture("hover", whole=False)
    four.browser.hover(f".link[data-link='2/{address}>3/{four.fan.addresses['r2'][4]}'] .hit")
    text = four.browser.until("document.getElementById('tip').innerText.includes('source ports') && document.getElementById('tip').innerText")
    assert "500" in text and " of 24" in text
    four.browser.away()
    four.browser.until("document.getElementById('tip').hidden")


def test_a_click_on_a_hop_shows_its_flows_alone(four):
    four.show("fra-edge")
    four.await_nodes(4, 24)
    branch = four.fan.addresses[four.fan.branch(3)][4]
    wanted = sorted(str(port) for port, path in four.fan.expected_paths(DESTINATION[4], range(50000, 50024)).items() if branch in path)
    rows = "[...document.querySelectorAll('table.flows tbody tr')].map((row) => row.cells[0].textContent)"
    four.browser.click(f".node[data-address='{branch}']")
    four.browser.until("document.querySelector('.chip:not([hidden])') !== null")
    assert sorted(four.browser.run(rows)) == wanted
    assert branch in four.browser.run("document.querySelector('.chip').textContent")
    assert "filter=" in four.browser.run("location.hash")
    four.picture("filtered")
    four.clean()
    # The address keeps it, and what was chosen comes back.
    four.browser.call("Page.reload")
    four.browser.until(f"({rows}).length === {len(wanted)}")
    four.browser.press("Escape")
    four.browser.until(f"({rows}).length === 24")
    four.browser.click("table.paths tbody tr")
    four.browser.until(f"({rows}).length < 24")
    four.browser.click(".chip")
    four.browser.until(f"({rows}).length === 24")


def test_the_keyboard_reaches_everything(four):
    four.browser.resize(*DESK)
    four.browser.scheme(False)
    four.browser.open("about:blank")
    four.browser.open(four.url)
    four.browser.until("document.querySelectorAll('#rows .row').length > 5")
    four.browser.press("/")
    assert four.browser.run("document.activeElement.id") == "search"
    four.browser.type("site=fra")
    four.browser.until("document.querySelectorAll('#rows .row').length === 1")
    four.browser.press("ArrowDown")
    assert four.browser.run("document.activeElement.id") == "list"
    assert four.browser.run("document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent").find("fra-edge") > 0
    four.browser.press("Enter")
    four.browser.until("location.hash.includes('fra-edge') && document.querySelectorAll('.node').length > 5")
    for _ in range(12):
        four.browser.press("Tab")
        if four.browser.run("document.activeElement.classList.contains('node')"):
            break
    focused = "document.activeElement.getAttribute('aria-label')"
    assert four.browser.run(focused).startswith("this agent")
    four.browser.press("ArrowRight")
    assert four.browser.run(focused).startswith("hop 1: " + four.fan.addresses["r1"][4])
    four.browser.press("ArrowRight")
    first = four.browser.run(focused)
    assert first.startswith("hop 2: ")
    moved = set()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp"):
        four.browser.press(key)
        moved.add(four.browser.run(focused).split(";")[0])
    assert len(moved) == 4
    assert four.browser.run("!document.getElementById('tip').hidden")
    assert four.browser.run("getComputedStyle(document.activeElement.firstChild).strokeWidth") == "3px"
    four.picture("keyboard", whole=False)
    four.browser.press("Enter")
    four.browser.until("document.querySelector('.chip:not([hidden])') !== null")
    four.browser.press("Escape")
    four.browser.until("document.querySelector('.chip').hidden")
    assert four.browser.run("document.activeElement.classList.contains('node')")  # focus has stayed
    four.browser.press("Escape")
    four.browser.until("!location.hash.includes('fra-edge')")
    assert four.browser.run("document.activeElement.id") == "list"


def test_overview_and_list_on_desk_and_phone(four):
    for size in (DESK, PHONE):
        four.browser.resize(*size, mobile=size == PHONE)
        four.browser.scheme(False)
        four.browser.open("about:blank")
        four.browser.open(four.url)
        four.browser.until("document.getElementById('count').textContent === '42 destinations' && document.querySelectorAll('.tile').length >= 5")
        assert four.browser.run("document.querySelectorAll('#rows .row').length") < 42  # only those in view exist
        four.clean()
        four.picture(f"overview-{size[0]}")
    four.browser.click("#rows .row")
    four.browser.until("document.querySelectorAll('.node').length > 3")
    four.browser.click(".back")
    four.browser.until("document.getElementById('overview').hidden === false && location.hash === ''")


def test_the_theme_button_wins_over_the_system(four):
    four.show("fra-edge")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = four.browser.run(ground)
    four.browser.click("#theme")
    four.browser.click("#theme")
    assert four.browser.run("document.documentElement.dataset.theme") == "dark" and four.browser.run(ground) != light
    four.browser.call("Page.reload")
    four.browser.until("document.documentElement.dataset.theme === 'dark'")
    four.browser.click("#theme")
    four.browser.until(f"{ground} === '{light}'")


# --- faults --------------------------------------------------------------------------------------------------------------


def test_a_lossy_branch_is_red_within_two_rounds_and_then_no_other():
    rounds, interval = 2, 5
    destination = {"name": "four", "host": DESTINATION[4], "flows": 32, "interval": f"{interval}s"}
    with scene([destination], ready_seconds=30) as s:
        s.show("four")
        s.await_nodes(4, 32)
        branch, behind = s.fan.addresses[s.fan.branch(2)][4], s.fan.addresses["r2"][4]
        red = "[...document.querySelectorAll('.link')].filter((one) => one.dataset.severity > 0).map((one) => one.dataset.link)"
        assert s.browser.run(red) == []
        s.fan.lose(s.fan.branch(2), 0.6)
        # Two rounds, each over when its probes have timed out, and one turn of asking: then there is red. A dozen probes
        # at each hop leave some doubt about where it begins; that goes with further rounds.
        s.browser.until(f"{red}.length > 0", rounds * interval + 4)
        s.browser.until(f"document.querySelector(\".link[data-link='2/{branch}>3/{behind}']\").dataset.severity === '3'"
                        f" && {red}.length === 1", 60)
        link = s.browser.run(f"getComputedStyle(document.querySelector(\".link[data-link='2/{branch}>3/{behind}'] .stroke\")).stroke")
        assert link == "rgb(220, 51, 64)"
        assert s.browser.run(red) == [f"2/{branch}>3/{behind}"]
        assert s.browser.run("document.querySelectorAll('.loss-labels text').length") == 1  # not by colour alone
        s.clean()
        s.picture("lossy-branch")
        s.browser.scheme(True)
        s.picture("lossy-branch-dark")


def test_a_black_hole_a_change_and_a_silent_agent_are_seen():
    with scene([{"name": "four", "host": DESTINATION[4], "flows": 24}]) as s:
        s.show("four")
        s.await_nodes(4, 24)
        eventually(lambda: all(line["probe_num"] >= 14 for line in s.exporter.paths()), 20, "rounds to know the paths by")
        s.fan.replace_branch(3)
        s.await_nodes(4, 24)
        event = s.browser.until("document.querySelector('#destination .events li')?.innerText", 15)
        assert "rerouted" in event and s.fan.addresses["s1"][4] in event and "hop 2" in event
        assert len(s.exporter.get("/events").text.splitlines()) == 1
        s.fan.black_hole(s.fan.branch(2))
        branch, behind = s.fan.addresses[s.fan.branch(2)][4], s.fan.addresses["r2"][4]
        s.browser.until(f"document.querySelector(\".link[data-link='2/{branch}>3/{behind}']\").dataset.severity === '3'", 10)
        s.picture("black-hole-and-change")
        s.clean()
        s.exporter.process.send_signal(19)  # it stops answering without a word
        try:
            s.browser.until("!document.getElementById('banner').hidden", 20)
            assert "has not answered since" in s.browser.run("document.getElementById('banner').textContent")
            s.picture("no-answer", whole=False)
        finally:
            s.exporter.process.send_signal(18)
        s.browser.until("document.getElementById('banner').hidden && document.getElementById('live-text').textContent === 'live'", 20)


def test_nothing_is_asked_while_the_page_is_hidden(four):
    four.show("fra-edge")
    four.browser.run("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true}); document.dispatchEvent(new Event('visibilitychange'))")
    four.browser.until("document.getElementById('live-text').textContent === 'paused'")
    four.browser.run("performance.clearResourceTimings(); performance.setResourceTimingBufferSize(1000)")
    asked = len(four.browser.requests)
    four.browser.run("new Promise((done) => setTimeout(done, 3000))")  # more than a turn of asking
    assert len(four.browser.requests) == asked
    four.browser.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    four.browser.until("performance.getEntriesByType('resource').length > 0 && document.getElementById('live-text').textContent === 'live'")


# --- names that are markup -----------------------------------------------------------------------------------------------

MARKUP = "<script>alert(1)</script>"


class NameServer:
    """Says that every address is called MARKUP. On port 53 of the namespace's own loopback."""

    def __init__(self, namespace):
        with entered(namespace):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                query, sender = self.socket.recvfrom(2048)
            except OSError:
                return
            end = 12
            while query[end]:
                end += query[end] + 1
            question = query[12:end + 5]
            label = MARKUP.encode()
            name = bytes([len(label)]) + label + b"\x04test\x00"
            answer = b"\xc0\x0c\x00\x0c\x00\x01" + struct.pack("!IH", 300, len(name)) + name
            self.socket.sendto(query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question + answer, sender)

    def close(self):
        self.socket.close()


def test_a_name_that_is_markup_is_shown_as_text(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    text = config([{"name": "<img src=x onerror=alert(2)>", "host": DESTINATION[4], "flows": 8,
                    "labels": {"note": "<script>alert(3)</script>"}}]).replace("names = false", "names = true")
    # Its own mount namespace: the machine's resolv.conf stays as it is.
    prefix = ["unshare", "--mount", "sh", "-c", f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec \"$@\"", "sh"]
    with Fan(width=2) as fan:
        namespace = fan.network.ns("agent")
        server = NameServer(namespace)
        try:
            with Exporter(text, namespace, command_prefix=prefix) as exporter, Browser(namespace) as browser:
                s = Scene(fan, exporter, browser)
                browser.resize(*DESK)
                browser.scheme(False)
                eventually(lambda: "alert(1)" in exporter.get("/topology").text, 15, "the names are known")
                browser.open(s.url)
                browser.until("document.querySelectorAll('#rows .row').length === 1")
                browser.click("#rows .row")
                browser.until("document.querySelectorAll('.node').length > 3")
                assert "script" in browser.run("document.querySelector('.node.hop .who').textContent")
                browser.hover(".node.hop")
                assert MARKUP in browser.until("!document.getElementById('tip').hidden && document.getElementById('tip').innerText")
                assert browser.run("document.querySelector('#destination h1').textContent") == "<img src=x onerror=alert(2)>"
                # Of the page's own there is one script, and no image at all.
                assert browser.run("document.scripts.length") == 1 and browser.run("document.images.length") == 0
                s.clean()
                s.picture("markup", whole=False)
        finally:
            server.close()
