"""Files by pattern below a folder: no link is followed or taken, nothing outside is reached, all is bounded."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from prefect_wfexec.errors import WfexecError

MOST_ENTRIES = 200_000
"""How many names are looked at."""


class NotFound(WfexecError):
    """A file that is wanted and can't be had.

    Args:
        message: Which, and why.
    """

    code = "not-found"


def find_files(root: Path, patterns: Iterable[str], most: int) -> list[str]:
    """The files that patterns name, sorted, relative to `root`; a folder stands for all files in it.

    Args:
        root: Where the patterns start.
        patterns: `*` and `?` stay within one name, `**` stands for any folders, `[ab]` is one of several characters.
        most: How many files may be found.

    Raises:
        NotFound: a pattern names nothing, a link, or something that is no plain file; or there are too many.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        count = len(found)
        parts = tuple(part for part in pattern.split("/") if part not in {"", "."})
        is_there = False
        for path in _matching(root, parts, pattern):
            is_there = True
            for file in _files_of(root, path, pattern):
                found[file] = None
                if len(found) > most:
                    raise NotFound(f"there are more than {most} files to keep", hint="keep an archive of them instead")
        if not is_there and len(found) == count:
            raise NotFound(f"'{pattern}' names no file in {root}", hint="the step has to make what it promises")
    return sorted(found)


def open_inside(root: Path, relative: str) -> BinaryIO:
    """Open a plain file below a folder for reading; no part of its path may be a link.

    Raises:
        NotFound: it is a link, no plain file, or not there.
    """
    _require_no_links(root, relative)
    try:
        descriptor = os.open(root / relative, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(f"'{relative}' can't be read: {error.strerror}") from None
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise NotFound(f"'{relative}' is no plain file")
    return file


def make_parents(root: Path, relative: str) -> Path:
    """Where a file below a folder is to be written, the folders on the way made; none of them may be a link.

    Raises:
        NotFound: the path leads outside, or through a link.
    """
    parts = relative.split("/")
    if relative.startswith("/") or not all(parts) or {".", ".."} & set(parts):
        raise NotFound(f"'{relative}' leads out of its folder")
    _require_no_links(root, relative)
    path = root / relative
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _require_no_links(root: Path, relative: str) -> None:
    path = root
    for part in relative.split("/"):
        path /= part
        if path.is_symlink():
            raise NotFound(f"'{path.relative_to(root)}' is a link", hint="only plain files are kept")


def _matching(root: Path, parts: tuple[str, ...], pattern: str) -> Iterator[str]:
    """The paths of a pattern. What stands before its first star is gone to straight away."""
    plain = 0
    while plain < len(parts) and not set(parts[plain]) & set("*?["):
        plain += 1
    start = "/".join(parts[:plain])
    if start:
        _require_no_links(root, start)
    if plain == len(parts):
        if (root / start).exists():
            yield start
        return
    for path in _below(root, start, pattern):
        if _matches(tuple(path.split("/")), parts):
            yield path


def _below(root: Path, start: str, pattern: str) -> Iterator[str]:
    """Every name below a folder, without going through links."""
    pending, seen = [start], 0
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > MOST_ENTRIES:
                raise NotFound(f"'{pattern}' would have to look at more than {MOST_ENTRIES} names")
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            yield path


def _files_of(root: Path, path: str, pattern: str) -> Iterator[str]:
    """The path when it is a file, all files in it when it is a folder."""
    _require_no_links(root, path)
    mode = (root / path).lstat().st_mode
    if stat.S_ISREG(mode):
        yield path
    elif stat.S_ISDIR(mode):
        for below in _below(root, path, pattern):
            below_mode = (root / below).lstat().st_mode
            if stat.S_ISLNK(below_mode):
                raise NotFound(f"'{below}' is a link", hint="only plain files are kept")
            if stat.S_ISREG(below_mode):
                yield below
    else:
        raise NotFound(f"'{path}' is no plain file")


def _matches(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether a path is of a pattern; each state of the pattern is kept once, so time grows with the path alone."""
    places = _closure({0}, parts)
    for name in path:
        after = {place if parts[place] == "**" else place + 1 for place in places if _takes(parts, place, name)}
        places = _closure(after, parts)
    return len(parts) in places


def _takes(parts: tuple[str, ...], place: int, name: str) -> bool:
    return place < len(parts) and (parts[place] == "**" or _expression(parts[place]).fullmatch(name) is not None)


def _closure(places: set[int], parts: tuple[str, ...]) -> set[int]:
    """With those reached by `**` that stands for no folder."""
    for place in sorted(places):
        while place < len(parts) and parts[place] == "**":
            place += 1  # noqa: PLW2901
            places = places | {place}
    return places


@lru_cache(maxsize=256)
def _expression(part: str) -> "re.Pattern[str]":
    import fnmatch

    return re.compile(fnmatch.translate(part))
