"""Credentials of saved blocks reach their server, and nothing else."""

import base64
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from prefect_wfexec.blocks import GitCredentials
from prefect_wfexec.steps.git.credentials import BLOCK_SLUG, BLOCK_TYPE_NAME
from tests.integration.git.conftest import Desk
from tests.support.git_server import GitServer, Origin
from tests.support.secrecy import files_with, leaks
from tests.support.server import PrefectServer

TOKEN = "glpat-token/of+jane"


def test_the_step_looks_for_the_type_that_the_block_is() -> None:
    assert (GitCredentials.get_block_type_slug(), GitCredentials.get_block_type_name()) == (BLOCK_SLUG, BLOCK_TYPE_NAME)


async def test_a_token_signs_in_and_stands_nowhere(
    desk: Desk, origin: Origin, remote: GitServer, api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.account = ("jane", TOKEN)
    monkeypatch.setenv("GIT_CURL_VERBOSE", "1")
    monkeypatch.setenv("GIT_TRACE", "1")
    sha = origin.commit("first", a__txt="1")
    await GitCredentials(username="jane", token=TOKEN).asave("git-of-jane", overwrite=True)
    result = await desk.clone(f"{remote.url}/app.git", block="git-of-jane")
    assert result.outputs["sha"] == sha
    expected = f"Basic {base64.b64encode(f'jane:{TOKEN}'.encode()).decode()}"
    assert set(remote.authorizations) == {expected}
    assert files_with(desk.workspace, TOKEN) == []
    assert files_with(desk.workspace, f"jane:{TOKEN}") == []
    assert leaks(f"{result} {desk.log}".encode(), TOKEN) == []


async def test_a_secret_block_is_a_token(desk: Desk, origin: Origin, remote: GitServer, api: PrefectServer) -> None:
    remote.account = ("x-access-token", TOKEN)
    sha = origin.commit("first", a__txt="1")
    await Secret(value=TOKEN).asave("git-token", overwrite=True)
    assert (await desk.clone(f"{remote.url}/app.git", block="git-token")).outputs["sha"] == sha
    assert leaks(desk.log.encode(), TOKEN) == []


async def test_wrong_and_missing_credentials_are_told_apart(
    desk: Desk, origin: Origin, remote: GitServer, api: PrefectServer
) -> None:
    remote.account = ("jane", TOKEN)
    origin.commit("first", a__txt="1")
    await GitCredentials(username="jane", token="another-token").asave("git-wrong", overwrite=True)
    for block in ("git-wrong", None):
        failed = await desk.fail(f"{remote.url}/app.git", block=block)
        assert (failed.type, failed.retryable) == ("auth_refused", False)
        assert leaks(f"{failed.message} {failed.tail} {desk.log}".encode(), "another-token") == []
    failed = await desk.fail(f"{remote.url}/app.git", block="git-absent")
    assert (failed.type, failed.message) == ("missing_block", "no Git Credentials (wfexec) block 'git-absent' is saved")


async def test_credentials_do_not_follow_a_redirect(
    desk: Desk, origin: Origin, remote: GitServer, api: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit("first", a__txt="1")
    await GitCredentials(username="jane", token=TOKEN).asave("git-of-jane", overwrite=True)
    with GitServer(tmp_path / "repositories") as thief:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS", f"{remote.host},{thief.host}")
        remote.moved = {"/app.git": f"{thief.url}/app.git"}
        failed = await desk.fail(f"{remote.url}/app.git", block="git-of-jane")
        assert (failed.type, failed.retryable) == ("redirect_refused", False)
        assert thief.web.asked == []
