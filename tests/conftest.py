"""Fixtures every test may use: one Prefect server for each test process, and its environment."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import sampling
from tests.support.product import marks
from tests.support.server import PrefectServer, prefect_server

SEED = "WFEXEC_STORIES_SEED"

# A busy machine is no failure of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the sample of stories."""
    group = parser.getgroup("stories")
    group.addoption("--stories", choices=("sample", "all"), default="sample", help="which stories a whole run takes")
    group.addoption("--stories-seed", help="draw the same sample again")
    marks.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Whether a sample is taken, and which, is decided once for all processes, and told."""
    if hasattr(config, "workerinput"):
        return
    if path := config.getoption(marks.OPTION):
        config.pluginmanager.register(marks.Coverage(path))
    os.environ.pop(SEED, None)
    if takes_sample(config):
        os.environ[SEED] = sampling.seed_of(config)


def pytest_report_header() -> str | None:
    """Which stories are run."""
    seed = os.environ.get(SEED)
    return f"stories: a sample, drawn again by --stories-seed {seed}; --stories all runs all" if seed else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave stories out of a run of everything, and note what each test shows."""
    marks.note_marks(items)
    seed = os.environ.get(SEED)
    if seed:
        items[:], left_out = sampling.split(items, seed)
        config.hook.pytest_deselected(items=left_out)


def takes_sample(config: pytest.Config) -> bool:
    """Whether this is a run of everything: who names files gets what they name."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return is_whole and config.getoption("--stories") == "sample"


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
