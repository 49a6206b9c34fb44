"""What happens in a soak: drawn from a seed before it begins, so that the same seed is the same soak."""
import dataclasses
import random

FAULTS = ("loss", "black_hole", "replace", "link", "icmp_limit")
NUISANCES = ("reload", "bad_reload", "add", "stuck", "half", "cut", "remove", "names", "disk_full")
SETTLE = 3.0  # seconds after each fault until the next: more than it takes to notice that it is over
WIDTH = 4
DISCOVERED = [f"10.78.0.{number}" for number in range(1, 7)]


@dataclasses.dataclass
class Slot:
    """One fault of the network, and one nuisance beside it, which must have no effect on what is measured."""
    fault: str
    branch: int
    ratio: float      # of loss
    hold: float       # seconds
    nuisance: str
    hosts: list       # those in the file of destinations from here on; None leaves it as it is
    begin: float = 0  # wall clock, when it has happened
    end: float = 0

    def __str__(self):
        extra = f" of {self.ratio:.2f}" if self.fault == "loss" else ""
        where = "the agent's link" if self.fault == "link" else f"branch {self.branch}"
        hosts = "" if self.hosts is None else f" {' '.join(self.hosts) or 'all'}"
        return f"{self.fault}{extra} at {where} for {self.hold:.1f} s, beside it {self.nuisance}{hosts}"


def make_plan(seed, seconds):
    """Slots that fill so many seconds. All kinds come once before any comes again."""
    draw = random.Random(seed)
    slots, left = [], seconds
    faults, nuisances = [], []
    while True:
        if not faults:
            faults = draw.sample(FAULTS, len(FAULTS))
        if not nuisances:
            nuisances = draw.sample(NUISANCES, len(NUISANCES))
            add, remove = sorted((nuisances.index("add"), nuisances.index("remove")))
            nuisances[add], nuisances[remove] = "remove", "add"  # taken from the end: destinations come, then go
        hold = draw.uniform(3.5, 5)
        left -= hold + SETTLE
        if left < 0:
            return slots
        nuisance = nuisances.pop()
        hosts = {"add": draw.sample(DISCOVERED, 3), "remove": []}.get(nuisance)
        slots.append(Slot(faults.pop(), draw.randint(1, WIDTH), draw.uniform(0.3, 0.6), hold, nuisance, hosts))
