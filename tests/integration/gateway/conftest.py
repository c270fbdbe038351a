"""A gateway at the shared server, runs whose processes wait at a gate, and where their messages arrive."""

import asyncio
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from prefect_wfexec.blocks import Mailer, SlackBot
from prefect_wfexec.journal.keys import Keys
from tests.integration.gateway.support import ANN, BOB, BOT, KEY, MAILER, OTHER_SECRET, Desk
from tests.support.approving import Gateway
from tests.support.mailbox import Mailbox
from tests.support.server import PrefectServer
from tests.support.slack_stub import SlackStub
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
def slack() -> Iterator[SlackStub]:
    with SlackStub() as slack:
        slack.add_user("U0ANN", ANN)
        slack.add_user("U0BOB", BOB.upper())
        yield slack


@pytest.fixture(scope="module")
def desk(
    server: PrefectServer,
    gateway: Gateway,
    mailbox: Mailbox,
    slack: SlackStub,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    bots = {
        name: SlackBot(token=slack.token, base_url=slack.base_url, signing_secret=secret)
        for name, secret in ((BOT, slack.signing_secret), ("other-app", OTHER_SECRET))
    }
    with temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: server.home}):
        asyncio.run(save(mailer, bots))
    environment = {
        **user_environment(server.environment, "jane"),
        "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": KEY,
        "PREFECT_INTEGRATIONS_WFEXEC_PUBLIC_URL": gateway.url,
    }
    wfexec = Wfexec(environment, tmp_path_factory.mktemp("linked"))
    yield Desk(wfexec, gateway, mailbox)
    wfexec.stop_all()


async def save(mailer: Mailer, bots: dict[str, SlackBot]) -> None:
    await mailer.asave(MAILER, overwrite=True)
    for name, bot in bots.items():
        await bot.asave(name, overwrite=True)


@pytest.fixture(scope="module")
def waiting(desk: Desk) -> str:
    """A run that nobody decides on."""
    return desk.start().run
