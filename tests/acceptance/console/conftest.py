"""A server, a worker, a gateway and a browser: the console as a person uses it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from tests.acceptance.console.workflows import SAVES_SECRET, WORKFLOWS, write_infrastructure
from tests.support.browser import BrowserMissing, browser_program, opened_page
from tests.support.console import Console
from tests.support.deployed import Site
from tests.support.gateway import Gateway, gateway, until
from tests.support.server import PrefectServer
from tests.support.signin import token_of, write_tokens

ROLES = {"ann@example.com": ["operator", "approver"], "vera@example.com": ["viewer"]}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; a machine without one is told how to get it, and fails where all has to be checked."""
    try:
        return browser_program()
    except BrowserMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def site(chromium: str, server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All workflows deployed, and a worker."""
    folder: Path = tmp_path_factory.mktemp("console")
    site = Site(server, folder, pool="console")
    write_infrastructure(site)
    for name, text in WORKFLOWS.items():
        site.workflow(name, text.replace("SITE_FOLDER", str(folder)))
    saved = site.python(SAVES_SECRET)
    assert saved.returncode == 0, saved.stderr
    site.deploy()
    with site.worker():
        yield site


@pytest.fixture(scope="module")
def serving(site: Site) -> Iterator[Gateway]:
    """The gateway of that server, with people of different roles."""
    tokens = write_tokens(site.folder / "tokens.yaml", ROLES)
    environment = {**site.server.environment, "PREFECT_INTEGRATIONS_WFEXEC_TOKENS_FILE": str(tokens)}
    with gateway(environment, site.folder) as started:
        until(lambda: httpx.get(f"{started.url}/api/v1/me").status_code == httpx.codes.UNAUTHORIZED)
        yield started


@pytest.fixture
def browser_page() -> Iterator[Page]:
    """An empty page."""
    with opened_page(1440, 900) as page:
        yield page


@pytest.fixture
def console(serving: Gateway, browser_page: Page) -> Console:
    """The console, signed in to as somebody who may do everything."""
    made = Console(serving, browser_page)
    made.sign_in(token_of("ann@example.com"))
    return made
