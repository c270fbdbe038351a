"""A gateway at the shared server, runs whose processes wait at a gate, and where their messages arrive."""

import asyncio
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from prefect_wfexec.blocks import Mailer
from prefect_wfexec.journal.keys import Keys
from tests.integration.gateway.support import KEY, MAILER, Desk
from tests.support.gateway import Gateway
from tests.support.mailbox import Mailbox
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment


@pytest.fixture(scope="module")
def gateway(server: PrefectServer) -> Iterator[Gateway]:
    with Gateway(server.url, Keys(KEY)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def desk(
    server: PrefectServer, gateway: Gateway, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    with temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: server.home}):
        asyncio.run(mailer.asave(MAILER, overwrite=True))
    environment = {
        **user_environment(server.environment, "jane"),
        "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": KEY,
        "PREFECT_INTEGRATIONS_WFEXEC_PUBLIC_URL": gateway.url,
    }
    wfexec = Wfexec(environment, tmp_path_factory.mktemp("linked"))
    yield Desk(wfexec, gateway, mailbox)
    wfexec.stop_all()


@pytest.fixture(scope="module")
def waiting(desk: Desk) -> str:
    """A run that nobody decides on."""
    return desk.start().run
