"""A real `sshd` on loopback, for repositories that are reached over ssh."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import free_port

START_SECONDS = 30.0
_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
LogLevel ERROR
"""


@dataclass(frozen=True, slots=True)
class SshServer:
    """An ssh server that runs.

    Attributes:
        port: Its port.
        known_hosts: Its host key, as a line of known_hosts.
        private_key: A key that it lets in.
    """

    port: int
    known_hosts: str
    private_key: str

    def url(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"


def make_key(path: Path) -> str:
    """A new key pair without a passphrase; the private key's text."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path.read_text()


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """A started server, stopped at the end; skips where sshd is not installed or lets nobody in."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("sshd and ssh are not installed")
    folder.mkdir(parents=True, exist_ok=True)
    make_key(folder / "host_key")
    private_key = make_key(folder / "user_key")
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    port = free_port()
    (folder / "sshd_config").write_text(_CONFIGURATION.format(port=port, folder=folder))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    known_hosts = f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}"
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield SshServer(port, known_hosts, private_key)
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.skip("sshd does not start for this user")
