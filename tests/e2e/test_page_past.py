"""The page over time, in a browser: timelines, the moment that is shown, differences, the matrix of all destinations, and what
is saved of it. Pictures go to artefacts/page."""
import json
import time

import pytest

from exporter import eventually
from lab import DESTINATION
from test_page import DESK, PHONE, scene

MARKUP = "<img src=x onerror=alert(1)>"
WIDTHS = (375, 768, 1440, 2560)
#: Cards of which something is beyond their edge, other than within a box that scrolls: a box, or text that overflows its own.
BEYOND = """[...document.querySelectorAll('.card, .tile')].filter((card) => card.offsetParent).flatMap((card) => {
    const edge = card.getBoundingClientRect();
    return [...card.querySelectorAll('*')].filter((one) => {
      const words = document.createRange();
      words.selectNodeContents(one);
      const written = [...one.childNodes].some((node) => node.nodeType === 3) && getComputedStyle(one).overflow === 'visible';
      const box = (written ? words : one).getBoundingClientRect();
      if (!box.width || !box.height || one.closest('.wide, .fan-scroll, .unseen, .matrix, .events, .timeline, .tip')) return false;
      return box.right > edge.right + 1 || box.left < edge.left - 1 || box.bottom > edge.bottom + 1;
    }).map((one) => `${card.getAttribute('aria-label')}: ${one.tagName}.${one.className}`); })"""


@pytest.fixture(scope="module")
def past():
    """A lab whose second branch lost a third of all for some seconds, which is over; and then its third was replaced."""
    destinations = [{"name": "four", "host": DESTINATION[4], "flows": 16, "labels": {"site": "fra"}},
                    {"name": MARKUP, "host": DESTINATION[6], "flows": 4, "source_port": 50400, "labels": {"site": MARKUP}}]
    with scene(destinations) as made:
        began = time.time()
        eventually(lambda: all(line["probe_num"] >= 12 for line in made.exporter.paths(destination="four")), 30, "quiet rounds")
        made.quiet = time.time()
        made.fan.lose(made.fan.branch(2), 0.6)
        made.lossy = time.time() + 5
        eventually(lambda: time.time() > made.lossy + 1, 20, "some seconds of loss")
        made.fan.heal(made.fan.branch(2))
        made.began = began
        yield made


def reveal(browser, selector, condition, seconds=20):
    """What is not in view asks for nothing: brings it there, whenever it comes, until the condition holds."""
    return browser.until(f"(document.querySelector('{selector}')?.scrollIntoView(), {condition})", seconds)


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_the_timeline_has_every_path_its_loss_and_the_ribbons_of_its_flows(past):
    past.show("four")
    reveal(past.browser, ".past", "document.querySelectorAll('.timeline .path').length >= 4")
    past.browser.run("(() => { const one = document.querySelector('.past select'); one.value = '15m'; one.dispatchEvent(new Event('change')); })()")
    past.browser.until("document.querySelectorAll('.timeline .ribbon').length === 16")
    lossy = "[...document.querySelectorAll('.timeline .path')].filter((one) => one.querySelector('.lost.loss-3[d]')).length"
    past.browser.until(f"{lossy} === 1")  # one branch lost, the others did not
    assert past.browser.run("document.querySelectorAll('.timeline .path .median[d]').length") >= 4
    past.clean()
    past.picture("past-desk")
    past.browser.scheme(True)
    past.picture("past-desk-dark")
    past.browser.scheme(False)


def test_a_moment_is_chosen_by_pointer_and_keys_and_the_address_keeps_it(past):
    at = moment(past.lossy)
    past.browser.open("about:blank")
    past.browser.open(f"{past.url}#destination=four&at={at}")
    past.await_nodes(4, 16)
    past.browser.until("[...document.querySelectorAll('.link')].some((one) => one.dataset.severity === '3')")
    reveal(past.browser, ".past", "document.querySelectorAll('.timeline .cursor .at').length === 1")
    past.picture("past-moment")
    before = past.browser.run("location.hash")
    past.browser.run("document.querySelector('.timeline').focus()")
    past.browser.press("ArrowLeft")
    past.browser.until(f"location.hash.includes('at=') && location.hash !== {json.dumps(before)}")
    past.browser.press("End")
    past.browser.until("!location.hash.includes('at=')")
    past.browser.click(".timeline")
    past.browser.until("location.hash.includes('at=')")
    past.browser.run("document.querySelector('.past-bar button').click()")
    past.browser.until("!location.hash.includes('at=')")
    # Where there is no Shift key.
    past.browser.run("[...document.querySelectorAll('.past-bar button')].find((one) => one.textContent.includes('Compare')).click()")
    past.browser.click(".timeline")
    past.browser.until("location.hash.includes('against=') && !location.hash.includes('at=')")
    # Before the agent was there nothing is kept, and it is said.
    past.browser.open("about:blank")
    past.browser.open(f"{past.url}#destination=four&at={moment(past.began - 3600)}")
    past.browser.until("[...document.querySelectorAll('.gone')].some((one) => !one.hidden && one.textContent.includes('No rounds of that moment'))")
    assert all("404" in line for line in past.browser.console)  # the browser's own word for that answer
    past.browser.console.clear()
    past.clean()


def test_two_moments_are_compared(past):
    past.fan.replace_branch(3)
    try:
        spare = past.fan.addresses["s1"][4]
        past.show("four")
        past.browser.until(f"document.querySelector(\".node[data-address='{spare}']\") !== null", 20)
        past.browser.open("about:blank")
        past.browser.open(f"{past.url}#destination=four&against={moment(past.quiet)}")
        text = reveal(past.browser, ".past", "!document.querySelector('.difference').hidden && document.querySelector('.difference').innerText")
        assert "Paths new" in text and "Flows moved" in text
        assert spare in text and "new" in text
        gone = past.fan.addresses[past.fan.branch(3)][4]
        assert gone in text
        past.picture("past-difference")
        past.clean()
        past.browser.run("document.querySelector('.difference button').click()")
        past.browser.until("document.querySelector('.difference').hidden && !location.hash.includes('against=')")
    finally:
        past.fan.restore_branch(3)


def test_what_is_seen_is_saved(past):
    past.show("four")
    reveal(past.browser, ".past", "document.querySelectorAll('.timeline .path').length >= 4")
    # What would be downloaded, caught on its way.
    past.browser.run("""window.saved = []; HTMLAnchorElement.prototype.click = function () {
        window.saved.push([this.download, this.href]); };
        window.blobs = []; const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.blobs.push(blob); return make(blob); };""")
    for label in ("Save the timeline as SVG", "Save the timeline as PNG", "Save the series as CSV", "Save the fan as SVG", "Save the fan as PNG"):
        before = past.browser.run("window.saved.length")
        past.browser.run(f"document.querySelector('[aria-label=\"{label}\"]').click()")
        past.browser.until(f"window.saved.length === {before + 1}")
    names = [name for name, _ in past.browser.run("window.saved")]
    assert names == ["four-timeline.svg", "four-timeline.png", "four.csv", "four-fan.svg", "four-fan.png"]
    svg, _, csv = (past.browser.run(f"window.blobs[{index}].slice(0, 4000000).text()") for index in range(3))
    assert svg.startswith("<svg") and "class=" not in svg and "path 1" in svg
    lines = csv.split("\r\n")
    assert lines[0] == "time,path,flows,probes,losses,silences,rtt_p5_ns,rtt_p50_ns,rtt_p95_ns"
    assert len(lines) > 5 and all(line.count(",") == 8 for line in lines[:-1])
    assert past.browser.run("window.blobs[1].slice(1, 4).text()") == "PNG"
    assert past.browser.console == []


def test_hostile_names_are_text_over_time_as_well(past):
    past.browser.open("about:blank")
    past.browser.open(f"{past.url}#destination={MARKUP.replace(' ', '%20').replace('=', '%3D')}")
    past.browser.until("document.querySelectorAll('.node').length > 3")
    reveal(past.browser, ".past", "document.querySelectorAll('.timeline .path').length >= 1")
    past.browser.open("about:blank")
    past.browser.open(past.url)
    reveal(past.browser, ".matrix", "document.querySelector('.matrix-told').textContent.includes('2 destinations')")
    past.browser.until(f"[...document.querySelectorAll('#overview option')].some((one) => one.textContent === {json.dumps('site:' + MARKUP)})")
    assert past.browser.run("document.querySelectorAll('img').length") == 0
    past.clean()


def test_the_matrix_leads_to_a_destination_at_a_moment(past):
    for size, dark in ((DESK, False), (DESK, True), (PHONE, False)):
        past.browser.resize(*size, mobile=size == PHONE)
        past.browser.scheme(dark)
        past.browser.open("about:blank")
        past.browser.open(past.url)
        reveal(past.browser, ".matrix", "document.querySelector('.matrix-told')?.textContent.includes('2 destinations')")
        past.clean()
    past.browser.run("document.querySelector('.matrix').focus()")
    past.browser.press("ArrowDown")
    past.browser.press("ArrowUp")
    assert "four · " in past.browser.run("document.querySelector('.matrix-told').textContent")
    past.browser.press("Enter")
    past.browser.until("location.hash.includes('destination=four')")
    past.browser.resize(*DESK)
    past.browser.scheme(False)


# --- a thousand destinations, made up: what a browser makes of them ------------------------------------------------------------

MADE_UP = """(() => {
  const name = (i) => i % 7 ? `destination-${i}` : `a-very-long-name-of-a-destination-in-some-data-centre-far-away-${i}.example.net`;
  const window_ = {probes: 100, replies: 99, losses: 1, silences: 0, loss_ratio: 0.01, rtt_ns: {p50: 1e6, p95: 2e6, p99: 3e6}, jitter_ns: {p50: 1e5, p95: 2e5, p99: 3e5}};
  const long = (i) => `2001:db8:1234:5678:9abc:def0:${i.toString(16)}:ffff`;
  const one = (i) => ({name: name(i), host: long(i), address: long(i), family: 'ipv6', protocol: 'udp', port: 33434, interval_ns: 1e10,
    labels: {site: `site-${i % 5}`}, state: i % 100 ? 'up' : 'down', unjudged: null, flow_count: 64, paths_in_use: 16, paths_refused: 0, changes: i,
    window: window_, worst_path: i % 3 ? null : {id: '00000001', ordinal: 1, flows: 4, loss_ratio: 0.2}});
  const all = Array.from({length: 1000}, (_, i) => one(i));
  const verdict = (i) => ({links: [{from: long(i), to: long(i + 1)}, {from: long(i + 1), to: long(i + 2)}], loss_ratio: 0.2, loss_ratio_low: 0.1, loss_ratio_high: 0.3,
    lossy_flows: 10, clean_flows: 2, blamed: i === 0, uneven: i === 1, since: '2026-01-01T00:00:00Z', until: null});
  const summary = {time: '2026-01-01T00:00:00Z', version: '0', left_out: 0, destinations: all, nodes: [], links: [], suspected_links: [0, 1, 2].map(verdict), slower_links: []};
  const times = Array.from({length: 144}, (_, i) => new Date(Date.now() - (144 - i) * 600000).toISOString());
  const rows = all.map((d, i) => ({name: d.name, labels: d.labels, loss_ratio: times.map((_, t) => (i + t) % 50 === 0 ? null : (i * 7 + t) % 97 ? 0 : 0.3)}));
  const events = Array.from({length: 1000}, (_, i) => JSON.stringify({id: i, time: '2026-01-01T00:00:00Z', destination: name(i), kind: 'reroute', ttl: 3,
    before: [long(i)], after: [long(i + 1)], flows: [50000, 50001], names: {}})).join('\\n');
  const json = (what) => new Response(JSON.stringify(what));
  window.fetch = async (path) => path.startsWith('overview') ? json({step_ns: 6e11, times, destinations: rows})
    : path.startsWith('events') ? new Response(events) : json(summary);
})()"""


def test_a_thousand_destinations_fit_every_card_at_every_width(past):
    script = past.browser.call("Page.addScriptToEvaluateOnNewDocument", source=MADE_UP)["identifier"]
    try:
        for width in WIDTHS:
            past.browser.resize(width, 900, mobile=width == 375)
            past.browser.open("about:blank")
            past.browser.open(past.url)
            past.browser.until("document.querySelectorAll('.suspects li').length === 3 && document.querySelectorAll('#overview .events:not(.suspects) li').length > 100")
            reveal(past.browser, ".matrix", "document.querySelector('.matrix-told').textContent.includes('1,000 destinations')")
            past.browser.run("scrollTo(0, 0)")
            past.clean()
            assert past.browser.run(BEYOND) == []
            share = past.browser.run("""(() => { const item = document.querySelector('.suspects li');
                return item.querySelector('.what').getBoundingClientRect().width / item.getBoundingClientRect().width; })()""")
            assert share > 0.55, f"at {width} px the text of a suspected link has {share:.0%} of its card"
            past.picture(f"thousand-{width}")
        took = past.browser.run("""(() => { const box = document.querySelector('.matrix'); const begin = performance.now();
            for (let i = 0; i < 20; ++i) { box.scrollTop = i * 500; box.dispatchEvent(new Event('scroll')); } return (performance.now() - begin) / 20; })()""")
        assert took < 250  # one painting, on a machine that is busy with other tests
    finally:
        past.browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
        past.browser.resize(*DESK)


@pytest.mark.parametrize("width", WIDTHS)
def test_cards_of_a_destination_hold_what_is_in_them(past, width):
    past.browser.resize(width, 900, mobile=width == 375)
    past.browser.open("about:blank")
    past.browser.open(f"{past.url}#destination=four&against={moment(past.quiet)}")
    past.browser.until("document.querySelectorAll('.node').length > 3")
    reveal(past.browser, ".past", "document.querySelectorAll('.timeline .path').length >= 4 && !document.querySelector('.difference').hidden")
    past.clean()
    assert past.browser.run(BEYOND) == []
    past.picture(f"past-{width}")
