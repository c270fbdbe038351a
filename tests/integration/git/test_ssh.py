"""Repositories over a real ssh server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_wfexec.blocks import GitCredentials
from tests.integration.git.conftest import Desk
from tests.support.git_server import Origin
from tests.support.secrecy import leaks
from tests.support.server import PrefectServer
from tests.support.ssh_server import SshServer, make_key, ssh_server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as started:
        yield started


async def test_a_key_signs_in_at_the_host_that_is_known(
    desk: Desk, origin: Origin, ssh: SshServer, api: PrefectServer
) -> None:
    sha = origin.commit("first", a__txt="1")
    credentials = GitCredentials(private_key=ssh.private_key, known_hosts=ssh.known_hosts)
    await credentials.asave("git-ssh", overwrite=True)
    result = await desk.clone(ssh.url(origin.bare), block="git-ssh", depth=1)
    assert result.outputs["sha"] == sha
    assert (desk.workspace / "step/a.txt").read_text() == "1"
    assert leaks(desk.log.encode(), ssh.private_key.splitlines()[1]) == []


async def test_what_is_refused_over_ssh_is_told_apart(
    desk: Desk, origin: Origin, ssh: SshServer, api: PrefectServer, tmp_path: Path
) -> None:
    origin.commit("first", a__txt="1")
    url, other_key = ssh.url(origin.bare), make_key(tmp_path / "other")
    other_host = f"[127.0.0.1]:{ssh.port} {(tmp_path / 'other.pub').read_text()}"
    for private_key, known_hosts, path, kind in (
        (ssh.private_key, "git.example.com " + ssh.known_hosts.partition(" ")[2], url, "host_key_unknown"),
        (ssh.private_key, other_host, url, "host_key_changed"),
        (other_key, ssh.known_hosts, url, "auth_refused"),
        (ssh.private_key, ssh.known_hosts, f"{url}-absent", "repository_not_found"),
    ):
        credentials = GitCredentials(private_key=private_key, known_hosts=known_hosts)
        await credentials.asave("git-ssh", overwrite=True)
        failed = await desk.fail(path, block="git-ssh")
        assert (failed.type, failed.retryable) == (kind, False)
        assert failed.hint
        assert leaks(f"{failed.message} {desk.log}".encode(), private_key.splitlines()[1]) == []


async def test_ssh_needs_a_key(desk: Desk, api: PrefectServer) -> None:
    await GitCredentials(token="only-a-token").asave("git-token-only", overwrite=True)
    for block in (None, "git-token-only"):
        failed = await desk.fail("git@git.example.com:team/app.git", block=block)
        assert failed.type == "missing_credentials"
