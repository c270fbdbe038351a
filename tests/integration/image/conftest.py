"""A service to build, a registry to push it to, and a desk for the steps."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.blocks import RegistryCredentials
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.registry import Registry, docker_registry, needs
from tests.support.server import PrefectServer

DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
FROM base AS web
ARG VERSION=none
ARG TOKEN
RUN ["/bin/busybox", "sh", "-c", "echo version=$VERSION token=$TOKEN; echo $VERSION > /version"]
CMD ["/bin/busybox", "cat", "/version"]
"""


@dataclass
class Desk:
    """Runs image steps in a folder of the test's."""

    folder: Path
    secrets: tuple[str, ...] = ()
    context: StepContext | None = None

    @property
    def workspace(self) -> Path:
        return self.folder / "run"

    @property
    def images(self) -> Path:
        return self.workspace / ".images"

    def write(self, dockerfile: str, name: str = "Dockerfile") -> None:
        (self.folder / "app" / name).write_text(dockerfile)

    def make(self, step_type: str, **with_: Any) -> StepContext:
        """The context of a step, whose log is kept."""
        if step_type == "image.build":
            with_ = {"context": "app"} | with_
        self.context = make_context(
            step_type, with_=with_, folder=self.folder, workspace=self.workspace, secrets=self.secrets
        )
        return self.context

    async def run(self, step_type: str, **with_: Any) -> StepResult:
        return await run_step(self.make(step_type, **with_))

    async def fail(self, step_type: str, **with_: Any) -> StepFailed:
        with pytest.raises(StepFailed) as failed:
            await self.run(step_type, **with_)
        return failed.value

    @property
    def log(self) -> str:
        assert self.context is not None
        return log_of(self.context).text()

    def left_behind(self) -> list[str]:
        """What builds have left in the run's folder besides images that are complete."""
        return [str(path) for path in (self.images / "at-work").glob("*")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    needs("busybox")
    (tmp_path / "app").mkdir()
    shutil.copy(shutil.which("busybox") or "", tmp_path / "app" / "busybox")
    made = Desk(tmp_path)
    made.write(DOCKERFILE)
    return made


@pytest.fixture(params=["buildah", "podman", "docker"])
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each builder that is there."""
    name = str(request.param)
    needs(name)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", name)
    if name == "docker":
        needs("skopeo")
        if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode != 0:
            pytest.skip("no docker daemon answers")
    if name == "podman":
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_BUILD_ISOLATION", "chroot")
    return name


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture
async def block(registry: Registry, api: PrefectServer) -> AsyncIterator[str]:
    """The name of a saved block that may push to the registry."""
    username, password = registry.account
    credentials = RegistryCredentials(registry=registry.host, username=username, password=password, tls_verify=False)
    await credentials.asave("registry-of-test", overwrite=True)
    yield "registry-of-test"
    await RegistryCredentials.adelete("registry-of-test")
