"""The slow apply that is interrupted, against the shared server."""

from pathlib import Path

import pytest

from tests.acceptance.faults.slow_apply import SlowApply
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec


@pytest.fixture
def slow_apply(server: PrefectServer, tmp_path: Path) -> SlowApply:
    """One run of it, in a folder of the test's own."""
    return SlowApply(Wfexec(server.environment, tmp_path), tmp_path / "work")
