"""A Debian with nothing but what is essential, made by debootstrap from where this machine gets its packages."""
import glob
import os
import re
import shutil
import signal
import subprocess

ROOT_SECONDS = 600
ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
               "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class NoRoot(Exception):
    """It cannot be made here, and why."""


def run(*command, seconds=300, **more):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds,
                          env=ENVIRONMENT, **more)


def mirror():
    """Where this machine gets Debian's packages from."""
    for name in glob.glob("/etc/apt/sources.list") + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        with open(name) as file:
            match = re.search(r"^(?:deb(?:\s+\[[^]]*\])?|URIs:)\s+(\S+?)/?(?:\s|$)", file.read(), re.MULTILINE)
        if match:
            return match.group(1)
    return "http://deb.debian.org/debian"


def own_release():
    """The name of this machine's Debian."""
    with open("/etc/os-release") as file:
        return re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.MULTILINE).group(1)


class Root:
    """A Debian with nothing but what is essential, in a directory."""

    def __init__(self, directory, release="bookworm"):
        self.directory = str(directory)
        self.release = release
        self.mounts = []

    def make(self):
        signal.alarm(ROOT_SECONDS)
        done = run("debootstrap", "--variant=minbase", self.release, self.directory, mirror(), seconds=ROOT_SECONDS)
        if done.returncode != 0:
            raise NoRoot("debootstrap could not make a root: " + done.stdout.strip().splitlines()[-1][:200])
        with open(os.path.join(self.directory, "etc/apt/sources.list"), "w") as file:
            file.write(f"deb {mirror()} {self.release} main\n")
        for name in ("apt/auth.conf.d", "apt/trusted.gpg.d", "resolv.conf", "ssl"):
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

    def unmount(self):
        for target in reversed(self.mounts):
            subprocess.run(["umount", target], check=False)

    def close(self):
        self.unmount()
        if not any(os.path.ismount(target) for target in self.mounts):
            shutil.rmtree(self.directory, ignore_errors=True)
