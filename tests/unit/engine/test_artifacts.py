"""Files that are kept as blobs and put back: promised, bounded, checked, inside."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.engine import artifacts
from prefect_wfexec.engine.artifacts import largest_bytes, put_back, save_artifacts
from prefect_wfexec.errors import EngineError, StepFailed
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.registry import find_step_type
from prefect_wfexec.testing import make_context

SHELL = find_step_type("shell")


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., StepContext]:
    folder = tmp_path / "definition"
    (folder / "build").mkdir(parents=True)

    def make(*patterns: str, dir_: str = "build", home: str = "home") -> StepContext:
        made = make_context("shell", run="true", with_={"dir": dir_}, folder=folder)
        step = replace(made.step, artifacts=patterns)
        return replace(made, step=step, workspace=Workspace.of("run", tmp_path / home))

    return make


async def test_files_of_both_folders_are_kept_and_put_back_elsewhere(context: Any, tmp_path: Path) -> None:
    here = context("*.bin", "$WFEXEC_WORKSPACE/out")
    build, workspace = here.folder / "build", here.workspace.make()
    (build / "tool.bin").write_bytes(b"\x00\xff")
    (build / "tool.bin").chmod(0o755)
    (workspace / "out").mkdir()
    (workspace / "out" / "a.txt").write_text("a")
    kept = await save_artifacts(here, SHELL)
    assert kept is not None
    assert (kept["count"], kept["bytes"], kept["at"]) == (2, 3, ["folder", "workspace"])

    there = replace(here, folder=tmp_path / "checkout", workspace=Workspace.of("run", tmp_path / "other"))
    there.folder.mkdir()
    await put_back(kept, there, here.blobs, overwrites=True)
    tool = there.folder / "build" / "tool.bin"
    assert (tool.read_bytes(), os.access(tool, os.X_OK)) == (b"\x00\xff", True)
    text = there.workspace.root / "out" / "a.txt"
    assert (text.read_text(), text.stat().st_mode & 0o777) == ("a", 0o600)
    assert not [path for path in text.parent.iterdir() if path.name.startswith(".")]


async def test_a_step_in_the_run_s_folder_keeps_what_lies_there(context: Any, tmp_path: Path) -> None:
    made = context("x", dir_=str(Workspace.of("run", tmp_path / "home").folder("clone")))
    (made.workspace.root / "clone" / "x").write_text("x")
    kept = await save_artifacts(made, SHELL)
    assert kept is not None and kept["at"] == ["workspace"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda build: None, "names no file"),
        (lambda build: (build / "x").symlink_to("/etc/passwd"), "is a link"),
        (lambda build: os.mkfifo(build / "x"), "no plain file"),
        (lambda build: (build / "x").write_bytes(b"0" * 2049), "more than 2KiB together"),
    ],
)
async def test_what_can_t_be_kept_fails_the_step(
    context: Any, make: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_LARGEST_ARTIFACTS", "2KiB")
    made = context("x")
    make(made.folder / "build")
    with pytest.raises(StepFailed, match=words) as caught:
        await save_artifacts(made, SHELL)
    assert (caught.value.type, caught.value.retryable) == ("artifacts", True)


async def test_the_size_is_that_of_all_together(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_LARGEST_ARTIFACTS", "2KiB")
    made = context("x", "y")
    for name in "xy":
        (made.folder / "build" / name).write_bytes(b"0" * 1024)
    assert (await save_artifacts(made, SHELL) or {})["bytes"] == 2048
    (made.folder / "build" / "x").write_bytes(b"0" * 1025)
    with pytest.raises(StepFailed, match="together"):
        await save_artifacts(made, SHELL)


async def test_too_many(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MOST_FILES", 2)
    made = context("*")
    for name in "xyz":
        (made.folder / "build" / name).write_text("")
    with pytest.raises(StepFailed, match="more than 2 files"):
        await save_artifacts(made, SHELL)


async def test_a_step_that_ran_elsewhere_keeps_nothing(context: Any, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="which no other machine has"):
        await save_artifacts(context("x", dir_=str(tmp_path)), SHELL)


async def test_none_are_promised(context: Any) -> None:
    assert await save_artifacts(context(), SHELL) is None


async def test_a_person_s_own_file_does_not_give_way(context: Any) -> None:
    made = context("x")
    file = made.folder / "build" / "x"
    file.write_text("built")
    kept = await save_artifacts(made, SHELL)
    await put_back(kept, made, made.blobs, overwrites=False)
    file.write_text("mine")
    with pytest.raises(StepFailed, match="is there, with other contents"):
        await put_back(kept, made, made.blobs, overwrites=False)
    assert file.read_text() == "mine"
    await put_back(kept, made, made.blobs, overwrites=True)
    assert file.read_text() == "built"


async def listed(context: StepContext, **file: Any) -> dict[str, Any]:
    data = b"data"
    ref = await context.blobs.put(data)
    one = {"at": "workspace", "path": "x", "executable": False, **ref.as_json(), **file}
    return (await context.blobs.put(json.dumps([one]).encode())).as_json()


@pytest.mark.parametrize("path", ["../x", "/tmp/x", "a/../../x", "way/x"])
async def test_nothing_is_written_outside(context: Any, path: str, tmp_path: Path) -> None:
    made = context()
    outside = tmp_path / "outside"
    outside.mkdir()
    (made.workspace.make() / "way").symlink_to(outside)
    with pytest.raises(StepFailed, match=r"leads out|is a link"):
        await put_back(await listed(made, path=path), made, made.blobs, overwrites=True)
    assert list(outside.iterdir()) == []


async def test_what_is_lost_or_no_list_is_a_fault_of_ours(context: Any) -> None:
    made = context()
    with pytest.raises(EngineError):
        await put_back(await listed(made, blob="0" * 64), made, made.blobs, overwrites=True)
    ref = (await made.blobs.put(b'{"a": 1}')).as_json()
    with pytest.raises(EngineError, match="list of artifacts"):
        await put_back(ref, made, made.blobs, overwrites=True)


async def test_a_missing_definition_s_folder_is_named(context: Any, tmp_path: Path) -> None:
    made = replace(context(), folder=tmp_path / "gone")
    with pytest.raises(StepFailed, match="gone does not exist"):
        await put_back(await listed(made, at="folder"), made, made.blobs, overwrites=True)


async def test_a_link_in_the_file_s_place_is_not_written_through(context: Any, tmp_path: Path) -> None:
    made = context()
    (tmp_path / "theirs").write_text("theirs")
    (made.workspace.make() / "x").symlink_to(tmp_path / "theirs")
    with pytest.raises(StepFailed, match="is a link"):
        await put_back(await listed(made), made, made.blobs, overwrites=True)
    assert (tmp_path / "theirs").read_text() == "theirs"


@pytest.mark.parametrize("text", ["100", "1TiB", "-1MiB", "a lot"])
def test_a_setting_that_is_no_size(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_LARGEST_ARTIFACTS", text)
    with pytest.raises(EngineError, match="is no size"):
        largest_bytes()
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_LARGEST_ARTIFACTS", "3 MiB")
    assert largest_bytes() == 3 << 20
