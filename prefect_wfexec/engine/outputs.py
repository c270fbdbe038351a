"""Outputs on their way into the journal: what is secret or large goes into a blob, the entry shows the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.secret_values import strings_in
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.facts import canonical_json
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.masking import MASK, Masker
from prefect_wfexec.steps.base import BlobStore

Path = tuple[str, ...]
LARGEST_IN_ENTRY = 64 * 1024
LARGEST_VALUE_SHOWN = 4 * 1024
MORE = "…"
ROOM_FOR_MORE = 64


@dataclass(frozen=True, slots=True)
class StoredOutputs:
    """What the entry holds.

    Attributes:
        shown: The outputs as anyone may see them.
        ref: Where the outputs stand in full, with the paths of the secret ones; None when `shown` is all of them.
    """

    shown: dict[str, JSON]
    ref: dict[str, JSON] | None


async def store_outputs(
    outputs: Mapping[str, JSON], sensitive: Iterable[Path], masker: Masker, blobs: BlobStore
) -> StoredOutputs:
    """Split outputs into what the entry shows and what only a blob holds."""
    secret = set(sensitive) | set(_paths_the_masker_changes(outputs, masker))
    text = canonical_json(outputs)
    if not secret and len(text) <= LARGEST_IN_ENTRY:
        return StoredOutputs(dict(outputs), None)
    ref = await blobs.put(text.encode())
    shown = _shortened(hide(outputs, secret))
    return StoredOutputs(shown, {**ref.as_json(), "sensitive": sorted(list(path) for path in secret)})


async def load_outputs(ref: Mapping[str, JSON], blobs: BlobStore) -> tuple[dict[str, JSON], list[Path]]:
    """The outputs in full, and the paths of the secret ones.

    Raises:
        EngineError: the blob is gone or was changed.
    """
    import json

    data = json.loads(await blobs.get(BlobRef.from_json(ref)))
    return data, [tuple(str(part) for part in path) for path in ref.get("sensitive") or []]


async def load_values(
    state: ExecutionState, values: dict[str, Mapping[str, JSON]], blobs: BlobStore, masker: Masker
) -> None:
    """Put outputs that entries show masked or cut into `values`, in clear; their secrets are masked from now on."""
    for step in state.steps.values():
        if step.outputs_ref:
            found, secret = await load_outputs(step.outputs_ref, blobs)
            values[step.id] = found
            masker.add(*(text for path in secret for text in strings_in(value_at(found, path))))


def hide(outputs: Mapping[str, JSON], paths: Iterable[Path]) -> dict[str, JSON]:
    """The outputs with `***` at `paths`, and at everything below them; the empty path hides names too."""
    hidden: Any = dict(outputs)
    for path in paths:
        if not path:
            return {MASK: MASK}
        hidden = _hide_one(hidden, path)
    return dict(hidden)


def value_at(outputs: Any, path: Path) -> JSON:
    """The value at a path, None when there is none."""
    for part in path:
        try:
            outputs = outputs[int(part)] if isinstance(outputs, list) else outputs[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return outputs


def _hide_one(value: Any, path: Path) -> Any:
    if not path:
        return MASK
    if isinstance(value, dict) and path[0] in value:
        return {**value, path[0]: _hide_one(value[path[0]], path[1:])}
    if isinstance(value, list) and path[0].isdecimal() and int(path[0]) < len(value):
        place = int(path[0])
        return [*value[:place], _hide_one(value[place], path[1:]), *value[place + 1 :]]
    return value


def _paths_the_masker_changes(value: Any, masker: Masker, path: Path = ()) -> list[Path]:
    if isinstance(value, str):
        return [path] if masker.mask(value) != value else []
    if isinstance(value, Mapping):
        found: list[Path] = []
        for key, item in value.items():
            if masker.mask(str(key)) != str(key):
                return [path]
            found += _paths_the_masker_changes(item, masker, (*path, str(key)))
        return found
    if isinstance(value, list):
        return [
            found
            for place, item in enumerate(value)
            for found in _paths_the_masker_changes(item, masker, (*path, str(place)))
        ]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [path] if masker.mask(str(value)) != str(value) else []
    return []


def _shortened(outputs: dict[str, JSON]) -> dict[str, JSON]:
    """The outputs, cut so far that an entry can hold them."""
    if len(canonical_json(outputs)) <= LARGEST_IN_ENTRY:
        return outputs
    shown: dict[str, JSON] = {}
    left = LARGEST_IN_ENTRY
    for name, value in outputs.items():
        cut = _cut(value)
        left -= len(canonical_json({name: cut}))
        if left < ROOM_FOR_MORE:
            return {**shown, MORE: f"{len(outputs) - len(shown)} more outputs"}
        shown[name] = cut
    return shown


def _cut(value: JSON) -> JSON:
    text = canonical_json(value)
    if len(text) <= LARGEST_VALUE_SHOWN:
        return value
    start = value if isinstance(value, str) else text
    # In JSON a character takes up to twelve.
    kept = start[: LARGEST_VALUE_SHOWN // (1 if start.isascii() else 12)]
    return f"{kept}… ({len(start)} characters in all)"
