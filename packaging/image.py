#!/usr/bin/python3
"""Makes the container image of packaging/docker/Dockerfile without a container engine, as root:

    packaging/image.py [--output FILE] [--release DIRECTORY]

Every instruction of the Dockerfile is carried out in roots made by debootstrap, and the last stage is written as an OCI image
(a tar file: `podman load -i`, `skopeo copy oci-archive:FILE ...`). --release takes the installed programs from DIRECTORY
(what `cmake --install build/release --prefix DIRECTORY` made, on the Debian of the image) instead of building them in the
first stage. SOURCE_DATE_EPOCH is the time of all files, by default that of the last commit.
"""
import argparse
import ctypes
import gzip
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUITES = {"debian:12-slim": "bookworm", "debian:13-slim": "trixie"}
MIRROR = os.environ.get("ECMP_MIRROR", "http://deb.debian.org/debian")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where the making leaves traces that nobody needs: logs, lists of packages, caches.
TRACES = ("var/log", "var/cache", "var/lib/apt/lists", "tmp", "run", "etc/resolv.conf", "var/lib/dpkg/status-old",
          "var/lib/dpkg/available-old", "etc/passwd-", "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/machine-id")


def instructions(text):
    """[(word, rest)] of a Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages(found):
    """[(base, name, [(word, rest)])]"""
    made = []
    for word, rest in found:
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            made.append((base.strip(), name.strip(), []))
        else:
            made[-1][2].append((word, rest))
    return made


def run(*command, **more):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **more)


def own_mounts():
    """Mounts made from now on are seen by nobody else, and end with this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, private, recursive = 0x20000, 1 << 18, 1 << 14
    if libc.unshare(clone_newns) != 0 or libc.mount(b"none", b"/", None, private | recursive, None) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of its own")


def copy_tree(source, target):
    """What is in a directory, as Docker copies it: the target's own mode stays."""
    os.makedirs(target, exist_ok=True)
    mode = os.stat(target).st_mode & 0o7777
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    os.chmod(target, mode)


class Stage:
    def __init__(self, base, directory):
        if base not in SUITES:
            sys.exit(f"image.py: {base} is none of {', '.join(SUITES)}")
        self.directory = directory
        self.workdir = "/"
        self.config = {"Env": [f"PATH={PATH}"]}
        run("debootstrap", "--variant=minbase", SUITES[base], directory, MIRROR, stdout=subprocess.DEVNULL)
        shutil.copyfile("/etc/resolv.conf", os.path.join(directory, "etc/resolv.conf"))

    def path(self, name):
        return os.path.join(self.directory, os.path.join(self.workdir, name).lstrip("/"))

    def carry_out(self, word, rest, others):
        if word == "WORKDIR":
            self.workdir = rest
            os.makedirs(self.path(rest), exist_ok=True)
        elif word == "COPY":
            self.copy(rest.split(), others)
        elif word == "RUN":
            self.run(rest)
        elif word == "USER":
            self.config["User"] = rest
        elif word in ("EXPOSE", "VOLUME"):
            names = json.loads(rest) if rest.startswith("[") else [f"{port}/tcp" for port in rest.split()]
            self.config["ExposedPorts" if word == "EXPOSE" else "Volumes"] = {name: {} for name in names}
        elif word in ("ENTRYPOINT", "CMD"):
            self.config["Entrypoint" if word == "ENTRYPOINT" else "Cmd"] = json.loads(rest)
        elif word == "LABEL":
            self.config["Labels"] = dict(pair.split("=", 1) for pair in shlex.split(rest))
        else:
            sys.exit(f"image.py: cannot carry out {word}")

    def copy(self, words, others):
        source, target = os.path.join(ROOT, words[-2]), self.path(words[-1])
        if words[0].startswith("--from="):
            source = others[words[0].removeprefix("--from=")].path(words[-2].lstrip("/"))
        if words[-2] == ".":  # what git knows, as .dockerignore leaves it; of a source tarball everything
            command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
            if not os.path.exists(os.path.join(ROOT, ".git")):
                command = ["find", ROOT, "-type", "f", "-printf", "%P\\0"]
            names = subprocess.run(command, check=True, capture_output=True).stdout
            run("sh", "-c", 'tar -C "$1" -c --null --ignore-failed-read -T "$3" | tar -C "$2" -x', "sh", ROOT, target,
                self._list(names))
        elif os.path.isdir(source):
            copy_tree(source, target)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)

    @staticmethod
    def _list(names):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(names)
        return file.name

    def run(self, command):
        """In a child, whose mounts end with it."""
        child = os.fork()
        if child == 0:
            try:
                own_mounts()
                run("mount", "-t", "proc", "proc", os.path.join(self.directory, "proc"))
                run("mount", "--rbind", "/dev", os.path.join(self.directory, "dev"))
                run("chroot", self.directory, "env", "-i", f"PATH={PATH}", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
                    "sh", "-c", f"cd {shlex.quote(self.workdir)} && {command}")
                os._exit(0)
            except BaseException as error:  # noqa: BLE001: the parent has a stack of its own
                print(f"image.py: {error}", file=sys.stderr)
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(f"image.py: RUN {command} failed")


def layer(directory, target, epoch):
    """The directory as a tar file that depends on nothing but its content. GNU tar knows file capabilities."""
    for trace in TRACES:
        path = os.path.join(directory, trace)
        if os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                run("rm", "-rf", os.path.join(path, name))
        elif os.path.lexists(path):
            os.unlink(path)
    run("tar", "--create", "--file", target, "--directory", directory, "--sort=name", f"--mtime=@{epoch}", "--numeric-owner",
        "--one-file-system", "--xattrs", "--xattrs-include=security.capability", "--format=posix", "--exclude=./dev/*",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", ".")


class Layout:
    """An OCI image layout in the making: blobs by their digests."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(os.path.join(directory, "blobs/sha256"))

    def blob(self, content, kind):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(self.directory, "blobs/sha256", digest), "wb") as file:
            file.write(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def json(self, value, kind):
        return self.blob(json.dumps(value, sort_keys=True).encode(), kind + "+json")


def write_image(stage, scratch, output, epoch):
    tar = os.path.join(scratch, "layer.tar")
    layer(stage.directory, tar, epoch)
    with open(tar, "rb") as file:
        content = file.read()
    layout = Layout(os.path.join(scratch, "layout"))
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    created = subprocess.run(["date", "-u", "-d", f"@{epoch}", "+%Y-%m-%dT%H:%M:%SZ"], check=True, capture_output=True,
                             text=True).stdout.strip()
    config = layout.json({"architecture": machine, "os": "linux", "created": created, "config": stage.config,
                          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
                          "history": [{"created": created, "created_by": "packaging/image.py"}]}, "config.v1")
    packed = layout.blob(gzip.compress(content, 6, mtime=0), "layer.v1.tar+gzip")
    manifest = layout.json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                            "layers": [packed]}, "manifest.v1")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "ecmp-exporter:latest"}
    for name, value in (("index.json", {"schemaVersion": 2, "manifests": [manifest]}),
                        ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(layout.directory, name), "w") as file:
            json.dump(value, file, sort_keys=True)

    def plain(info):
        info.mtime, info.uid, info.gid, info.uname, info.gname = epoch, 0, 0, "", ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info
    with tarfile.open(output, "w") as archive:
        for name in ("oci-layout", "index.json", "blobs"):
            archive.add(os.path.join(layout.directory, name), name, filter=plain)


def main():
    parser = argparse.ArgumentParser(description="Makes the container image without a container engine.")
    parser.add_argument("--output", default=os.path.join(ROOT, "build/image/ecmp-exporter.tar"))
    parser.add_argument("--release", help="installed programs, instead of the first stage's")
    given = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        sys.exit("image.py: needs root and debootstrap")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True).stdout)
    os.makedirs(os.path.dirname(os.path.abspath(given.output)), exist_ok=True)
    with open(os.path.join(ROOT, "packaging/docker/Dockerfile")) as file:
        found = stages(instructions(file.read()))
    scratch = tempfile.mkdtemp(prefix="image.", dir=os.path.dirname(os.path.abspath(given.output)))
    try:
        made = {}
        for number, (base, name, steps) in enumerate(found):
            if given.release and number < len(found) - 1:
                continue
            stage = Stage(base, os.path.join(scratch, name or "last"))
            for word, rest in steps:
                if word == "COPY" and rest.startswith("--from=") and given.release:
                    copy_tree(given.release, stage.path(rest.split()[-1]))
                else:
                    stage.carry_out(word, rest, made)
            made[name or "last"] = stage
        write_image(stage, scratch, given.output, epoch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(given.output)


if __name__ == "__main__":
    main()
