"""The folder of a run on one machine: files that a step makes and later steps use.

`<folder of all>/<run id>/` holds `files`, which steps see, `here`, which says whose files are there, and `ended` once
the run has ended. Everything is the worker's own (0700), and all of it can be made again elsewhere.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prefect_wfexec.errors import EngineError
from prefect_wfexec.settings import WORKSPACES

MOST_KEPT = 20
"""How many runs that have ended leave their files at most, whatever their age."""
LEAST_FREE = 0.1
"""When less of the disk is free than this part, no run that has ended keeps its files."""
_ODD = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A run's folder.

    Attributes:
        root: The folder of its files; it is made when it is first used.
    """

    root: Path

    @classmethod
    def of(cls, run_id: str, home: Path) -> "Workspace":
        """A run's folder on this machine.

        Args:
            run_id: The run.
            home: Prefect's home.
        """
        return cls(workspaces_folder(home) / run_id / "files")

    def make(self) -> Path:
        """The folder of its files, made when it is not there.

        Raises:
            EngineError: it can't be made, or is somebody else's.
        """
        try:
            for folder in (self.root.parent.parent, self.root.parent, self.root):
                _make(folder)
        except OSError as error:
            words = f"the folder {self.root} for a run's files can't be made: {error.strerror}"
            raise EngineError(words, hint=f"{WORKSPACES.variable} names another place", code="workspace") from None
        return self.root

    def folder(self, step_id: str) -> Path:
        """The folder of a step in it, made (0700) when it is not there.

        The id of an instance, such as `build[eu]`, holds values from outside and is no name of a folder.
        """
        folder = self.make() / (f"{_name(step_id)}-{_digest(step_id)}" if _ODD.search(step_id) else step_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def note_here(self, step_id: str, attempt: int, beside: Path | None = None) -> None:
        """The files of an attempt that succeeded are on this machine; `beside`: those in this other folder too."""
        mark = self._mark(step_id, attempt, beside)
        _make(self.make().parent / "here")
        mark.write_text(self._identity())

    def is_here(self, step_id: str, attempt: int, beside: Path | None = None) -> bool:
        """Whether they are; not when the folder of files has gone since."""
        try:
            return self._mark(step_id, attempt, beside).read_text() == self._identity()
        except OSError:
            return False

    def note_ended(self) -> None:
        """The run has ended and its files are kept for a while."""
        with contextlib.suppress(OSError):
            (self.root.parent / "ended").touch()

    def note_going_on(self) -> None:
        """The run goes on."""
        (self.root.parent / "ended").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything of the run on this machine, as far as it can be."""
        remove_tree(self.root.parent)

    def _mark(self, step_id: str, attempt: int, beside: Path | None) -> Path:
        name = f"{_name(step_id)}-{_digest(step_id)}-{attempt}"
        return self.root.parent / "here" / (name if beside is None else f"{name}-{_digest(str(beside))}")

    def _identity(self) -> str:
        found = self.root.stat()
        return f"{found.st_dev}:{found.st_ino}"


NO_WORKSPACE = Workspace(Path("/nonexistent"))
"""What a step has that runs without an engine."""


def workspaces_folder(home: Path) -> Path:
    """The folder of all runs' folders on this machine."""
    configured = WORKSPACES.read()
    return (Path(configured).expanduser() if configured else home / "wfexec" / "workspaces").resolve()


def runs_in(workspaces: Path) -> Iterator[tuple[str, float | None]]:
    """The runs that have a folder, and since when each has ended, in seconds of the epoch; None: it is not known."""
    with contextlib.suppress(OSError):
        for folder in sorted(workspaces.iterdir()):
            if not folder.is_symlink() and folder.is_dir():
                yield folder.name, _ended(folder)


def sweep(workspaces: Path, keep_seconds: float, now: float | None = None) -> list[str]:
    """Remove what runs that have ended left, once it is old, or too many, or the disk is nearly full; their ids."""
    ended = sorted(((since, run) for run, since in runs_in(workspaces) if since is not None), reverse=True)
    oldest = (time.time() if now is None else now) - keep_seconds
    most = 0 if _is_nearly_full(workspaces) else MOST_KEPT
    gone = [run for place, (since, run) in enumerate(ended) if since < oldest or place >= most]
    for run in gone:
        remove_tree(workspaces / run)
    return gone


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, folders that nobody may write to among them; links are not followed."""
    if folder.is_symlink():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for path, names, _ in os.walk(folder):
            for name in (path, *(os.path.join(path, one) for one in names)):  # noqa: PTH118 - os.walk gives texts
                if not os.path.islink(name):  # noqa: PTH114
                    with contextlib.suppress(OSError):
                        Path(name).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(1, f"{folder.name} is somebody else's, or a link")


def _ended(folder: Path) -> float | None:
    try:
        return (folder / "ended").lstat().st_mtime
    except OSError:
        return None


def _is_nearly_full(folder: Path) -> bool:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return False
    return usage.free < LEAST_FREE * usage.total


def _name(step_id: str) -> str:
    return _ODD.sub("-", step_id)[:80]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
