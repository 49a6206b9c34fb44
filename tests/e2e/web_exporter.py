"""An ecmp_exporter with a web configuration, and what such a configuration is made of."""
import contextlib
import ctypes
import ctypes.util
import socket
import subprocess

from exporter import Exporter, eventually

CONFIG = """
[probe]
interval = "1s"
timeout = "300ms"
max_ttl = 3
flows = 1
[dns]
names = false
[[destination]]
name = "here"
host = "127.0.0.1"
"""
def bcrypt(password, cost=5):
    crypt = ctypes.CDLL(ctypes.util.find_library("crypt")).crypt
    crypt.restype = ctypes.c_char_p
    return crypt(password.encode(), f"$2b${cost:02}$abcdefghijklmnopqrstuu".encode()).decode()


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def authority(directory, name):
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def certificate(directory, name, ca, san, usage):
    """NAME.pem and NAME.key, signed by CA."""
    openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (directory / f"{name}.ext").write_text(f"subjectAltName={san}\nextendedKeyUsage={usage}\n")
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Web(Exporter):
    """An exporter with a web configuration; ready when it listens."""

    def __init__(self, directory, text, arguments=(), **options):
        self.web_directory = directory
        self.web_path = directory / "web.yml"
        self.web_path.write_text(text)
        super().__init__(CONFIG, arguments=[f"--web.config.file={self.web_path}", *arguments], ready_seconds=0, **options)
        try:
            eventually(self._listening, 15, lambda: "listening; its log:\n" + self.read_log())
        except BaseException:
            self.close()
            raise

    def _listening(self):
        assert self.process.poll() is None, f"the exporter ended with {self.process.returncode}:\n{self.read_log()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def curl(self, *arguments, path="/-/healthy", scheme="https"):
        """(HTTP status, or 0 when there was none; curl's exit code; what it printed)"""
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--write-out", "\n%{http_code}",
             *(["--cacert", "ca.pem"] if scheme == "https" else []), *arguments, f"{scheme}://localhost:{self.port}{path}",
             "--resolve", f"localhost:{self.port}:127.0.0.1"],
            cwd=self.web_directory, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), done.returncode, body + done.stderr

    def status(self, *arguments, **options):
        return self.curl(*arguments, **options)[0]

    def rewrite(self, text):
        """As an editor does: the file is replaced."""
        fresh = self.web_directory / "fresh.yml"
        fresh.write_text(text)
        fresh.rename(self.web_path)
