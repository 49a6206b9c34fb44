#!/usr/bin/python3
"""Makes a disk with Debian, the packages of that release and the tests; boots it; prints what the tests say.

    machine.py RELEASE DIRECTORY          (of the packages: tests/vm/run.sh)

Exit code: that of the tests; 77 if there can be no machine here.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests/e2e")]
os.environ["PATH"] += ":/usr/sbin:/sbin"
from bare_root import NoRoot, Root, run  # noqa: E402

BOOT_SECONDS = 1200
# Printed last by the guest, on its serial console.
VERDICT = re.compile(r"^machine: the tests ended with (\d+)\s*$", re.MULTILINE)
GUEST = """#!/bin/sh
exec > /dev/ttyS0 2>&1
cd /srv/tests/vm
/usr/bin/python3 -m pytest -q -rA --color=no --tb=short -p no:cacheprovider test_machine.py
echo "machine: the tests ended with $?"
"""
SERVICE = """[Unit]
Description=What is tested in this machine
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/srv/run
ExecStopPost=/bin/systemctl poweroff --no-block

[Install]
WantedBy=default.target
"""


# What makes a machine of a root, and what the tests need there. What the programs need, their packages have to say.
MACHINE = ("linux-image-cloud-amd64", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "curl", "procps", "python3-pytest")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def install(root, directory):
    """The packages, by dpkg -i: whatever they depend on is there already."""
    def inside(path):
        return os.path.join(root.directory, path)
    # The folder of a release has those of other releases and architectures too.
    suffix = {"bookworm": "+deb12_amd64.deb", "trixie": "+deb13_amd64.deb"}[root.release]
    files = [path for path in glob.glob(os.path.join(directory, "*" + suffix)) if "-dbgsym_" not in path]
    assert len(files) == 2, f"not two packages *{suffix} in {directory}: {files}"
    for path in files:
        shutil.copy(path, inside("srv"))
    names = [f"/srv/{os.path.basename(path)}" for path in files]
    missing = root.run("sh", "-c", "apt-get -qq install -y --no-install-recommends $(apt-get install --simulate -y "
                       "--no-install-recommends \"$@\" | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' | grep -v '^ecmp-') && dpkg -i \"$@\"", "sh",
                       *names, seconds=900)
    assert missing.returncode == 0, missing.stdout[-1000:] + missing.stderr[-1000:]
    for part in ("e2e", "vm"):
        shutil.copytree(os.path.join(ROOT, "tests", part), inside(f"srv/tests/{part}"), dirs_exist_ok=True)
    write(inside("srv/run"), GUEST, 0o755)
    write(inside("etc/systemd/system/machine.service"), SERVICE)
    root.run("systemctl", "enable", "machine.service")
    root.run("systemctl", "mask", "serial-getty@ttyS0.service")


def boot(root, directory):
    (kernel,), (initrd,) = (glob.glob(os.path.join(root.directory, "boot", name)) for name in ("vmlinuz-*", "initrd.img-*"))
    disk = os.path.join(directory, "disk")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root.directory, disk, "3G"], check=True)
    # Emulated: what calls itself KVM inside of other virtual machines does not always boot a kernel.
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2", "-nographic", "-no-reboot", "-nic",
               "none", "-monitor", "none", "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append",
               "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0", "-drive",
               f"file={disk},if=virtio,format=raw,cache=unsafe"]
    told = []
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    signal.signal(signal.SIGALRM, lambda *_: machine.kill())
    signal.alarm(BOOT_SECONDS)
    for line in machine.stdout:
        print("  | " + line.rstrip(), flush=True)
        told.append(line.replace("\r", ""))
    machine.wait()
    verdict = VERDICT.search("".join(told))
    if not verdict:
        print("machine: the tests have not come to an end")
        return 1
    return int(verdict.group(1))


def main():
    release, packages = sys.argv[1], os.path.abspath(sys.argv[2])
    missing = [tool for tool in ("qemu-system-x86_64", "debootstrap", "mke2fs") if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        print(f"skipped: needs root and {' '.join(missing) or 'nothing else'}")
        return 77
    directory = os.path.join(ROOT, "build/vm")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    root = Root(os.path.join(directory, "root"), release)
    try:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        print(f"machine: a root of {release}", flush=True)
        root.make()
        for command in (["apt-get", "-qq", "update"],
                        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *MACHINE]):
            done = root.run(*command, seconds=900)
            if done.returncode != 0:
                raise NoRoot(done.stderr.strip().splitlines()[-1])
        install(root, packages)
        root.unmount()
        print("machine: it boots", flush=True)
        return boot(root, directory)
    except NoRoot as error:
        print(f"skipped: {error}")
        return 77
    finally:
        root.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
