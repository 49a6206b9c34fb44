import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netns  # noqa: E402
from exporter import BINARY  # noqa: E402
from tracer import BINARY as TRACE_BINARY  # noqa: E402
from requirements import reasons  # noqa: E402

# No test may take longer. ctest's own limit kills without a chance to clean up, so it is set above this one's sum.
TEST_SECONDS = int(os.environ.get("ECMP_TEST_SECONDS", "300"))


def pytest_configure(config):
    config.addinivalue_line("markers", "anywhere: needs neither root nor a lab")
    netns.close_on_exit()
    if os.geteuid() == 0:
        netns.reap_stale()


def pytest_collection_modifyitems(items):
    why = reasons()
    for item in items:
        name = os.path.basename(str(item.fspath))
        if name in why and item.get_closest_marker("anywhere") is None:
            item.add_marker(pytest.mark.skip(reason="; ".join(why[name])))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    def out_of_time(_number, _frame):
        raise TimeoutError(f"{item.name} took longer than {TEST_SECONDS} s")
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


def pytest_sessionstart(session):
    for binary, variable in ((BINARY, "ECMP_EXPORTER"), (TRACE_BINARY, "ECMP_TRACE")):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"there is no {binary}: build it, or name it in {variable}", returncode=1)
