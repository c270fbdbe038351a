"""Submodules are checked out when asked for, and only from where they may come from."""

from pathlib import Path

import pytest

from tests.integration.git.conftest import Desk
from tests.support.git_server import GitServer, Origin, git

HOSTS = "PREFECT_INTEGRATIONS_WFEXEC_GIT_SUBMODULE_HOSTS"
PLAIN = "PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS"


def add_submodule(origin: Origin, other: Origin, url: str, path: str = "lib") -> str:
    """A commit with a submodule, whose URL in .gitmodules is this one."""
    origin.git("submodule", "--quiet", "add", "--force", "--name", path, str(other.bare), path)
    origin.git("config", "--file", ".gitmodules", f"submodule.{path}.url", url)
    return origin.commit(f"add {path}")


@pytest.fixture
def library(origin: Origin, tmp_path: Path) -> Origin:
    made = Origin.make(tmp_path / "repositories", "lib")
    made.commit("library", l__txt="library")
    return made


@pytest.mark.parametrize("depth", [None, 1])
async def test_submodules_come_when_asked_for(
    desk: Desk, origin: Origin, library: Origin, remote: GitServer, depth: int | None, tmp_path: Path
) -> None:
    inner = Origin.make(tmp_path / "repositories", "inner")
    inner.commit("inner", i__txt="inner")
    add_submodule(library, inner, "../inner.git", "inner")
    sha = add_submodule(origin, library, "../lib.git")
    url = f"{remote.url}/app.git"
    result = await desk.clone(url, submodules=True, depth=depth)
    path = desk.workspace / "step"
    assert result.outputs["sha"] == sha
    assert (path / "lib/l.txt").read_text() == "library"
    assert (path / "lib/inner/i.txt").read_text() == "inner"
    assert "2 submodules" in desk.log
    await desk.clone(url, depth=depth)
    assert list((path / "lib").iterdir()) == []


async def test_a_pull_request_can_not_bring_programs_or_files(
    desk: Desk, origin: Origin, library: Origin, remote: GitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_ALLOW_FILE_URLS", "true")
    proof = tmp_path / "proof"
    add_submodule(origin, library, "../lib.git")
    for url in (f"ext::touch {proof}", f"--upload-pack=touch {proof}", f"file://{library.bare}", "/etc", "git://h/a"):
        origin.git("config", "--file", ".gitmodules", "submodule.lib.url", url)
        origin.commit("evil")
        failed = await desk.fail(f"{remote.url}/app.git", submodules=True)
        assert failed.type in {"submodule_refused", "git_error"}, url
        assert not proof.exists()
    origin.git("config", "--file", ".gitmodules", "submodule.lib.url", "../lib.git")
    origin.git("config", "--file", ".gitmodules", "submodule.lib.update", f"!touch {proof}")
    origin.commit("evil")
    await desk.fail(f"{remote.url}/app.git", submodules=True)
    assert not proof.exists()


async def test_another_host_has_to_be_listed(
    desk: Desk, origin: Origin, library: Origin, remote: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLAIN, f"{remote.host},localhost")
    away = f"http://localhost:{remote.web.port}/lib.git"
    for url in (away, "../../../localhost/lib.git", f"../../localhost:{remote.web.port}/lib.git"):
        add_submodule(origin, library, url) if url == away else origin.git(
            "config", "--file", ".gitmodules", "submodule.lib.url", url
        )
        origin.commit("elsewhere")
        failed = await desk.fail(f"{remote.url}/app.git", submodules=True)
        assert failed.type in {"submodule_refused", "repository_not_found", "git_error"}
        assert not [asked for asked in remote.web.asked if asked.headers["host"].startswith("localhost")]
    origin.git("config", "--file", ".gitmodules", "submodule.lib.url", away)
    origin.commit("elsewhere")
    monkeypatch.setenv(HOSTS, "localhost")
    await desk.clone(f"{remote.url}/app.git", submodules=True)
    assert (desk.workspace / "step/lib/l.txt").read_text() == "library"
    assert git("config", "remote.origin.url", folder=desk.workspace / "step/lib") == away
