"""What an open page costs the exporter: requests, bytes and processor time, beside what it takes without one. Needs root and
chromium: `ECMP_EXPORTER=build/release/src/ecmp_exporter tests/bench/page_cost.py [DESTINATIONS [SECONDS]]`."""
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
# pylint: disable=wrong-import-position
from browser import Browser  # noqa: E402
from exporter import Exporter, config  # noqa: E402
from lab import DESTINATION, Fan  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measured(exporter, seconds, browser=None):
    """Share of a core, requests a minute, bytes a minute; of the seconds that begin now."""
    count = "performance.getEntriesByType('resource').length"
    size = "performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0)"
    if browser:
        browser.run("performance.setResourceTimingBufferSize(100000); performance.clearResourceTimings()")
    before, begin = processor_seconds(exporter.process.pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    share = (processor_seconds(exporter.process.pid) - before) / took
    return share, *((browser.run(what) * 60 / took for what in (count, size)) if browser else (0, 0))


def main():
    destinations = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    with Fan(width=4) as fan:
        namespace = fan.network.ns("agent")
        all_of_them = [{"name": "four", "host": DESTINATION[4], "flows": 16}]
        all_of_them += [{"name": f"d{i}", "host": f"10.78.{i // 250}.{1 + i % 250}", "flows": 1, "source_port": 51000 + i % 10000, "max_ttl": 4}
                        for i in range(1, destinations)]
        text = config(all_of_them, probe={"interval": "10s"})
        with Exporter(text, namespace, ready_seconds=120) as exporter, Browser(namespace) as browser:
            time.sleep(15)
            idle = measured(exporter, seconds)[0]
            print(f"{destinations} destinations, no page: {idle:.2%} of a core")
            for name, view in (("overview", ""), ("destination", "#destination=four")):
                browser.resize(1440, 900, mobile=False)
                browser.open("about:blank")
                browser.open(f"http://127.0.0.1:{exporter.port}/{view}")
                time.sleep(10)
                share, requests, size = measured(exporter, seconds, browser)
                print(f"{name}: {share - idle:.2%} of a core more, {requests:.1f} requests and {size / 1024:.0f} KiB a minute")


if __name__ == "__main__":
    main()
