"""A decoder that is not ours reads our protobuf: protoc, with the public messages, against what it should say."""
import collections
import os
import re
import shutil
import subprocess

import pytest

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/render")


def messages(stream):
    """The messages of a sequence of them, each behind its length as a varint."""
    at = 0
    while at < len(stream):
        size = shift = 0
        while True:
            byte = stream[at]
            at += 1
            size |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                break
        assert at + size <= len(stream), "a length beyond the end"
        yield stream[at:at + size]
        at += size


def decoded(stream):
    """What protoc says of each message, one behind the other."""
    done = []
    for message in messages(stream):
        text = subprocess.run(["protoc", "--decode=io.prometheus.client.MetricFamily", f"--proto_path={GOLDEN}",
                               "metrics.proto"], input=message, capture_output=True)
        assert text.returncode == 0, text.stderr
        assert not text.stderr, text.stderr
        done.append(text.stdout.decode())
    return "\n".join(done)


def assert_begins_stand_where_they_may(text):
    """At whatever is counted, and at nothing else."""
    kind, begun = None, collections.Counter()
    for line in text.splitlines():
        if re.fullmatch(r"  (counter|gauge|summary|histogram) \{", line):
            kind = line.split()[0]
        elif line == "    created_timestamp {":
            begun[kind] += 1
    assert begun["counter"] > 10 and begun["histogram"] > 0 and not begun["gauge"], begun


@pytest.mark.parametrize("name", ["metrics", "own_metrics"])
def test_protoc_reads_what_the_golden_bytes_say(name):
    if shutil.which("protoc") is None:
        pytest.skip("protoc (Debian package protobuf-compiler) is not installed")
    with open(os.path.join(GOLDEN, name + ".protobuf"), "rb") as file:
        text = decoded(file.read())
    # An unknown field would be told by its number.
    assert not [line for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert_begins_stand_where_they_may(text)
    path = os.path.join(GOLDEN, name + ".protobuf.txt")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        with open(path, "w") as file:
            file.write(text)
    with open(path) as file:
        assert text == file.read()
