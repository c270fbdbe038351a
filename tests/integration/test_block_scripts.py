"""The scripts in blocks/ save documents that workflows find."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_wfexec.blocks import (
    ApprovalPolicy,
    CleanupPolicy,
    GitCredentials,
    GitHubTrigger,
    IncidentTrigger,
    Mailer,
    RegistryCredentials,
    SlackBot,
    SonarQube,
    TargetEnvironment,
)
from prefect_wfexec.definition.loader import load_definition, load_text
from prefect_wfexec.engine.approvals.protection import unguarded
from prefect_wfexec.engine.approvals.rules import rules_of
from prefect_wfexec.engine.cleanup.policy import read_rules as read_cleanup_rules
from prefect_wfexec.engine.environment import read_environment
from prefect_wfexec.engine.notices.senders import MAILER_SLUG, MAILER_TYPE_NAME, MailAccess
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.runtime.saved_blocks import read_block_data
from prefect_wfexec.steps.registry import catalog
from tests.support.server import PrefectServer

SCRIPTS = Path(__file__).resolve().parents[2] / "blocks"
DEFINITION = SCRIPTS.parent / "flows" / "production_deploy.yaml"
SMTP = {"SMTP_HOST": "smtp.example.com", "SMTP_SENDER": "deploys@example.com"}


def run_script(name: str, server: PrefectServer, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / name)]
    environment = {**server.environment, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.fixture
async def no_bot_afterwards(api: PrefectServer) -> AsyncIterator[None]:
    """Other tests on this server count on there being no bot."""
    yield
    await SlackBot.adelete("slack")


@pytest.fixture
async def no_blocks_afterwards(api: PrefectServer) -> AsyncIterator[None]:
    """Nor do they count on a mailer, a policy or environments."""
    yield
    for kind, names in (
        (Mailer, ["mail"]),
        (TargetEnvironment, ["staging", "production"]),
        (ApprovalPolicy, ["production"]),
        (CleanupPolicy, ["sandboxes"]),
        (GitHubTrigger, ["github-webhook"]),
        (IncidentTrigger, ["incidents"]),
        (GitCredentials, ["git"]),
        (RegistryCredentials, ["registry"]),
    ):
        for name in names:
            with contextlib.suppress(ValueError):  # it was not saved
                await kind.adelete(name)


@pytest.mark.usefixtures("no_bot_afterwards")
async def test_the_slack_bot_is_saved_and_can_be_saved_again(api: PrefectServer) -> None:
    for token in ("xoxb-first-token", "xoxb-second-token"):
        ended = run_script("slack_bot.py", api, SLACK_BOT_TOKEN=token, SLACK_API_URL="https://gateway.example/api")
        assert ended.returncode == 0, ended.stderr
        assert token not in ended.stdout + ended.stderr

    saved = await SlackBot.aload("slack")
    assert saved.token.get_secret_value() == "xoxb-second-token"
    assert saved.base_url == "https://gateway.example/api/"


async def test_the_sonarqube_server_is_saved(api: PrefectServer) -> None:
    given = {"SONAR_URL": "https://sonar.example.com/", "SONAR_TOKEN": "squ_a-token-of-mine"}
    ended = run_script("sonarqube_server.py", api, **given)
    assert ended.returncode == 0, ended.stderr
    assert given["SONAR_TOKEN"] not in ended.stdout + ended.stderr
    saved = await SonarQube.aload("sonarqube")
    assert (saved.url, saved.token.get_secret_value()) == ("https://sonar.example.com", given["SONAR_TOKEN"])
    await SonarQube.adelete("sonarqube")
    assert run_script("sonarqube_server.py", api, SONAR_URL="x", SONAR_TOKEN="").returncode == 1


def test_without_a_token_nothing_is_saved_and_the_variable_is_named(api: PrefectServer) -> None:
    ended = run_script("slack_bot.py", api, SLACK_BOT_TOKEN="")
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith("SLACK_BOT_TOKEN is not set")


async def test_every_workflow_secret_is_saved_under_the_name_steps_look_for(api: PrefectServer) -> None:
    from prefect.client.orchestration import get_client

    from prefect_wfexec.engine.secret_values import load_secrets

    values = {"WORKFLOW_SECRET_DB_PASSWORD": "correct horse", "WORKFLOW_SECRET_TOKEN": "battery staple"}
    ended = run_script("workflow_secrets.py", api, **values)
    assert ended.returncode == 0, ended.stderr
    assert "horse" not in ended.stdout
    async with get_client() as client:
        assert await load_secrets(client, ["db_password", "token"]) == {
            "db_password": "correct horse",
            "token": "battery staple",
        }


@pytest.mark.usefixtures("no_blocks_afterwards")
async def test_the_mailer_is_saved_as_notices_read_it(api: PrefectServer) -> None:
    account = {"SMTP_PORT": "465", "SMTP_SECURITY": "tls", "SMTP_USERNAME": "deploys", "SMTP_PASSWORD": "correct horse"}
    for variables in (SMTP, SMTP | account):
        ended = run_script("mailer.py", api, **variables)
        assert ended.returncode == 0, ended.stderr
        assert "horse" not in ended.stdout + ended.stderr

    saved = MailAccess.model_validate(dict(await read_block_data(MAILER_SLUG, "mail", MAILER_TYPE_NAME)))
    assert (saved.host, saved.port, saved.security) == ("smtp.example.com", 465, "tls")
    assert (saved.sender, saved.username) == ("deploys@example.com", "deploys")
    assert saved.password is not None
    assert saved.password.get_secret_value() == "correct horse"


@pytest.mark.usefixtures("no_blocks_afterwards")
async def test_production_deploy_asks_the_people_of_the_saved_policy(api: PrefectServer) -> None:
    people = ("ann@example.com", "bob@example.com")
    for script, variables in (
        ("approval_policy.py", {"APPROVERS": ", ".join(people), "APPROVAL_QUORUM": "2", "APPROVAL_EXPIRES": "4h"}),
        ("target_environments.py", {"PRODUCTION_POLICY": "production", "PRODUCTION_PROTECTED": "true"}),
    ):
        ended = run_script(script, api, **variables)
        assert ended.returncode == 0, ended.stderr

    workflow = load_definition(DEFINITION, catalog())
    assert unguarded(Outline(workflow)) is None
    production = await read_environment(workflow, {"inputs": {"environment": "production"}})
    assert production.is_protected
    assert production.policy is not None
    rules = rules_of({}, [production.policy], is_protected=True)
    assert (rules.approvers, rules.quorum, rules.expires, rules.allow_self) == (people, 2, 4 * 3600, False)
    assert rules.notify == ({"mail": list(people)},)
    staging = await read_environment(workflow, {"inputs": {"environment": "staging"}})
    assert (staging.is_protected, staging.policy) == (False, None)


@pytest.mark.parametrize(
    ("script", "variables", "words"),
    [
        ("mailer.py", {"SMTP_HOST": ""}, "SMTP_HOST is not set"),
        ("mailer.py", {"SMTP_HOST": "smtp.example.com", "SMTP_SENDER": ""}, "SMTP_SENDER is not set"),
        ("mailer.py", SMTP | {"SMTP_USERNAME": "deploys", "SMTP_PASSWORD": ""}, "SMTP_PASSWORD is not set"),
        ("mailer.py", SMTP | {"SMTP_PASSWORD": "correct horse", "SMTP_SECURITY": "ssl"}, "SMTP_SECURITY: "),
        ("approval_policy.py", {"APPROVERS": " , "}, "APPROVERS is not set"),
        ("approval_policy.py", {"APPROVERS": "Jane"}, "APPROVERS: "),
        ("approval_policy.py", {"APPROVERS": "ann@example.com", "APPROVAL_QUORUM": "2"}, "APPROVAL_QUORUM: "),
        ("approval_policy.py", {"APPROVERS": "ann@example.com", "APPROVAL_EXPIRES": "soon"}, "APPROVAL_EXPIRES: "),
        ("target_environments.py", {"PRODUCTION_PROTECTED": "yes"}, "PRODUCTION_PROTECTED is 'yes'"),
        ("target_environments.py", {"STAGING_PROTECTED": "true"}, "STAGING_POLICY is not set"),
        ("trigger_secrets.py", {"GITHUB_WEBHOOK_SECRET": " "}, "none of GITHUB_WEBHOOK_SECRET"),
        ("git_credentials.py", {"GIT_TOKEN": ""}, "neither GIT_TOKEN nor GIT_PRIVATE_KEY is set"),
        ("git_credentials.py", {"GIT_TOKEN": "correct horse\n"}, "GIT_TOKEN: "),
        ("registry_credentials.py", {"REGISTRY": ""}, "REGISTRY is not set"),
        ("registry_credentials.py", {"REGISTRY": "https://r.example"}, "REGISTRY: "),
        ("registry_credentials.py", {"REGISTRY": "r.example", "REGISTRY_USERNAME": "a"}, "REGISTRY_PASSWORD: "),
        ("registry_credentials.py", {"REGISTRY": "r.example", "REGISTRY_TLS_VERIFY": "no"}, "REGISTRY_TLS_VERIFY is"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_nothing_is_saved(
    api: PrefectServer, script: str, variables: dict[str, str], words: str
) -> None:
    ended = run_script(script, api, **variables)
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith(words)
    assert "saved" not in ended.stdout
    assert "horse" not in ended.stderr


@pytest.mark.usefixtures("no_blocks_afterwards")
async def test_a_cleanup_policy_is_saved_and_found(api: PrefectServer) -> None:
    workflow = load_text("version: 1\nname: x\ncleanup: {policy: sandboxes}\nsteps: [{id: a, run: x}]", None, catalog())
    missing = await read_cleanup_rules(workflow)
    assert missing.needs_approval and "sandboxes" in missing.problem
    assert run_script("cleanup_policy.py", api, CLEANUP_APPROVAL="perhaps").returncode != 0
    ended = run_script("cleanup_policy.py", api)
    assert ended.returncode == 0, ended.stderr
    found = await read_cleanup_rules(workflow)
    assert (found.on_cancel, found.needs_approval, found.attempts, found.problem) == ("cleanup", False, 3, "")


@pytest.mark.usefixtures("no_blocks_afterwards")
async def test_a_secret_that_is_replaced_goes_on_proving_deliveries_for_a_time(api: PrefectServer) -> None:
    from prefect.client.orchestration import get_client

    from prefect_wfexec.triggers.secrets import load_secrets

    for secret in ("correct horse", "battery staple", "battery staple"):
        variables = {"GITHUB_WEBHOOK_SECRET": secret, "INCIDENT_SECRET": "tr0ub4dor", "PREVIOUS_SECRET_HOURS": "2"}
        ended = run_script("trigger_secrets.py", api, **variables)
        assert ended.returncode == 0, ended.stderr
        assert not {"horse", "staple", "tr0ub4dor"} & set(ended.stdout.split())
    async with get_client() as client:
        found = await load_secrets("github-webhook", "github", client)
        alone = await load_secrets("incidents", "incident", client)
    assert [one.value for one in found.all] == [b"battery staple", b"correct horse"]
    ends = found.all[1].expires
    assert ends is not None
    assert timedelta(hours=1) < ends - datetime.now(UTC) <= timedelta(hours=2)
    assert [one.value for one in alone.all] == [b"tr0ub4dor"]


@pytest.mark.usefixtures("no_blocks_afterwards")
async def test_the_credentials_of_a_pipeline_are_saved_as_steps_read_them(api: PrefectServer) -> None:
    from prefect_wfexec.steps.git.credentials import read_access

    given = {
        "git_credentials.py": {"GIT_TOKEN": "correct horse", "GIT_USERNAME": "jane"},
        "registry_credentials.py": {
            "REGISTRY": "registry.example.com",
            "REGISTRY_USERNAME": "deploys",
            "REGISTRY_PASSWORD": "battery staple",
        },
    }
    for script, variables in given.items():
        ended = run_script(script, api, **variables)
        assert ended.returncode == 0, ended.stderr
        assert not {"horse", "staple"} & set(ended.stdout.split())
    access = await read_access("git")
    assert (access.username, access.token.get_secret_value()) == ("jane", "correct horse")
    registry = await RegistryCredentials.aload("registry")
    assert (registry.registry, registry.username, registry.tls_verify) == ("registry.example.com", "deploys", True)
    assert registry.password.get_secret_value() == "battery staple"
