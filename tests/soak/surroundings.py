"""What surrounds an exporter and fails while it runs: its name servers, and the disk of its history."""
import contextlib
import os
import pathlib
import subprocess
import tempfile

from exporter import eventually
from test_dns import SILENT, NameServer, with_resolv_conf

HERE = "nameserver 127.0.0.1\n"
NOWHERE = "nameserver 127.0.0.99\n"  # nothing listens there
DISK = "48m"  # more than all files of the history take
LEFT = 3.0  # s: rounds that wait to be written as the disk fills, and as it is tried again


class Names:
    """A name server for the destination `name`, and a resolv.conf of the exporter's own, which `prefix` gives it."""

    def __init__(self, namespace, name, address):
        self.directory = tempfile.TemporaryDirectory(prefix="ecmp-soak-names-")
        self.path = pathlib.Path(self.directory.name)
        self.name, self.address = name, address
        self.prefix = with_resolv_conf(self.path, HERE)
        self.server = NameServer(namespace, {name: address})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        self.directory.cleanup()

    def vanish(self):
        """The servers keep quiet, then others are named that are none. Returns what brings them back."""
        self.server.zone[self.name] = SILENT
        (self.path / "resolv.conf").write_text(NOWHERE)

        def come_back():
            self.server.zone[self.name] = self.address
            (self.path / "resolv.conf").write_text(HERE)
        return come_back


class Disk:
    """A small file system of its own for the history."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="ecmp-soak-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "soak", self.directory], check=True)
        self.full = []  # [from, to] of the wall clock
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.directory], check=True)
        os.rmdir(self.directory)

    def fill(self, exporter, clock):
        """Leaves no room. Returns what makes room again."""
        def writable(value):
            found = exporter.metrics().families["ecmp_exporter_history_disk_writable"]
            return found and found[0][1] == value

        filler = os.path.join(self.directory, "filler")
        self.full.append([clock(), float("inf")])
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1))
        eventually(lambda: writable(0), 15, "a full disk is reported")

        def empty():
            os.remove(filler)
            eventually(lambda: writable(1), 15, "the history is written again")
            self.full[-1][1] = clock()
        return empty

    def may_lack(self, at):
        """Whether a round that began then need not be on the disk."""
        return any(begin - LEFT <= at <= end + LEFT for begin, end in self.full)
