#!/usr/bin/python3
"""Runs one file of pytest tests for ctest: exit code 77 when all of its tests were skipped, with the reasons printed."""
import os
import sys

try:
    import pytest
except ModuleNotFoundError:
    print("SKIPPED: python3-pytest is not installed (packaging/dependencies.sh test)")
    sys.exit(77)


class Tally:
    def __init__(self):
        self.ran = 0

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and not report.skipped or report.failed:
            self.ran += 1


tally = Tally()
sys.dont_write_bytecode = True
PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "peers")
os.environ["PATH"] += f":/usr/sbin:/sbin:{PEERS}/bin"
sys.path.append(os.path.join(PEERS, "python"))
code = pytest.main(["-rs", "-q", "-x" if os.environ.get("ECMP_FIRST") else "-q", "--tb=short", "--color=no",
                    "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[tally])
sys.stdout.flush()
sys.exit(77 if code == 0 and tally.ran == 0 else int(code))
