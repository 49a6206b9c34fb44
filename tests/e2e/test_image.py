"""The container image, made without a container engine (packaging/image.py), unpacked, and its entry point run with the
credentials that engines give it. Opt-in, since it makes a Debian over the network: ECMP_IMAGE=1."""
import json
import os
import signal
import subprocess
import tarfile

import pytest

from bare_root import run
from exporter import BINARY, Exporter, config, eventually
from lab import DESTINATION, Fan

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(ROOT, "build/image/ecmp-exporter.tar")
SECONDS = 900
NET_RAW = 13
# Becomes what an engine makes of a container's first process: arguments are the root, uid, escalation, then the command.
ENTER = """
import ctypes, os, shutil, sys
libc = ctypes.CDLL(None, use_errno=True)
root, uid, escalation = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for word in sys.argv[5:]:
    path = word.partition("--config.file=")[2]
    if os.path.exists(path) and not os.path.exists(root + path):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        shutil.copy(path, root + path)
os.chroot(root); os.chdir("/")
for capability in range(64):
    if capability != 13: libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.setgroups([]); os.setgid(uid); os.setuid(uid)
if escalation == "no": assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
os.execv(sys.argv[4], sys.argv[4:])
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """{config, root}: what the image says of itself, and its files."""
    signal.alarm(SECONDS)
    installed = tmp_path_factory.mktemp("installed")
    done = run("cmake", "--install", os.path.dirname(os.path.dirname(BINARY)), "--prefix", str(installed), "--strip")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(os.path.join(ROOT, "packaging/image.py"), "--output", IMAGE, "--release", str(installed), seconds=SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    directory = tmp_path_factory.mktemp("image")
    with tarfile.open(IMAGE) as archive:
        archive.extractall(directory)

    def blob(digest):
        return os.path.join(directory, "blobs", *digest.split(":"))

    def document(digest):
        with open(blob(digest)) as file:
            return json.load(file)
    with open(directory / "index.json") as file:
        manifest = document(json.load(file)["manifests"][0]["digest"])
    root = tmp_path_factory.mktemp("root")
    for parent in (root, *root.parents):
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    for packed in manifest["layers"]:
        subprocess.run(["tar", "--extract", "--gzip", "--file", blob(packed["digest"]), "--directory", root,
                        "--xattrs", "--xattrs-include=security.capability"], check=True)
    signal.alarm(300)
    return {"root": str(root), **document(manifest["config"]["digest"])}


@pytest.fixture(scope="module")
def fan():
    with Fan(width=2) as made:
        yield made


def test_the_image_says_what_the_dockerfile_says(image):
    with open(os.path.join(ROOT, "packaging/docker/Dockerfile")) as file:
        text = file.read()
    said = image["config"]
    assert f"USER {said['User']}\n" in text
    assert f"ENTRYPOINT {json.dumps(said['Entrypoint'])}\n" in text
    assert list(said["ExposedPorts"]) == ["10815/tcp"] and list(said["Volumes"]) == ["/var/lib/ecmp_exporter"]
    assert not os.path.exists(os.path.join(image["root"], "usr/bin/g++")), "the build's tools are in the image"


@pytest.mark.parametrize("uid,escalation", [("65532", "yes"), ("0", "no")], ids=["its own user", "root as in the chart"])
def test_its_entry_point_traces(image, fan, uid, escalation):
    """The image's own user has CAP_NET_RAW by the file, where privileges may be escalated; root has it from the engine."""
    said = image["config"]
    (entry,) = said["Entrypoint"]
    assert said["User"].split(":")[0] == "65532"
    text = config([{"name": "v4", "host": DESTINATION[4], "flows": 4}])
    prefix = ["/usr/bin/python3", "-c", ENTER, image["root"], uid, escalation]
    with Exporter(text, fan.network.ns("agent"), command_prefix=prefix, binary=entry) as running:
        eventually(lambda: [x for x in running.paths() if x["reached_dest"]], 15, running.read_log)
        with open(f"/proc/{running.process.pid}/status") as file:
            status = {key: value.strip() for key, _, value in (line.partition(":") for line in file)}
        assert status["Uid"].split()[0] == uid
        assert status["CapEff"] == "0" * 16, "a capability is kept"
        assert int(status["CapBnd"], 16) in (0, 1 << NET_RAW)


def test_a_user_without_escalation_says_what_is_missing(image, fan):
    """`capabilities.add` gives a process that is not root nothing where no file may give it either."""
    (entry,) = image["config"]["Entrypoint"]
    done = subprocess.run(["nsenter", f"--net=/run/netns/{fan.network.ns('agent')}", "--", "/usr/bin/python3", "-c", ENTER,
                           image["root"], "65532", "no", entry, *image["config"]["Cmd"]], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode != 0 and "CAP_NET_RAW" in done.stderr, done.stderr
