"""Counters never fall: a scrape after the other, while something else goes on."""
import threading

ENDINGS = ("_total", "_count", "_sum", "_bucket")


class Counters:
    """Scrapes an exporter every tenth of a second; check() tells of the samples that were ever less than before."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.known = {}
        self.falls = []
        self.scrapes = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def take(self, families):
        self.scrapes += 1
        for family, samples in families.items():
            if not family.endswith(ENDINGS):
                continue
            for labels, value in samples:
                series = (family, *sorted(labels.items()))
                if value < self.known.get(series, value):
                    self.falls.append(f"{series}: {self.known[series]} and then {value}")
                self.known[series] = value

    def run(self):
        while not self.over.wait(0.1):
            try:
                self.take(self.exporter.metrics().families)
            except OSError:  # it is stopped for a while
                continue

    def check(self):
        self.over.set()
        self.thread.join()
        assert self.scrapes > 3, "nothing was looked at"
        assert not self.falls, "\n".join(self.falls[:20])
