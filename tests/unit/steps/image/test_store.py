"""The images of a run in its folder."""

import json
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.image.names import read_name
from prefect_wfexec.steps.image.store import ImageStore

ONE, TWO = ("sha256:" + character * 64 for character in "12")


def add(store: ImageStore, tag: str, digest: str) -> None:
    layout = store.new_folder("step") / "layout"
    layout.mkdir()
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": digest}]}))
    store.add(read_name(tag), layout)


def found(store: ImageStore, ref: str) -> str | None:
    image = store.find(read_name(ref))
    return image.digest if image else None


def test_an_image_is_found_by_its_name_and_by_its_digest(tmp_path: Path) -> None:
    store = ImageStore(Workspace(tmp_path / "run"))
    assert found(store, "r.example/app:1") is None
    add(store, "r.example/app:1", ONE)
    add(store, "r.example/app", TWO)
    for ref, digest in (("app:1", ONE), (f"app@{ONE}", ONE), ("app:latest", TWO), (f"app:1@{TWO}", TWO)):
        assert found(store, f"r.example/{ref}") == digest
    for ref in ("r.example/app:2", "s.example/app:1", f"s.example/app@{ONE}", "r.example/app@sha256:" + "3" * 64):
        assert found(store, ref) is None


def test_a_name_means_what_was_built_last_in_this_run(tmp_path: Path) -> None:
    store = ImageStore(Workspace(tmp_path / "run"))
    add(store, "r.example/app:1", ONE)
    add(store, "r.example/app:1", TWO)
    assert found(store, "r.example/app:1") == TWO
    assert found(ImageStore(Workspace(tmp_path / "another run")), "r.example/app:1") is None


def test_an_image_whose_files_are_gone_is_not_there(tmp_path: Path) -> None:
    store = ImageStore(Workspace(tmp_path / "run"))
    add(store, "r.example/app:1", ONE)
    image = store.find(read_name("r.example/app:1"))
    assert image is not None
    (image.layout / "index.json").unlink()
    image.layout.rmdir()
    assert found(store, "r.example/app:1") is None


@pytest.mark.parametrize(
    "index",
    ["", "[]", "{}", '{"manifests": []}', '{"manifests": [{"digest": "sha256:x"}]}', '{"manifests": [{}, {}]}'],
)
def test_what_is_not_one_image_is_not_taken_in(tmp_path: Path, index: str) -> None:
    store = ImageStore(Workspace(tmp_path / "run"))
    layout = store.new_folder("step") / "layout"
    layout.mkdir()
    (layout / "index.json").write_text(index)
    with pytest.raises(StepFailed) as failed:
        store.add(read_name("app:1"), layout)
    assert failed.value.type == "bad_image"
    assert found(store, "app:1") is None


def test_a_step_begins_with_an_empty_folder(tmp_path: Path) -> None:
    store = ImageStore(Workspace(tmp_path / "run"))
    folder = store.new_folder("build[eu]")
    (folder / "left over").write_text("")
    assert list(store.new_folder("build[eu]").iterdir()) == []
    assert store.new_folder("build[us]") != folder
