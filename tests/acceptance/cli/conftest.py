"""Commands against the shared server, each test file in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment


@pytest.fixture(scope="module")
def wfexec(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wfexec]:
    """`wfexec` as jane, at the shared server."""
    runner = Wfexec(user_environment(server.environment, "jane"), tmp_path_factory.mktemp("definitions"))
    yield runner
    runner.stop_all()


@pytest.fixture(scope="module")
def as_bob(wfexec: Wfexec) -> Wfexec:
    """Another person at another terminal."""
    return wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_USER="bob")


@pytest.fixture(scope="module")
def definition(wfexec: Wfexec) -> Callable[[str, str], Path]:
    """Writes a definition."""
    return wfexec.write
