"""Commits of a real remote are checked out."""

import asyncio
import dataclasses
import shutil
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.git import GitClone
from prefect_wfexec.steps.git.clone import new_folder
from prefect_wfexec.testing import make_context, run_step
from tests.integration.git.conftest import Desk
from tests.support.git_server import GitServer, Origin, git
from tests.support.processes import processes_with, wait_until
from tests.support.web_server import Reply, WebServer

FILES = "PREFECT_INTEGRATIONS_WFEXEC_ALLOW_FILE_URLS"


async def test_the_default_branch_with_all_of_its_history(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("first", a__txt="1")
    sha = origin.commit("second\n\nwhy it is so", a__txt="2")
    result = await desk.clone(f"{remote.url}/app.git")
    path = desk.workspace / "step"
    assert result.outputs == {
        "path": str(path),
        "sha": sha,
        "short_sha": sha[:7],
        "ref": "main",
        "author": "Jane Doe <jane@example.com>",
        "message": "second\n\nwhy it is so",
    }
    assert result.summary == f"main @ {sha[:7]}"
    assert (path / "a.txt").read_text() == "2"
    assert git("rev-list", "--count", "HEAD", folder=path) == "2"


async def test_every_kind_of_ref(desk: Desk, origin: Origin, remote: GitServer) -> None:
    first = origin.commit("first", a__txt="1")
    origin.git("tag", "-a", "v1.0", "-m", "one")
    origin.git("push", "-q", "origin", "v1.0")
    branch = origin.commit("second", "refs/heads/feature/x", a__txt="2")
    pull = origin.commit("third", "refs/pull/7/head", a__txt="3")
    merge = origin.commit("fourth", "refs/merge-requests/9/head", a__txt="4")
    for ref, sha, text in (
        ("main", first, "1"),
        ("v1.0", first, "1"),
        ("refs/tags/v1.0", first, "1"),
        ("feature/x", branch, "2"),
        ("refs/pull/7/head", pull, "3"),
        ("refs/merge-requests/9/head", merge, "4"),
        (branch, branch, "2"),
        (branch[:9], branch, "2"),
    ):
        for depth in (None, 1):
            result = await desk.clone(f"{remote.url}/app.git", ref=ref, depth=depth)
            assert (result.outputs["sha"], result.outputs["ref"]) == (sha, ref)
            assert (desk.workspace / "step" / "a.txt").read_text() == text


async def test_depth_is_how_many_commits_come(desk: Desk, origin: Origin, remote: GitServer) -> None:
    for number in range(5):
        origin.commit(f"commit {number}", a__txt=str(number))
    await desk.clone(f"{remote.url}/app.git", ref="main", depth=2)
    assert git("rev-list", "--count", "HEAD", folder=desk.workspace / "step") == "2"


async def test_a_pattern_is_the_highest_version_or_the_pushed(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("nine", "refs/heads/release/1.9", a__txt="1.9")
    origin.commit("ten", "refs/heads/release/1.10", a__txt="1.10")
    url = f"{remote.url}/app.git"
    assert (await desk.clone(url, ref="release/*")).outputs["ref"] == "release/1.10"
    pushed = {"repository": "app", "branch": "release/1.9", "tag": None, "pull_request": None}
    for trigger, expected in (
        (pushed, "release/1.9"),
        (pushed | {"repository": "other"}, "release/1.10"),
        (pushed | {"pull_request": 7}, "release/1.10"),
        (pushed | {"branch": "main"}, "release/1.10"),
    ):
        result = await desk.clone(url, trigger=trigger, ref="release/*")
        assert result.outputs["ref"] == expected
        assert (desk.workspace / "step" / "a.txt").read_text() == expected.removeprefix("release/")
    failed = await desk.fail(url, ref="hotfix/*")
    assert (failed.type, failed.message) == ("ref_not_found", "no ref fits 'hotfix/*' in the repository")


async def test_a_ref_that_is_not_there_names_near_ones(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("first", a__txt="1")
    failed = await desk.fail(f"{remote.url}/app.git", ref="mian")
    assert (failed.type, failed.hint, failed.retryable) == ("ref_not_found", "did you mean 'main'?", False)
    for ref in ("0" * 40, "0123456789", "refs/pull/99/head"):
        failed = await desk.fail(f"{remote.url}/app.git", ref=ref)
        assert (failed.type, failed.retryable) == ("ref_not_found", False)
        assert ref in failed.message


async def test_an_empty_repository_is_said_to_be_empty(desk: Desk, remote: GitServer) -> None:
    failed = await desk.fail(f"{remote.url}/app.git")
    assert (failed.type, failed.message) == ("ref_not_found", "the repository is empty")


async def test_a_commit_that_the_server_does_not_give_by_number_is_found_on_its_branch(
    desk: Desk, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILES, "true")
    first = origin.commit("first", a__txt="1")
    origin.commit("second", a__txt="2")
    git("config", "uploadpack.allowAnySHA1InWant", "false", folder=origin.bare)
    git("config", "protocol.version", "0", folder=origin.bare)
    result = await desk.clone(f"file://{origin.bare}", ref=first, depth=1)
    assert result.outputs["sha"] == first
    assert (desk.workspace / "step" / "a.txt").read_text() == "1"


async def test_an_attempt_begins_with_an_empty_folder(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("first", a__txt="1")
    await desk.clone(f"{remote.url}/app.git")
    (desk.workspace / "step" / "left over").write_text("")
    await desk.clone(f"{remote.url}/app.git")
    assert not (desk.workspace / "step" / "left over").exists()


async def test_hooks_and_configuration_of_the_machine_do_not_run(
    desk: Desk, origin: Origin, remote: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = origin.commit("first", a__txt="1", __gitattributes="*.txt filter=evil\n")
    home, hooks = tmp_path / "home", tmp_path / "hooks"
    for folder in (home, hooks):
        folder.mkdir()
    proof = tmp_path / "proof"
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {proof}\n")
    (hooks / "post-checkout").chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[core]\nhooksPath = {hooks}\n[filter "evil"]\nsmudge = touch {proof}; cat\n'
        f'[url "http://127.0.0.1:1/"]\ninsteadOf = {remote.url}/\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE_CURL", "2")
    (tmp_path / "hooks-of-template").mkdir()
    result = await desk.clone(f"{remote.url}/app.git")
    assert result.outputs["sha"] == sha
    assert not proof.exists()
    assert not (tmp_path / "elsewhere").exists()
    assert "http.c" not in desk.log


async def test_what_a_commit_says_is_plain_text(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.git("config", "user.name", "unused")
    origin.commit("\x1b[31mred\x1b[0m ${{ secrets.x }} $(touch x)\x07\n\n" + "long " * 4000, a__txt="1")
    result = await desk.clone(f"{remote.url}/app.git")
    message = str(result.outputs["message"])
    assert message.startswith("red ${{ secrets.x }} $(touch x)\n\nlong")
    assert len(message) == 10_000


async def test_a_known_secret_in_a_message_is_masked(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("oops: correct-horse-battery", a__txt="1")
    with_ = {"url": f"{remote.url}/app.git"}
    context = make_context("git.clone", with_=with_, workspace=desk.workspace, secrets=("correct-horse-battery",))
    assert (await run_step(context)).outputs["message"] == "oops: ***"


async def test_files_on_this_machine_need_the_setting(
    desk: Desk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = origin.commit("first", a__txt="1")
    assert (await desk.fail(f"file://{origin.bare}")).type == "url_refused"
    monkeypatch.setenv(FILES, "true")
    assert (await desk.clone(f"file://{origin.bare}", depth=1)).outputs["sha"] == sha
    failed = await desk.fail(f"file://{origin.bare}-absent")
    assert failed.type == "repository_not_found"


async def test_without_a_folder_of_the_run_nothing_is_cloned() -> None:
    with pytest.raises(StepFailed, match="no folder") as failed:
        await new_folder(make_context("git.clone", with_={"url": "https://example.com/app.git"}))
    assert failed.value.type == "no_workspace"


async def test_a_clone_that_is_cancelled_leaves_no_process_and_no_files(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    asked, go = threading.Event(), threading.Event()

    def stall(_: object) -> Reply:
        asked.set()
        go.wait(60)
        return Reply(503)

    with WebServer(stall) as web:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS", f"127.0.0.1:{web.port}")
        cloning = asyncio.create_task(desk.clone(f"{web.url}/app.git"))
        await asyncio.to_thread(asked.wait, 60)
        assert asked.is_set()
        assert processes_with(f"{web.url}/app.git")
        cloning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cloning
        wait_until(lambda: not processes_with(f"{web.url}/app.git"), "the end of git")
        go.set()
    assert not (desk.workspace / "step").exists()


async def test_another_machine_gets_the_same_commit_again(desk: Desk, origin: Origin, remote: GitServer) -> None:
    sha = origin.commit("first", a__txt="1")
    result = await desk.clone(f"{remote.url}/app.git", ref="main", depth=1)
    origin.commit("second", a__txt="2")
    shutil.rmtree(desk.workspace)
    await _restore(desk, result.outputs)
    path = desk.workspace / "step"
    assert (path / "a.txt").read_text() == "1"
    assert git("rev-parse", "HEAD", folder=path) == sha
    (path / "made by a step").write_text("")
    await _restore(desk, result.outputs)
    assert (path / "made by a step").exists(), "what is there is left as it is"


async def test_a_commit_that_is_gone_is_not_replaced_by_another(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("first", a__txt="1")
    result = await desk.clone(f"{remote.url}/app.git", ref="main")
    shutil.rmtree(desk.workspace)
    shutil.rmtree(origin.bare)
    again = Origin.make(origin.bare.parent, "again")
    again.commit("another", a__txt="2")
    again.bare.rename(origin.bare)
    with pytest.raises(StepFailed) as failed:
        await _restore(desk, result.outputs)
    assert failed.value.type == "ref_not_found"
    assert not (desk.workspace / "step").exists()


async def test_nothing_is_restored_outside_of_the_runs_folder(desk: Desk, origin: Origin, remote: GitServer) -> None:
    origin.commit("first", a__txt="1")
    result = await desk.clone(f"{remote.url}/app.git")
    for path in (desk.workspace, desk.workspace.parent, desk.workspace / ".." / "x"):
        with pytest.raises(StepFailed, match="is not in the run's folder"):
            await _restore(desk, result.outputs | {"path": str(path)})
    assert (desk.workspace / "step" / "a.txt").exists()


async def _restore(desk: Desk, outputs: dict[str, object]) -> None:
    assert desk.context is not None
    scratch = desk.workspace.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    context = make_context("git.clone", with_=dict(desk.context.step.with_), workspace=desk.workspace)
    try:
        await GitClone().restore(dataclasses.replace(context, scratch_folder=lambda: scratch), outputs)
    finally:
        await context.command.close()
