"""The block types, saved on and loaded from a real Prefect server."""

from datetime import UTC, datetime
from importlib.metadata import entry_points

import pytest
from prefect.blocks.core import Block
from pydantic import ValidationError

import prefect_wfexec.blocks as blocks
from prefect_wfexec.blocks import (
    ApprovalPolicy,
    CleanupPolicy,
    GitCredentials,
    GitHubTrigger,
    GitLabTrigger,
    IncidentTrigger,
    Mailer,
    RegistryCredentials,
    SlackBot,
    TargetEnvironment,
    WebhookTrigger,
)
from prefect_wfexec.engine.environment import BLOCK_SLUG as ENVIRONMENT_SLUG
from prefect_wfexec.engine.environment import BLOCK_TYPE_NAME as ENVIRONMENT_NAME
from prefect_wfexec.runtime.saved_blocks import read_block_data
from prefect_wfexec.steps.slack import BLOCK_SLUG, BLOCK_TYPE_NAME
from prefect_wfexec.triggers.secrets import BLOCK_NAMES, BLOCK_SLUGS

TRIGGERS = [GitHubTrigger, GitLabTrigger, IncidentTrigger, WebhookTrigger]


def test_prefect_finds_the_blocks_as_a_collection() -> None:
    found = [point.value for point in entry_points(group="prefect.collections") if point.name == "prefect_wfexec"]
    assert found == ["prefect_wfexec.blocks"]


def test_what_is_exported_is_there() -> None:
    assert sorted(blocks.__all__) == blocks.__all__
    assert all(hasattr(blocks, name) for name in blocks.__all__)


def test_the_step_looks_for_the_type_that_the_block_is() -> None:
    assert SlackBot.get_block_type_slug() == BLOCK_SLUG
    assert SlackBot.get_block_type_name() == BLOCK_TYPE_NAME


@pytest.mark.parametrize(
    "kind",
    [
        *(ApprovalPolicy, CleanupPolicy, GitCredentials, Mailer, RegistryCredentials, SlackBot, TargetEnvironment),
        *TRIGGERS,
    ],
)
def test_the_form_in_prefect_explains_every_field(kind: type[Block]) -> None:
    schema = kind.model_json_schema()
    assert all(field["title"] and field["description"] for field in schema["properties"].values())
    secret = {SlackBot: ["signing_secret", "token"], Mailer: ["password"]}
    secret |= {GitCredentials: ["private_key", "token"], RegistryCredentials: ["password"]}
    secret |= {key: ["previous_secret", "secret"] for key in TRIGGERS}
    assert sorted(schema["secret_fields"]) == secret.get(kind, [])
    # Of a field that may be null the page makes two, and shows a secret in it.
    assert [name for name, field in schema["properties"].items() if "anyOf" in field] == (
        ["policy"] if kind is TargetEnvironment else []
    )
    assert not any("<" in field["description"] for field in schema["properties"].values())
    assert kind.get_description()
    assert f"{kind.__name__}(" in (kind.get_code_example() or "")


def test_the_token_is_not_shown() -> None:
    assert "xoxb" not in repr(SlackBot(token="xoxb-1"))


@pytest.mark.parametrize(
    ("given", "kept"), [("https://slack.com/api", "https://slack.com/api/"), ("http://x/api/", "http://x/api/")]
)
def test_the_address_ends_with_a_slash(given: str, kept: str) -> None:
    assert SlackBot(token="t", base_url=given).base_url == kept


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        SlackBot(token="t", base_url="slack.com/api")


async def test_a_saved_environment_is_read_by_a_run(api) -> None:
    variables = {"api_endpoint": "https://api.example.com", "zones": ["a", "b"]}
    await TargetEnvironment(variables=variables).asave("for-reading", overwrite=True)
    data = await read_block_data(ENVIRONMENT_SLUG, "for-reading", ENVIRONMENT_NAME)
    assert (data["active"], data["variables"]) == (True, variables)
    assert (TargetEnvironment.get_block_type_slug(), TargetEnvironment.get_block_type_name()) == (
        ENVIRONMENT_SLUG,
        ENVIRONMENT_NAME,
    )


def test_triggers_look_for_the_types_that_the_blocks_are() -> None:
    assert sorted(BLOCK_SLUGS.values()) == sorted(kind.get_block_type_slug() for kind in TRIGGERS)
    assert sorted(BLOCK_NAMES.values()) == sorted(kind.get_block_type_name() for kind in TRIGGERS)


@pytest.mark.parametrize("kind", TRIGGERS)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Field required"),
        ({"secret": ""}, "an empty secret"),
        ({"secret": "pasted\n"}, "white space"),
        ({"secret": "new", "previous_secret": "old"}, "until when"),
        ({"secret": "new", "allowed_networks": ["192.0.2.1/24"]}, "networks such as"),
        ({"secret": "new", "allowed_networks": ["everywhere"]}, "networks such as"),
    ],
)
def test_a_secret_that_can_not_work_is_refused(kind: type[Block], fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind(**fields)


def test_a_previous_secret_has_an_end_in_utc_and_none_is_shown() -> None:
    block = GitHubTrigger(
        secret="new-one", previous_secret="old-one", previous_secret_expires="2030-01-01T00:00:00", allowed_networks=[]
    )
    assert block.previous_secret_expires == datetime(2030, 1, 1, tzinfo=UTC)
    assert "-one" not in repr(block)
    assert GitHubTrigger(secret="x", previous_secret_expires="").previous_secret_expires is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a token or a private key"),
        ({"token": "pasted\n"}, "white space"),
        ({"token": "x", "username": "a:b"}, "without a colon"),
        ({"token": "x", "username": "-oProxyCommand=x"}, "without a colon"),
        ({"private_key": "ssh-ed25519 AAAA"}, "a private key is wanted"),
    ],
)
def test_git_credentials_that_can_not_work_are_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        GitCredentials(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"registry": "https://registry.example.com"}, "and nothing else"),
        ({"registry": "registry.example.com/team"}, "and nothing else"),
        ({"registry": "-x"}, "and nothing else"),
        ({"registry": "r.example", "username": "a"}, "go together"),
        ({"registry": "r.example", "password": "a"}, "go together"),
        ({"registry": "r.example", "username": "a:b", "password": "c"}, "without a colon"),
    ],
)
def test_a_registry_that_can_not_work_is_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RegistryCredentials(**fields)


def test_a_registry_is_kept_as_image_names_have_it() -> None:
    assert RegistryCredentials(registry=" Registry.Example.com:5000 ").registry == "registry.example.com:5000"
