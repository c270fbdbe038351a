"""Fixtures every test may use: one Prefect server for each test process, and its environment."""

from collections.abc import Iterator

import pytest

from tests.support.server import PrefectServer, prefect_server


@pytest.fixture(scope="session")
def server() -> Iterator[PrefectServer]:
    """A real Prefect server, shared by the tests of this process; tests that kill a server start their own."""
    with prefect_server() as started:
        yield started


@pytest.fixture
def api(server: PrefectServer) -> Iterator[PrefectServer]:
    """The shared server, as the API of this process."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    with temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: server.home}):
        yield server
