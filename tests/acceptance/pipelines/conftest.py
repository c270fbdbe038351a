"""Commands against the shared server, and the environments that its pipelines deploy to."""

from collections.abc import Iterator

import pytest

from prefect_wfexec.blocks import TargetEnvironment
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment


@pytest.fixture(scope="module")
def wfexec(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wfexec]:
    """`wfexec` as jane, at the shared server."""
    runner = Wfexec(user_environment(server.environment, "jane"), tmp_path_factory.mktemp("pipelines"))
    yield runner
    runner.stop_all()


@pytest.fixture
async def environments(api: PrefectServer) -> None:
    """`test` and `stage` are automatic, `live` is manual, `vault` wants an approver, `shut` is not active.

    `locked-a` and `locked-b` have a lock each.
    """
    await TargetEnvironment(variables={"size": 1}).asave("test", overwrite=True)
    await TargetEnvironment(variables={"size": 2}).asave("stage", overwrite=True)
    await TargetEnvironment(deployment="manual", variables={"size": 9}).asave("live", overwrite=True)
    vault = TargetEnvironment(deployment="manual", approvers=["ann@example.com"], variables={"size": 3})
    await vault.asave("vault", overwrite=True)
    for name in ("a", "b"):
        await TargetEnvironment(lock_key=name, variables={"size": 0}).asave(f"locked-{name}", overwrite=True)
    await TargetEnvironment(active=False).asave("shut", overwrite=True)
