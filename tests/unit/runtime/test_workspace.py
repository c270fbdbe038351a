"""A run's folder on one machine."""

import os
from pathlib import Path

import pytest

from prefect_wfexec.errors import EngineError
from prefect_wfexec.runtime import workspace as module
from prefect_wfexec.runtime.workspace import Workspace, remove_tree, runs_in, sweep, workspaces_folder

DAY = 86400.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of("run-1", tmp_path)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_it_is_the_worker_s_own(workspace: Workspace, tmp_path: Path) -> None:
    assert not (tmp_path / "wfexec").exists(), "it is made when it is used"
    root = workspace.make()
    assert root == (tmp_path / "wfexec" / "workspaces" / "run-1" / "files").resolve()
    assert [mode_of(folder) for folder in (root, root.parent, root.parent.parent)] == [0o700] * 3
    assert mode_of(workspace.folder("clone")) == 0o700


def test_the_setting_names_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_WORKSPACES", str(tmp_path / "elsewhere"))
    assert Workspace.of("r", tmp_path).make() == (tmp_path / "elsewhere" / "r" / "files").resolve()


def test_a_link_in_its_place_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "wfexec" / "workspaces").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "wfexec" / "workspaces" / "run-1").symlink_to(tmp_path / "theirs")
    with pytest.raises(EngineError, match="can't be made"):
        workspace.make()


def test_whose_files_are_here(workspace: Workspace) -> None:
    assert not workspace.is_here("a", 1)
    workspace.note_here("a", 1)
    assert workspace.is_here("a", 1)
    assert not workspace.is_here("a", 2)
    assert not workspace.is_here("a", 1, Path("/x"))
    workspace.note_here("a", 2, Path("/x"))
    assert workspace.is_here("a", 2, Path("/x"))
    assert not workspace.is_here("a", 2, Path("/y"))
    assert not workspace.is_here("a.b", 1)


def test_nothing_is_here_once_the_files_are_gone(workspace: Workspace) -> None:
    workspace.note_here("a", 1)
    workspace.root.rename(workspace.root.with_name("moved"))
    assert not workspace.is_here("a", 1)
    workspace.make()
    assert not workspace.is_here("a", 1)


def test_it_is_removed_with_what_nobody_may_write_to(workspace: Workspace, tmp_path: Path) -> None:
    folder = workspace.folder("cache") / "deep"
    folder.mkdir()
    (folder / "file").write_text("x")
    kept = tmp_path / "kept"
    kept.mkdir()
    (workspace.root / "link").symlink_to(kept)
    folder.chmod(0o500)
    workspace.remove()
    assert not workspace.root.parent.exists()
    assert kept.exists()


def ended(home: Path, run: str, ago: float, now: float) -> Workspace:
    one = Workspace.of(run, home)
    one.make()
    one.note_ended()
    os.utime(one.root.parent / "ended", (now - ago, now - ago))
    return one


def test_what_is_old_goes_and_what_goes_on_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE", 0.0)
    now = 10 * DAY
    ended(tmp_path, "old", 2 * DAY, now)
    ended(tmp_path, "new", DAY / 2, now)
    Workspace.of("live", tmp_path).make()
    retried = ended(tmp_path, "retried", 2 * DAY, now)
    retried.note_going_on()
    assert sweep(workspaces_folder(tmp_path), DAY, now) == ["old"]
    assert [run for run, _ in runs_in(workspaces_folder(tmp_path))] == ["live", "new", "retried"]


def test_of_very_many_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE", 0.0)
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    for number in range(4):
        ended(tmp_path, f"run-{number}", number, DAY)
    assert sweep(workspaces_folder(tmp_path), DAY, DAY) == ["run-2", "run-3"]


def test_on_a_disk_that_is_nearly_full_none_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE", 1.1)
    ended(tmp_path, "new", 0, DAY)
    live = Workspace.of("live", tmp_path)
    live.make()
    assert sweep(workspaces_folder(tmp_path), DAY, DAY) == ["new"]
    assert live.root.exists()


def test_a_link_is_not_a_run_s_folder(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    folder = workspaces_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "x").symlink_to(theirs)
    remove_tree(folder / "x")
    assert list(runs_in(folder)) == []
    assert theirs.exists()


def test_an_instance_has_a_folder_of_its_own_in_the_run_s_whatever_its_values_are(tmp_path: Path) -> None:
    files = Workspace(tmp_path / "run" / "files")
    ids = ["build", "build[eu]", "build[eu/../../../../out]", "build[EU]", f"build[{'long' * 100}]"]
    folders = [files.folder(one) for one in ids]
    assert len(set(folders)) == len(ids)
    assert {folder.parent for folder in folders} == {files.root}
