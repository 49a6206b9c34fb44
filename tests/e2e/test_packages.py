"""The Debian packages as an administrator meets them: built, judged by lintian, installed on a root with nothing on it,
run there, removed and purged."""
import glob
import os
import shutil
import signal

import pytest

from bare_root import NoRoot, Root, own_release, run
from exporter import ROOT

DEB = os.path.join(ROOT, "build/deb")
BUILD_SECONDS = 1500


@pytest.fixture(scope="module")
def packages():
    """{name: file} of the packages, built as packaging/build_deb.sh does for everybody."""
    signal.alarm(BUILD_SECONDS)
    done = run(os.path.join(ROOT, "packaging/build_deb.sh"), seconds=BUILD_SECONDS)
    signal.alarm(300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = {os.path.basename(path).split("_")[0]: path for path in glob.glob(os.path.join(DEB, "*.deb"))}
    return {name: path for name, path in found.items() if not name.endswith("-dbgsym")}


@pytest.fixture(scope="module")
def bare_root(tmp_path_factory):
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed")
    root = Root(tmp_path_factory.mktemp("root") / "bare", own_release())
    try:
        try:
            root.make()
        except NoRoot as error:
            pytest.skip(str(error))
        yield root
    finally:
        root.close()


def test_lintian_finds_nothing(packages):
    """build_deb.sh has run it on all; here on each alone, with everything down to its hints shown."""
    assert set(packages) == {"ecmp-exporter", "ecmp-trace"}
    for path in packages.values():
        done = run("lintian", "--fail-on", "error,warning", "--info", path)
        assert done.returncode == 0, done.stdout
        print(done.stdout)


def test_installed_on_a_bare_root_and_purged(packages, bare_root):
    before = bare_root.files()
    for path in packages.values():
        shutil.copy(path, os.path.join(bare_root.directory, "tmp"))
    assert bare_root.run("apt-get", "-qq", "update").returncode == 0
    names = [f"/tmp/{os.path.basename(path)}" for path in packages.values()]
    # First its dependencies alone, so that purging the packages can be compared with what was there before them.
    done = bare_root.run("sh", "-c", "apt-get -qq install -y --no-install-recommends libcap2-bin adduser "
                         + "$(for p in " + " ".join(names) + "; do dpkg-deb -f $p Depends; done | tr ',\\n' '  ' | "
                         "sed 's/([^)]*)//g')", seconds=600)
    assert done.returncode == 0, done.stderr
    dependencies = bare_root.files()
    assert before < dependencies

    done = bare_root.run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *names, seconds=600)
    assert done.returncode == 0, done.stderr
    check_installed(bare_root)

    done = bare_root.run("apt-get", "-qq", "purge", "-y", *packages)
    assert done.returncode == 0, done.stderr
    left = {path for path in bare_root.files() - dependencies
            if not path.startswith(("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sub"))}
    assert not left, f"purge left {sorted(left)}"
    assert "ecmp" not in bare_root.run("cat", "/etc/passwd", "/etc/group").stdout


def check_installed(root):
    version = root.run("ecmp_exporter", "--version")
    assert version.returncode == 0 and version.stdout.startswith("ecmp_exporter 0."), version
    assert root.run("ecmp_trace", "--version").returncode == 0
    assert "cap_net_raw=ep" in root.run("getcap", "/usr/bin/ecmp_trace").stdout
    assert "/usr/sbin/nologin" in root.run("getent", "passwd", "ecmp-exporter").stdout
    # The configuration is one that the administrator's changes survive, good as it is, and readable by the service.
    conffiles = root.run("dpkg-query", "--show", "--showformat=${Conffiles}", "ecmp-exporter").stdout
    assert "/etc/ecmp_exporter/ecmp_exporter.toml" in conffiles and "/etc/default/ecmp_exporter" in conffiles
    check = root.run("setpriv", "--reuid=ecmp-exporter", "--regid=ecmp-exporter", "--clear-groups", "ecmp_exporter",
                     "--config.check")
    assert check.returncode == 0, check.stderr
    files = root.files()
    for path in ("/lib/systemd/system/ecmp_exporter.service", "/usr/share/bash-completion/completions/ecmp_trace",
                 "/usr/share/ecmp-exporter/dashboards"):
        assert path in files or "/usr" + path in files, path
