"""What the saved plan file itself tells: the state it is made for and the code it is made from."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

MAX_STATE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Facts of a plan file that its JSON does not give.

    Attributes:
        lineage: The lineage of the state the plan is made for; empty for a state that does not exist yet.
        serial: That state's serial number.
        code_digest: sha256 over every configuration file the plan is made from.
    """

    lineage: str = ""
    serial: int = 0
    code_digest: str = ""


def read_facts(data: bytes) -> PlanFacts:
    """The facts in a plan file; all empty for a plan that a remote service keeps, whose file is only a bookmark."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            lineage, serial = _state(archive)
            return PlanFacts(lineage, serial, _code_digest(archive))
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError):
        return PlanFacts(code_digest=hashlib.sha256(data).hexdigest())


def read_facts_of(path: Path) -> PlanFacts:
    """The facts in the plan file at `path`."""
    return read_facts(path.read_bytes())


def _state(archive: zipfile.ZipFile) -> tuple[str, int]:
    member = archive.getinfo("tfstate")
    if member.file_size > MAX_STATE_BYTES:
        raise ValueError("the state is too large to be read")
    state = json.loads(archive.read(member))
    return str(state["lineage"]), int(state["serial"])


def _code_digest(archive: zipfile.ZipFile) -> str:
    digest = hashlib.sha256()
    for member in sorted(archive.infolist(), key=lambda item: item.filename):
        if member.filename.startswith("tfconfig/"):
            content = hashlib.sha256(archive.read(member)).hexdigest()
            digest.update(f"{member.filename}\0{content}\n".encode())
    return digest.hexdigest()


def write_private(path: Path, data: bytes, mode: int = 0o600) -> Path:
    """Write a new file that nobody else can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path
