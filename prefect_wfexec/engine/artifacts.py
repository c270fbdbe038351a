"""`artifacts:` the files of a step that are kept as blobs, and put back on a machine that lacks them."""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.outcome import BLOB_GONE
from prefect_wfexec.errors import EngineError, StepFailed
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.finding import NotFound, find_files, make_parents, open_inside
from prefect_wfexec.settings import LARGEST_ARTIFACTS
from prefect_wfexec.steps.base import BlobStore, StepContext, StepType

MOST_FILES = 1_000
IN_WORKSPACE = "$WFEXEC_WORKSPACE/"
Where = Literal["workspace", "folder"]
_SIZE = re.compile(r"(\d{1,6})\s?([KMG])iB", re.ASCII)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is kept.

    Attributes:
        at: Whether its path starts in the run's folder or in the definition's.
        path: Its path there.
        is_executable: Whether it may be run.
        ref: Its bytes.
    """

    at: Where
    path: str
    is_executable: bool
    ref: BlobRef

    def as_json(self) -> dict[str, JSON]:
        return {"at": self.at, "path": self.path, "executable": self.is_executable, **self.ref.as_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "_File":
        at: Where = "workspace" if value["at"] == "workspace" else "folder"
        return cls(at, str(value["path"]), bool(value["executable"]), BlobRef.from_json(dict(value)))


async def save_artifacts(context: StepContext, kind: type[StepType]) -> dict[str, JSON] | None:
    """Keep the files that a step which succeeded promises; what its `step_finished` says of them.

    Raises:
        StepFailed: one is not there, is a link, or they are too many or too large (`type="artifacts"`).
        EngineError: they could not be stored.
    """
    patterns = context.step.artifacts
    if not patterns:
        return None
    most = largest_bytes()
    try:
        found = await asyncio.to_thread(_find, context, kind, patterns)
        files: list[_File] = []
        size = 0
        for at, root, path in found:
            data, is_executable = await asyncio.to_thread(_read, root, path, most - size)
            size += len(data)
            files.append(_File(at, path, is_executable, await context.blobs.put(data)))
    except NotFound as fault:
        is_harmless = not kind.spec.changes_infrastructure
        words = f"an artifact of step '{context.step.id}' can't be kept: {fault.message}"
        raise StepFailed(words, type="artifacts", hint=fault.hint, retryable=is_harmless) from None
    manifest = await context.blobs.put(json.dumps([file.as_json() for file in files]).encode())
    places = sorted({file.at for file in files})
    return {"count": len(files), "bytes": size, "at": places, **manifest.as_json()}


async def put_back(kept: Mapping[str, JSON], context: StepContext, blobs: BlobStore, *, overwrites: bool) -> None:
    """Make the files of a step again on this machine, each checked by its sha256.

    Args:
        kept: What the step's `step_finished` says of its artifacts.
        context: The step's.
        blobs: Where they are kept.
        overwrites: Whether a file of the definition's folder gives way that is there with other contents.

    Raises:
        StepFailed: one can't be made, or would take the place of a file that is somebody's.
        EngineError: one is gone, or was changed.
    """
    for file in await _manifest(kept, blobs):
        root = context.workspace.make() if file.at == "workspace" else context.folder
        try:
            if not root.is_dir():
                raise NotFound(f"the folder {root} does not exist", hint="paths start at the definition's folder")
            path = make_parents(root, file.path)
            if await asyncio.to_thread(_is_there, path, file.ref.sha256):
                continue
            if file.at == "folder" and not overwrites and path.exists():
                hint = f"remove it, or retry from '{context.step.id}'"
                raise NotFound(f"'{file.path}' is there, with other contents than the step left", hint=hint)
            data = await blobs.get(file.ref)
            await asyncio.to_thread(_write, path, data, file.is_executable)
        except (NotFound, OSError) as fault:
            raise StepFailed(
                fault.message if isinstance(fault, NotFound) else f"'{file.path}': {fault.strerror}",
                type="not_restored",
                hint=fault.hint if isinstance(fault, NotFound) else None,
            ) from None


def largest_bytes() -> int:
    """How much the artifacts of one step may be together.

    Raises:
        EngineError: the setting LARGEST_ARTIFACTS is no size.
    """
    found = _SIZE.fullmatch(LARGEST_ARTIFACTS.read())
    if found is None:
        words = f"{LARGEST_ARTIFACTS.variable} is no size"
        raise EngineError(words, hint="write it like 100MiB", code="bad-setting")
    return int(found[1]) * _UNITS[found[2]]


def _find(context: StepContext, kind: type[StepType], patterns: tuple[str, ...]) -> list[tuple[Where, Path, str]]:
    """Where each file is: which of the two folders, that folder, and the path in it."""
    ran_in = kind().working_folder(context).resolve()
    workspace, folder = context.workspace.root, context.folder.resolve()
    groups: dict[Path, list[str]] = {}
    for pattern in patterns:
        is_in_workspace = pattern.startswith(IN_WORKSPACE)
        base = context.workspace.make() if is_in_workspace else ran_in
        groups.setdefault(base, []).append(pattern.removeprefix(IN_WORKSPACE) if is_in_workspace else pattern)
    found: dict[tuple[Where, Path, str], None] = {}
    for base, wanted in groups.items():
        at, root = _place_of(base, workspace, folder)
        for name in find_files(base, wanted, MOST_FILES - len(found)):
            found[(at, root, str((base / name).relative_to(root)))] = None
    return list(found)


def _place_of(base: Path, workspace: Path, folder: Path) -> tuple[Where, Path]:
    if base.is_relative_to(workspace):
        return "workspace", workspace
    if base.is_relative_to(folder):
        return "folder", folder
    hint = f"run it in the definition's folder, or write to {IN_WORKSPACE}"
    raise NotFound(f"the step ran in {base}, which no other machine has", hint=hint)


def _read(root: Path, path: str, most: int) -> tuple[bytes, bool]:
    with open_inside(root, path) as file:
        data = file.read(most + 1)
        mode = os.fstat(file.fileno()).st_mode
    if len(data) > most:
        hint = f"{LARGEST_ARTIFACTS.variable} says how much they may be"
        raise NotFound(f"the files are more than {LARGEST_ARTIFACTS.read()} together, with '{path}'", hint=hint)
    return data, bool(mode & 0o100)


async def _manifest(kept: Mapping[str, JSON], blobs: BlobStore) -> list[_File]:
    try:
        return [_File.from_json(one) for one in json.loads(await blobs.get(BlobRef.from_json(dict(kept))))]
    except (ValueError, KeyError, TypeError) as fault:
        raise EngineError(f"the list of artifacts can't be read: {fault}", code=BLOB_GONE.replace("_", "-")) from None


def _is_there(path: Path, sha256: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _write(path: Path, data: bytes, is_executable: bool) -> None:
    """Whole or not at all: another step may read it at any time."""
    beside = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, 0o700 if is_executable else 0o600), "wb") as file:
            file.write(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
