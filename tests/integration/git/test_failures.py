"""What goes wrong with a remote is said in words that help."""

import os
from pathlib import Path

import pytest

from tests.integration.git.conftest import Desk
from tests.support.git_server import GitServer, Origin
from tests.support.server import free_port

PLAIN = "PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS"


async def test_a_repository_that_is_not_there(desk: Desk, origin: Origin, remote: GitServer) -> None:
    failed = await desk.fail(f"{remote.url}/absent.git", ref="main")
    assert (failed.type, failed.retryable) == ("repository_not_found", False)
    assert f"{remote.url}/absent.git is no repository" in failed.message


@pytest.mark.parametrize(
    ("status", "kind", "may_pass"),
    [
        (403, "auth_refused", False),
        (404, "repository_not_found", False),
        (503, "network", True),
        (429, "network", True),
    ],
)
async def test_what_the_server_answers(
    desk: Desk, origin: Origin, remote: GitServer, status: int, kind: str, may_pass: bool
) -> None:
    remote.status = status
    failed = await desk.fail(f"{remote.url}/app.git")
    assert (failed.type, failed.retryable, failed.exit_code) == (kind, may_pass, 128)
    assert str(status) in failed.message or status == 404
    assert failed.hint


async def test_a_server_that_is_away_may_be_there_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv(PLAIN, "127.0.0.1,no-such-host.invalid")
    for url in (f"http://127.0.0.1:{port}/app.git", "http://no-such-host.invalid/app.git"):
        failed = await desk.fail(url)
        assert (failed.type, failed.retryable) == ("network", True)


async def test_a_server_without_tls_is_no_https(desk: Desk, origin: Origin, remote: GitServer) -> None:
    failed = await desk.fail(f"https://{remote.host}/app.git")
    assert failed.type == "tls_refused"


async def test_without_git_the_error_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = await desk.fail("https://git.example.com/app.git")
    assert (failed.type, failed.message) == ("missing_tool", "no git on PATH")


async def test_a_git_that_would_not_heed_its_configuration_is_not_used(
    desk: Desk, origin: Origin, remote: GitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\ntest "$1" = version && echo git version 2.30.2 && exit\ntouch "$0.used"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    failed = await desk.fail(f"{remote.url}/app.git")
    assert (failed.type, failed.message) == ("missing_tool", "git 2.30.2 is too old")
    assert not old.with_name("git.used").exists()


@pytest.mark.parametrize(
    "with_",
    [
        {"url": "ext::sh -c 'touch x'"},
        {"url": "--upload-pack=touch x"},
        {"url": "https://git.example.com/a", "ref": "-x"},
    ],
)
async def test_what_would_be_an_option_or_a_program_starts_nothing(desk: Desk, with_: dict[str, str]) -> None:
    failed = await desk.fail(**with_)
    assert failed.type in {"url_refused", "ref_refused"}
    assert desk.log == ""
