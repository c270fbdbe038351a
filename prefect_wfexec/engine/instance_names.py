"""Step ids where only some characters may stand: in keys of Prefect's API and in names of files."""

import hashlib
import re

_OTHERS = re.compile(r"[^a-z0-9]+")
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def plain_name(step_id: str) -> str:
    """The id in a-z, 0-9 and hyphens; that of an instance, `deploy[eu]`, with a digest, for it may hold anything."""
    plain = _OTHERS.sub("-", step_id.lower()).strip("-")
    if _PLAIN.fullmatch(step_id):
        return plain
    return f"{plain[:80]}-{hashlib.sha256(step_id.encode()).hexdigest()[:12]}"


def file_name(step_id: str) -> str:
    """The id as part of a file's name: as it is, but for that of an instance."""
    return step_id if _PLAIN.fullmatch(step_id) else plain_name(step_id)


def is_instance_of(step_id: str, name: str) -> bool:
    """Whether an id is that of an instance of the step `name`."""
    return step_id.startswith(f"{name}[") and step_id.endswith("]")
