"""Every test here runs twice: with the terraform on PATH and with the shim over its library."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prefect_wfexec.settings import TERRAFORM
from prefect_wfexec.steps.terraform.binary import find_library
from tests.integration.terraform.support import Desk, path_without_terraform


@pytest.fixture(params=["program", "shim"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A desk whose definition folder has an odd name and holds an empty folder `infra`."""
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    env = {}
    if request.param == "shim":
        if find_library() is None:
            pytest.skip("the extra [terraform] is not installed")
        env["PATH"] = path_without_terraform()
    elif shutil.which("terraform") is None:
        pytest.skip("no terraform on PATH")
    folder, scratch = tmp_path / "défi nition", tmp_path / "scratch"
    (folder / "infra").mkdir(parents=True)
    scratch.mkdir()
    desk = Desk(folder, scratch, env)
    yield desk
    await desk.supervisor.close()
