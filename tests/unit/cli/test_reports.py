"""Reports written into a folder: safe names, nothing overwritten, nothing outside."""

from pathlib import Path

import pytest

from prefect_wfexec.cli.reports import _refuse_to_overwrite, _write, file_name
from prefect_wfexec.errors import UsageError


@pytest.mark.parametrize(
    ("step", "name", "file"),
    [
        ("scan", "trivy.sarif", "scan-trivy.sarif"),
        ("scan[eu-west]", "a.json", "scan-eu-west-a.json"),
        ("..", "../../x", "x"),
        ("-o", "y", "o-y"),
    ],
)
def test_the_file_s_name(step: str, name: str, file: str) -> None:
    assert file_name(step, name) == file


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "link"):
        with pytest.raises(UsageError, match=f"'{name}' would be overwritten"):
            _refuse_to_overwrite(tmp_path, ["b", name])
        with pytest.raises(UsageError, match="can't be written"):
            _write(tmp_path / name, b"theirs")
    assert (tmp_path / "a").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_two_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'a' would be overwritten"):
        _refuse_to_overwrite(tmp_path / "new", ["a", "a"])
    assert not (tmp_path / "new").exists()


def test_a_folder_is_made(tmp_path: Path) -> None:
    _refuse_to_overwrite(tmp_path / "x" / "y", ["a"])
    _write(tmp_path / "x" / "y" / "a", b"data")
    assert (tmp_path / "x" / "y" / "a").read_bytes() == b"data"
