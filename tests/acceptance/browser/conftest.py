"""One server with Prefect's pages and one worker for all stories; a browser for each story.

Playwright keeps an event loop running in its thread, which a test with a loop of its own could not follow: so the
browser ends with its test.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.browser.workflows import WORKFLOWS, write_infrastructure
from tests.support.approving import Gateway
from tests.support.browser import BrowserMissing, PrefectPages, browser_program, opened_page
from tests.support.deployed import Site
from tests.support.mailbox import Mailbox
from tests.support.server import PrefectServer, prefect_server

SAVES_MAILER = """
import sys
from prefect_wfexec.blocks import Mailer
mailer = Mailer(host="127.0.0.1", port=int(sys.argv[1]), security="none", sender="deploys@example.com")
mailer.save("browser-mail", overwrite=True)
"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; a machine without one is told how to get it, and fails where all has to be checked."""
    try:
        return browser_program()
    except BrowserMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def with_pages(chromium: str) -> Iterator[PrefectServer]:
    """A server whose pages find its API."""
    with prefect_server({"PREFECT_SERVER_UI_API_URL": "/api"}) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(with_pages: PrefectServer) -> Iterator[Gateway]:
    """Where the links of approvers lead."""
    with Gateway(with_pages.url) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def site(with_pages: PrefectServer, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All workflows deployed, and a worker whose runs leave as soon as they only wait."""
    folder: Path = tmp_path_factory.mktemp("site")
    site = Site(with_pages, folder, pool="workflows")
    write_infrastructure(site)
    for name, text in WORKFLOWS.items():
        site.workflow(name, text.replace("SITE_FOLDER", str(folder)))
    site.deploy()
    with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s", "PREFECT_INTEGRATIONS_WFEXEC_PUBLIC_URL": gateway.url}):
        yield site


@pytest.fixture(scope="session")
def mailbox(site: Site) -> Iterator[Mailbox]:
    """Where the codes of approvers arrive."""
    with Mailbox() as mailbox:
        command = [sys.executable, "-c", SAVES_MAILER, str(mailbox.port)]
        subprocess.run(command, env=site.server.environment, check=True)
        yield mailbox


@pytest.fixture
def pages(site: Site) -> Iterator[PrefectPages]:
    """Prefect's pages on a small screen."""
    with opened_page() as page, PrefectPages(site.server, page) as pages:
        yield pages
