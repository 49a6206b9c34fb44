"""What the end-to-end tests need of the machine. As a program it tells what will be skipped, and why."""
import importlib.util
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from netns import missing_requirements  # noqa: E402

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def missing_tools(*tools):
    return [f"{tool} is not installed" for tool in tools if not shutil.which(tool, path=PATH)]


def too_long(variable):
    """For what takes many minutes: a whole optimised build and a root with its packages from the network."""
    return [] if os.environ.get(variable) == "1" else [f"takes many minutes, ask for it with {variable}=1"]


def reasons():
    """{test file: why it cannot run here}"""
    lab = missing_requirements()
    if importlib.util.find_spec("pytest") is None:
        lab = lab + ["python3-pytest is not installed"]
    needs = {
        "test_lab.py": missing_tools("scamper"),
        "test_paths.py": missing_tools("tcpdump"),
        "test_auto.py": missing_tools("scamper"),
        "test_faults.py": [],
        "test_reality_routing.py": [],
        "test_reality_tcp.py": missing_tools("ss"),
        "test_etr.py": [],
        "test_trace.py": missing_tools("tcpdump"),
        "test_trace_command.py": missing_tools("setpriv"),
        "test_http.py": missing_tools("promtool", "prometheus", "setpriv"),
        "test_abuse.py": [],
        "test_probe.py": missing_tools("promtool", "prometheus"),
        "test_reload.py": missing_tools("openssl"),
        "test_dashboards.py": missing_tools("promtool", "prometheus"),
        "test_rules.py": missing_tools("promtool", "prometheus"),
        "test_rules_mesh.py": missing_tools("promtool", "prometheus"),
        "test_rules_sixteen.py": missing_tools("promtool", "prometheus"),
        "test_page.py": missing_tools("chromium"),
        "test_quickstart.py": missing_tools("curl"),
        "test_packages.py": missing_tools("dpkg-buildpackage", "dh", "lintian", "setpriv") + too_long("ECMP_PACKAGES"),
        "test_image.py": missing_tools("debootstrap", "tar") + too_long("ECMP_IMAGE"),
        "test_web_config.py": missing_tools("curl", "openssl", "prometheus"),
    }
    return {name: lab + more for name, more in needs.items() if lab + more}


if __name__ == "__main__":
    for name, why in reasons().items():
        print(f"skipped (e2e: {name[5:-3]}): {'; '.join(why)}")
