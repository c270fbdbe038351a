"""The secrets of triggers, as saved blocks hold them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient, get_client

from prefect_wfexec.blocks import GitHubTrigger, GitLabTrigger
from prefect_wfexec.errors import EngineError
from prefect_wfexec.triggers.secrets import ActiveSecret, NoSecrets, Secrets, load_secrets, secrets_of
from tests.support.server import PrefectServer, free_port
from tests.unit.triggers.support import NOW


@pytest.fixture
async def client(api: PrefectServer) -> AsyncIterator[PrefectClient]:
    async with get_client() as opened:
        yield opened


async def test_both_secrets_of_a_saved_block_are_found(client: PrefectClient) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    block = GitHubTrigger(
        secret="the new one",
        previous_secret="the old one",
        previous_secret_expires=ends,
        allowed_networks=["192.0.2.0/24", "2001:db8::/32"],
    )
    await block.asave("both-secrets", overwrite=True)
    found = await load_secrets("both-secrets", "github", client)
    assert [(one.value, one.name, one.expires) for one in found.all] == [
        (b"the new one", "secret", None),
        (b"the old one", "previous_secret", ends),
    ]
    assert found.allowed_networks == (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    assert len(found.active(ends - timedelta(seconds=1))) == 2
    assert [one.name for one in found.active(ends)] == ["secret"]
    assert "the new" not in repr(found)
    assert "the old" not in repr(found)


async def test_a_plain_secret_does(client: PrefectClient) -> None:
    await Secret(value="just this").asave("plain-secret", overwrite=True)
    assert [one.value for one in (await load_secrets("plain-secret", "webhook", client)).all] == [b"just this"]


@pytest.mark.parametrize("value", [{"a": "b"}, ""])
async def test_a_plain_secret_that_is_no_text_proves_nothing(client: PrefectClient, value: Any) -> None:
    await Secret(value=value).asave("odd-secret", overwrite=True)
    with pytest.raises(NoSecrets, match="odd-secret"):
        await load_secrets("odd-secret", "github", client)


async def test_the_trigger_s_own_kind_comes_before_a_plain_secret(client: PrefectClient) -> None:
    await Secret(value="plain").asave("of-both-kinds", overwrite=True)
    await GitHubTrigger(secret="own kind").asave("of-both-kinds", overwrite=True)
    assert (await load_secrets("of-both-kinds", "github", client)).all[0].value == b"own kind"


async def test_a_block_that_is_missing_or_of_another_kind_is_named(client: PrefectClient) -> None:
    with pytest.raises(NoSecrets) as caught:
        await load_secrets("nowhere", "incident", client)
    assert caught.value.message == "no Incident Trigger (wfexec) block 'nowhere' is saved, and no Secret block"
    assert "prefect block register" in (caught.value.hint or "")
    await GitLabTrigger(secret="other").asave("of-gitlab", overwrite=True)
    with pytest.raises(NoSecrets, match=r"is a GitLab Trigger \(wfexec\); a github trigger wants"):
        await load_secrets("of-gitlab", "github", client)
    with pytest.raises(NoSecrets, match="takes no deliveries"):
        await load_secrets("of-gitlab", "manual", client)


async def test_an_api_that_does_not_answer_is_no_missing_block() -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere, PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with PrefectClient(nowhere) as client:
            with pytest.raises(EngineError, match="can't be read"):
                await load_secrets("any", "github", client)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "'secret'"),
        ({"secret": None}, "'secret'"),
        ({"secret": " "}, "is empty"),
        ({"secret": "x", "previous_secret_expires": "soon"}, "'previous_secret_expires'"),
        ({"secret": "x", "allowed_networks": ["everywhere"]}, "'allowed_networks'"),
        ({"secret": "x", "allowed_networks": "192.0.2.0/24"}, "'allowed_networks'"),
    ],
)
def test_fields_that_can_not_be_used_are_named_and_not_shown(data: dict[str, Any], words: str) -> None:
    with pytest.raises(NoSecrets) as caught:
        secrets_of("hook", data)
    assert words in caught.value.message


def test_a_previous_secret_without_an_end_proves_nothing() -> None:
    given = {"secret": "new", "previous_secret": "old", "previous_secret_expires": None}
    assert [one.value for one in secrets_of("hook", given).all] == [b"new"]
    ends = secrets_of("hook", given | {"previous_secret_expires": "2030-01-01T12:00:00"}).all[1].expires
    assert ends == NOW


def test_a_line_end_pasted_into_prefect_s_form_is_no_part_of_a_secret() -> None:
    given = {"secret": "new\n", "previous_secret": " old\r\n", "previous_secret_expires": "2030-01-01T12:00:00Z"}
    assert [one.value for one in secrets_of("hook", given).all] == [b"new", b"old"]


def test_empty_secrets_are_never_in_force() -> None:
    given = Secrets("hook", tuple(ActiveSecret(value) for value in (b"", b" \n", b"whsec_")))
    assert given.active(NOW) == ()
