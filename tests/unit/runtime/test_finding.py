"""Files by pattern: nothing outside, no links, all bounded."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.runtime import finding
from prefect_wfexec.runtime.finding import NotFound, find_files, make_parents, open_inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in ("a.txt", "dist/x.whl", "dist/y.whl", "dist/deep/z.whl", "dist/.hidden", "src/[odd].py", "empty/.keep"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "nothing").mkdir()
    return folder


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.txt", ["a.txt"]),
        ("./a.txt", ["a.txt"]),
        ("dist", ["dist/.hidden", "dist/deep/z.whl", "dist/x.whl", "dist/y.whl"]),
        ("dist/", ["dist/.hidden", "dist/deep/z.whl", "dist/x.whl", "dist/y.whl"]),
        ("dist/*.whl", ["dist/x.whl", "dist/y.whl"]),
        ("dist/**/*.whl", ["dist/deep/z.whl", "dist/x.whl", "dist/y.whl"]),
        ("**/z.whl", ["dist/deep/z.whl"]),
        ("d*/?.whl", ["dist/x.whl", "dist/y.whl"]),
        ("dist/[xz].whl", ["dist/x.whl"]),
        ("src/[[]odd].py", ["src/[odd].py"]),
        ("*", ["a.txt", "dist/.hidden", "dist/deep/z.whl", "dist/x.whl", "dist/y.whl", "empty/.keep", "src/[odd].py"]),
        ("nothing", []),
    ],
)
def test_what_a_pattern_names(root: Path, pattern: str, found: list[str]) -> None:
    assert find_files(root, [pattern], 100) == found


@pytest.mark.parametrize("pattern", ["b.txt", "dist/*.tar", "no/**/x", "**/none"])
def test_a_pattern_that_names_nothing_is_refused(root: Path, pattern: str) -> None:
    with pytest.raises(NotFound, match="names no file"):
        find_files(root, ["a.txt", pattern], 100)


@pytest.mark.parametrize("pattern", ["link", "link/hosts", "dist/*", "dist", "**", "way/x.whl"])
def test_links_are_refused_not_followed(root: Path, pattern: str) -> None:
    (root / "link").symlink_to("/etc")
    (root / "dist" / "secret").symlink_to("/etc/passwd")
    (root / "way").symlink_to(root / "dist")
    with pytest.raises(NotFound, match="is a link"):
        find_files(root, [pattern], 100)


def test_a_link_that_no_pattern_names_is_in_nobody_s_way(root: Path) -> None:
    (root / "loop").symlink_to(root)
    assert find_files(root, ["**/*.whl"], 100) == ["dist/deep/z.whl", "dist/x.whl", "dist/y.whl"]


def test_what_is_no_plain_file_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(NotFound, match="no plain file"):
        find_files(root, ["pipe"], 100)
    with pytest.raises(NotFound, match="no plain file"):
        open_inside(root, "pipe")


def test_too_many(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="more than 3 files"):
        find_files(root, ["dist"], 3)
    monkeypatch.setattr(finding, "MOST_ENTRIES", 5)
    with pytest.raises(NotFound, match="more than 5 names"):
        find_files(root, ["**/*.whl"], 100)


@given(st.lists(st.sampled_from(["**", "*", "a", "a*"]), min_size=1, max_size=12), st.integers(1, 12))
def test_a_pattern_takes_no_time_that_grows_with_its_stars(parts: list[str], depth: int) -> None:
    path = tuple(["a"] * depth)

    def slow(names: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        if not wanted:
            return not names
        if wanted[0] == "**":
            return slow(names, wanted[1:]) or (bool(names) and slow(names[1:], wanted))
        return bool(names) and slow(names[1:], wanted[1:])

    assert finding._matches(path, tuple(parts)) == slow(path, tuple(parts))


def test_reading_goes_through_no_link(root: Path) -> None:
    (root / "way").symlink_to("/etc")
    (root / "file").symlink_to("/etc/passwd")
    for name in ("way/passwd", "file"):
        with pytest.raises(NotFound, match="is a link"):
            open_inside(root, name)
    with open_inside(root, "a.txt") as file:
        assert file.read() == b"a.txt"


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//b", ".", "", "a/./b"])
def test_writing_stays_inside(root: Path, name: str) -> None:
    with pytest.raises(NotFound, match="leads out"):
        make_parents(root, name)


def test_writing_goes_through_no_link(root: Path) -> None:
    (root / "way").symlink_to("/etc")
    (root / "file").symlink_to("/etc/passwd")
    for name in ("way/x", "file"):
        with pytest.raises(NotFound, match="is a link"):
            make_parents(root, name)
    assert make_parents(root, "new/deep/x").parent.is_dir()
