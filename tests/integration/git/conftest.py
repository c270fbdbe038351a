"""A repository with some history, served over HTTP, and a desk to clone it at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.git_server import GitServer, Origin, needs_git


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    needs_git()
    return Origin.make(tmp_path / "repositories", "app")


@pytest.fixture
def remote(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    with GitServer(tmp_path / "repositories") as server:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS", server.host)
        yield server


@dataclass
class Desk:
    """Clones into a folder of the test's."""

    workspace: Path
    context: StepContext | None = None

    async def clone(self, url: str, trigger: dict[str, Any] | None = None, **with_: Any) -> StepResult:
        """The result of a step, whose log is kept."""
        self.context = make_context("git.clone", with_={"url": url, **with_}, workspace=self.workspace, trigger=trigger)
        return await run_step(self.context)

    async def fail(self, url: str, **with_: Any) -> StepFailed:
        """The error of a step, which has left no files."""
        with pytest.raises(StepFailed) as failed:
            await self.clone(url, **with_)
        assert not (self.workspace / "step").exists()
        return failed.value

    @property
    def log(self) -> str:
        assert self.context is not None
        return log_of(self.context).text()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "run")
