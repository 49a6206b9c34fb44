"""The Debian packages as an administrator meets them: built, judged by lintian, installed on a root with nothing on it,
run there, removed and purged."""
import glob
import os
import re
import shutil
import signal
import subprocess

import pytest

from exporter import ROOT

DEB = os.path.join(ROOT, "build/deb")
BUILD_SECONDS, ROOT_SECONDS = 1500, 600
ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
               "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def run(*command, seconds=300, **more):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds,
                          env=ENVIRONMENT, **more)


@pytest.fixture(scope="module")
def packages():
    """{name: file} of the packages, built as packaging/build_deb.sh does for everybody."""
    signal.alarm(BUILD_SECONDS)
    done = run(os.path.join(ROOT, "packaging/build_deb.sh"), seconds=BUILD_SECONDS)
    signal.alarm(100)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = {os.path.basename(path).split("_")[0]: path for path in glob.glob(os.path.join(DEB, "*.deb"))}
    return {name: path for name, path in found.items() if not name.endswith("-dbgsym")}


def mirror():
    """Where this machine gets Debian's packages from."""
    for name in glob.glob("/etc/apt/sources.list") + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        with open(name) as file:
            match = re.search(r"^(?:deb(?:\s+\[[^]]*\])?|URIs:)\s+(\S+?)/?(?:\s|$)", file.read(), re.MULTILINE)
        if match:
            return match.group(1)
    return "http://deb.debian.org/debian"


class Root:
    """A Debian 12 with nothing but what is essential, in a directory."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.mounts = []

    def make(self):
        signal.alarm(ROOT_SECONDS)
        done = run("debootstrap", "--variant=minbase", "bookworm", self.directory, mirror(), seconds=ROOT_SECONDS)
        if done.returncode != 0:
            pytest.skip("debootstrap could not make a root: " + done.stdout.strip().splitlines()[-1][:200])
        for name in ("apt/sources.list", "apt/sources.list.d", "apt/auth.conf.d", "apt/trusted.gpg.d", "resolv.conf", "ssl"):
            self._take_over(name)
        for path in glob.glob("/etc/apt/apt.conf.d/*"):
            with open(path) as file:
                # Not what runs programs: they are not there.
                if re.search(r"\bAcquire\b", text := file.read()) and "Invoke" not in text:
                    self._take_over(os.path.relpath(path, "/etc"))
        self._mount("proc", "proc")
        self._mount("tmpfs", "tmp")
        # A package's service is not started while it is installed: there is no init here.
        with open(os.path.join(self.directory, "usr/sbin/policy-rc.d"), "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(file.name, 0o755)

    def _take_over(self, name):
        """How this machine reaches its packages, the root's has to know too."""
        source, target = os.path.join("/etc", name), os.path.join(self.directory, "etc", name)
        if os.path.isdir(source):
            shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True, ignore_dangling_symlinks=True)
        elif os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.islink(target):
                os.unlink(target)
            shutil.copyfile(source, target)

    def _mount(self, kind, place):
        target = os.path.join(self.directory, place)
        subprocess.run(["mount", "-t", kind, kind, target], check=True)
        self.mounts.append(target)

    def run(self, *command, seconds=300):
        signal.alarm(seconds)
        return run("chroot", self.directory, *command, seconds=seconds)

    def files(self):
        """All that is there, without what apt and dpkg keep for themselves."""
        kept = ("/proc", "/tmp", "/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/run", "/dev", "/sys")
        found = set()
        for directory, directories, names in os.walk(self.directory):
            inside = directory[len(self.directory):] or "/"
            directories[:] = [d for d in directories if os.path.join(inside, d) not in kept]
            found.update(os.path.join(inside, name) for name in (*directories, *names))
        return found

    def close(self):
        for target in reversed(self.mounts):
            subprocess.run(["umount", target], check=False)
        if not any(os.path.ismount(target) for target in self.mounts):
            shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def bare_root(tmp_path_factory):
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed")
    root = Root(tmp_path_factory.mktemp("root") / "bookworm")
    try:
        root.make()
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
