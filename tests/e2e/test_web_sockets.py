"""Where the exporter listens besides TCP: unix sockets, and sockets that systemd passes."""
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

from exporter import BINARY, Exporter, eventually, free_port
from web_exporter import CONFIG, Web


@pytest.fixture
def files(tmp_path):
    return tmp_path


def over_socket(path, *arguments):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "10", "--unix-socket", str(path),
                           "http://localhost/-/healthy", *arguments], capture_output=True, text=True)
    return done.stdout


def test_a_unix_socket(files):
    path = files / "web.sock"
    arguments = [f"--web.listen-address=unix:{path}"]
    with Web(files, "", arguments) as running:
        assert over_socket(path) == "healthy\n" and running.status(scheme="http") == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with Exporter(CONFIG, arguments=arguments, ready_seconds=0) as second:
            assert second.process.wait(10) == 1
            assert f"cannot listen on unix:{path}: Address already in use" in second.read_log()
        assert over_socket(path) == "healthy\n"
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    assert path.exists()  # left behind by a process that was killed
    with Web(files, "", arguments) as running:
        assert over_socket(path) == "healthy\n"
        assert running.stop()[0] == 0
    assert not path.exists()


def test_a_file_that_is_no_socket_stays(files):
    path = files / "web.sock"
    path.write_text("precious")
    with Exporter(CONFIG, arguments=[f"--web.listen-address=unix:{path}"], ready_seconds=0) as running:
        assert running.process.wait(10) == 1 and "Address already in use" in running.read_log()
    assert path.read_text() == "precious"


LAUNCHER = """
import os, socket, sys
path, port = sys.argv[1], int(sys.argv[2])
sockets = [socket.socket(), socket.socket(socket.AF_UNIX)]
sockets[0].bind(("127.0.0.1", port))
sockets[1].bind(path)
for at, one in enumerate(sockets):
    one.listen()
    os.dup2(one.fileno(), 100 + at)  # first out of the way of each other
for at in range(2):
    os.dup2(100 + at, 3 + at)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.mark.parametrize("launcher", ["systemd-socket-activate", "a program of our own"])
def test_sockets_that_systemd_passes(tmp_path, launcher):
    config_path, port, path = tmp_path / "exporter.toml", free_port(), tmp_path / "passed.sock"
    config_path.write_text('[web]\nlisten_addresses = ["127.0.0.1:1"]\n' + CONFIG)
    command = [BINARY, f"--config.file={config_path}", "--web.systemd-socket"]
    if launcher == "systemd-socket-activate":
        if not shutil.which(launcher):
            pytest.skip(f"{launcher} is not installed")
        command = [launcher, f"--listen=127.0.0.1:{port}", f"--listen={path}", *command]
    else:
        command = [sys.executable, "-c", LAUNCHER, str(path), str(port), *command]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def healthy():
            done = subprocess.run(["curl", "--silent", "--max-time", "10", "--noproxy", "*",
                                   f"http://127.0.0.1:{port}/-/healthy"], capture_output=True, text=True)
            return done.stdout == "healthy\n"

        eventually(healthy, 20, lambda: (tmp_path / "log").read_text())
        assert over_socket(path) == "healthy\n"
        text = (tmp_path / "log").read_text()
        assert f"port={port}" in text and f"unix:{path}" in text and "port=1 " not in text
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert path.exists()  # systemd's, not ours


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "x"}])
def test_without_sockets_of_systemd_it_says_so(tmp_path, environment):
    config_path = tmp_path / "exporter.toml"
    config_path.write_text(CONFIG)
    done = subprocess.run([BINARY, f"--config.file={config_path}", "--web.systemd-socket"], capture_output=True, text=True,
                          timeout=20, env={**os.environ, **environment})
    assert done.returncode == 1 and "--web.systemd-socket: no sockets" in done.stderr
