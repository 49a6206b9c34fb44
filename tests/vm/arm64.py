#!/usr/bin/python3
"""Boots Debian's arm64 kernel under qemu-system-aarch64 with an ecmp_exporter that was cross-compiled, and tries there what
qemu-user cannot: packet sockets, and the filter of system calls. The tests tagged [sandbox] run, and then the exporter through
its life under --sandbox=kill, where a call that its list lacks ends it. Runs inside the root of tests/arm64.sh:

    arm64.py BUILD SCRATCH

The machine is an initial RAM disk: a shell, the programs and the libraries that they are linked to. Exit code 0 if all went well.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

BOOT_SECONDS = 1200
VERDICT = "machine: passed"
LIBRARIES = ("/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu")
CONFIG = """[web]
listen_addresses = ["127.0.0.1:10815", "unix:/run/socket"]
[probe]
flows = 4
interval = "500ms"
timeout = "300ms"
[history]
directory = "/history"
[discovery]
http = ["http://127.0.0.1:8080/targets.json"]
[[destination]]
name = "lo"
host = "127.0.0.1"
[[destination]]
name = "six"
host = "::1"
protocol = "icmp"
[[destination]]
name = "tcp"
host = "127.0.0.1"
protocol = "tcp"
port = 8080
[[destination]]
name = "named"
host = "name.example"
"""
INIT = r"""#!/bin/bash
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec > /dev/console 2>&1
ulimit -c 0
ip link set lo up
say() { echo "machine: $*"; }
end() { say "$*"; poweroff -f; sleep 100; }
show() { cat /tmp/log /tmp/out; end "$*"; }
tries() { n=$1; shift; while ! "$@" > /tmp/out 2>&1; do n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 1; done; }
get() { # a busybox cannot: it is static, and looks names up with libraries
  exec 3<> /dev/tcp/127.0.0.1/10815 &&
    printf 'GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n' "$1" "${2:-}" >&3 && timeout 20 cat <&3 > /tmp/got
  exec 3>&-
  grep -q '^HTTP/1.1 200' /tmp/got
}
serves() { get "$1" && grep -q "$2" /tmp/got; }
secure() { printf 'GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' "$1" |
  openssl s_client -quiet -connect 127.0.0.1:10815 2> /dev/null | grep -q "$2"; }
ended() { kill -TERM $1; wait $1; status=$?; [ $status = 0 ] || { show "the exporter ended with $status"; }; }
filtered() { grep -q '^Seccomp:.2' /proc/$1/status; }

say "$(uname -m) $(uname -r)"
/tests/unit_tests '[sandbox],privileges are given*,while there is another thread*,this process can be read' ||
  end "the tests of the filter failed"
httpd -p 127.0.0.1:8080 -h /www -c /httpd.conf

exporter="ecmp_exporter --sandbox=kill --config.file=/config.toml"
$exporter > /tmp/log 2>&1 &
pid=$!
tries 120 serves /-/ready . || { show "it did not become ready"; }
filtered $pid || end "it runs without a filter"
(get '/paths?follow=true') &
for destination in lo six tcp 127.0.0.2; do
  tries 60 serves /metrics "^ecmp_destination_up{destination=.$destination.*} 1" || { show "$destination is not reached"; }
done
for target in / /metrics /events /topology /config '/paths?since=1m'; do
  get "$target" $'Accept-Encoding: gzip\r\n' || show "no $target"
done
printf '[[destination]]\nname = "later"\nhost = "127.0.0.3"\n' >> /config.toml
kill -HUP $pid
tries 60 serves /metrics '^ecmp_destination_up{destination="later".* 1' || { show "it did not reload"; }
[ -n "$(ls /history)" ] || end "no history was written"
ended $pid
say "plain HTTP: all reached, reloaded, ended"

$exporter --user=ecmp --web.config.file=/web.yml > /tmp/log 2>&1 &
pid=$!
tries 120 secure /-/ready ' 200 ' || { show "it does not serve TLS"; }
filtered $pid || end "it runs without a filter"
tries 60 secure /metrics 'ecmp_destination_up{destination="lo".* 1' || { show "no metrics over TLS"; }
cp /fresh.pem /server.pem; cp /fresh.key /server.key
tries 60 secure /-/ready ' 200 ' || { show "fresh certificates are not taken"; }
ended $pid
say "TLS: served with certificates that change, ended"
end passed
"""


def run(*command, **more):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **more)


def needed(path):
    listed = subprocess.run(["aarch64-linux-gnu-objdump", "-p", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"NEEDED\s+(\S+)", listed)


def with_libraries(programs, places):
    """{name: file} of all libraries that the programs are linked to, directly or not."""
    found, wanted = {}, list(programs)
    while wanted:
        for name in needed(wanted.pop()):
            if name not in found:
                found[name] = next(path for path in (os.path.join(place, name) for place in places) if os.path.exists(path))
                wanted.append(found[name])
    return found


def fetch(scratch):
    """The kernel, a busybox and an openssl, unpacked; where they are. The packages are Debian's."""
    place = os.path.join(scratch, "packages")
    if not os.path.isdir(place):
        os.makedirs(place)
        depends = subprocess.run(["apt-cache", "depends", "linux-image-arm64:arm64"], capture_output=True, text=True, check=True).stdout
        kernel = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
        run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static:arm64", "bash:arm64",
            "libtinfo6:arm64", "openssl:arm64", kernel, cwd=place)
        for package in glob.glob(os.path.join(place, "*.deb")):
            run("dpkg-deb", "--extract", package, place)
    return place


def certificate(directory, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
        "/CN=a", "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem", stderr=subprocess.DEVNULL)
    os.chmod(f"{directory}/{name}.key", 0o644)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def ram_disk(build, scratch, packages):
    directory = os.path.join(scratch, "disk")
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("bin", "lib", "proc", "sys", "dev", "tmp", "run", "history", "tests", "etc", "www"):
        os.makedirs(os.path.join(directory, name))
    os.chmod(os.path.join(directory, "tmp"), 0o1777)
    os.chmod(os.path.join(directory, "history"), 0o777)
    programs = {"bin/ecmp_exporter": os.path.join(build, "src/ecmp_exporter"), "tests/unit_tests": os.path.join(build, "tests/unit_tests"),
                "bin/openssl": os.path.join(packages, "usr/bin/openssl"), "bin/bash": os.path.join(packages, "bin/bash")}
    for name, path in programs.items():
        shutil.copy(path, os.path.join(directory, name))
        run("aarch64-linux-gnu-strip", os.path.join(directory, name))
    places = [*LIBRARIES, *(packages + place for place in LIBRARIES)]
    for name, path in with_libraries(programs.values(), places).items():
        shutil.copy(path, os.path.join(directory, "lib", name))
    busybox, = [path for path in glob.glob(os.path.join(packages, "**/bin/busybox"), recursive=True) if os.path.isfile(path)]
    shutil.copy(busybox, os.path.join(directory, "bin/busybox"))
    certificate(directory, "server")
    certificate(directory, "fresh")
    write(os.path.join(directory, "init"), INIT, 0o755)
    write(os.path.join(directory, "config.toml"), CONFIG)
    write(os.path.join(directory, "web.yml"), "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n")
    write(os.path.join(directory, "www/targets.json"), '[{"targets": ["127.0.0.2"]}]')
    write(os.path.join(directory, "httpd.conf"), ".json:application/json\n")
    write(os.path.join(directory, "etc/passwd"), "root:x:0:0::/:/bin/sh\necmp:x:999:999::/:/bin/sh\n")
    write(os.path.join(directory, "etc/group"), "root:x:0:\necmp:x:999:\n")
    write(os.path.join(directory, "etc/resolv.conf"), "nameserver 127.0.0.1\n")
    packed = os.path.join(scratch, "disk.cpio")
    run("sh", "-c", 'cd "$1" && find . | cpio --quiet -o -H newc > "$2"', "sh", directory, packed)
    return packed


def main():
    build, scratch = (os.path.abspath(argument) for argument in sys.argv[1:3])
    packages = fetch(scratch)
    disk = ram_disk(build, scratch, packages)
    kernel, = glob.glob(os.path.join(packages, "boot/vmlinuz-*"))
    machine = subprocess.Popen(
        ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nographic",
         "-no-reboot", "-nic", "none", "-monitor", "none", "-serial", "stdio", "-kernel", kernel, "-initrd", disk, "-append",
         "console=ttyAMA0 quiet panic=-1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    signal.signal(signal.SIGALRM, lambda *_: machine.kill())
    signal.alarm(BOOT_SECONDS)
    passed = False
    for line in machine.stdout:
        print("  | " + line.rstrip(), flush=True)
        passed = passed or line.strip() == VERDICT
    machine.wait()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
