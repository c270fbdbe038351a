"""A real container registry on loopback: `docker-registry` with Basic authentication, and an image to build."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.server import free_port

ACCOUNT = ("deploys", "a-registry-password")
PASSWORD_HASH = "$2b$04$x/PVq3WubQbrF50u9mEzQ.JKO5PFzIEN9hcZ0.RqOvOw0TfT.oe4K"
"""The password of `ACCOUNT` as the registry wants it, by bcrypt."""
START_SECONDS = 60.0
_CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
auth:
  htpasswd: {{realm: registry, path: {accounts}}}
"""


def needs(*programs: str) -> None:
    """Skip where one of these programs is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that runs."""

    host: str
    account: tuple[str, str] = ACCOUNT

    def manifest(self, path: str, reference: str) -> httpx.Response:
        """What the registry answers for an image."""
        accepted = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        url = f"http://{self.host}/v2/{path}/manifests/{reference}"
        return httpx.get(url, auth=self.account, headers={"Accept": accepted})


@contextlib.contextmanager
def docker_registry(folder: Path, port: int | None = None) -> Iterator[Registry]:
    """A started registry, stopped at the end; another one of the same folder has its images."""
    needs("docker-registry")
    port, accounts = port or free_port(), folder / "htpasswd"
    folder.mkdir(parents=True, exist_ok=True)
    accounts.write_text(f"{ACCOUNT[0]}:{PASSWORD_HASH}\n")
    file = folder / "registry.yml"
    file.write_text(_CONFIGURATION.format(root=folder / "storage", port=port, accounts=accounts))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log)
    try:
        registry = Registry(f"127.0.0.1:{port}")
        _wait(registry, process, folder / "registry.log")
        yield registry
    finally:
        process.terminate()
        process.wait(20)


def _wait(registry: Registry, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://{registry.host}/v2/", auth=registry.account).status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the registry did not start: {log.read_text()[-2000:]}")
