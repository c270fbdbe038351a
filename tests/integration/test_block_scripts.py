"""The scripts in blocks/ save documents that workflows find."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prefect_wfexec.blocks import SlackBot
from tests.support.server import PrefectServer

SCRIPTS = Path(__file__).resolve().parents[2] / "blocks"


def run_script(name: str, server: PrefectServer, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / name)]
    environment = {**server.environment, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.fixture
async def no_bot_afterwards(api: PrefectServer) -> AsyncIterator[None]:
    """Other tests on this server count on there being no bot."""
    yield
    await SlackBot.adelete("slack")


@pytest.mark.usefixtures("no_bot_afterwards")
async def test_the_slack_bot_is_saved_and_can_be_saved_again(api: PrefectServer) -> None:
    for token in ("xoxb-first-token", "xoxb-second-token"):
        ended = run_script("slack_bot.py", api, SLACK_BOT_TOKEN=token, SLACK_API_URL="https://gateway.example/api")
        assert ended.returncode == 0, ended.stderr
        assert token not in ended.stdout + ended.stderr

    saved = await SlackBot.aload("slack")
    assert saved.token.get_secret_value() == "xoxb-second-token"
    assert saved.base_url == "https://gateway.example/api/"


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
