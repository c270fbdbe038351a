"""What a deploy found in an object's place, kept on the object itself: an undo finds it there whatever happened since.

A process that is killed leaves no outputs; the object it changed is in the cluster with what it needs to be undone.
Who may read the object may read what it was; nobody else can.
"""

import base64
import binascii
import json
import zlib
from dataclasses import dataclass

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes import names
from prefect_wfexec.steps.kubernetes.api import Object

LARGEST_TEXT = 200 * 1024
"""Characters; all annotations of an object together may have 256 KiB."""
LARGEST_BYTES = 4 * 1024 * 1024
CREATED = "created"


@dataclass(frozen=True, slots=True)
class Before:
    """What stood in an object's place.

    Attributes:
        body: What to apply to have it back; None when there was nothing.
    """

    body: Object | None


def mark(obj: Object, run_id: str, step_id: str, text: str) -> Object:
    """The object, marked as what this step of this run has put there."""
    metadata = obj["metadata"]
    annotations = {
        **(metadata.get("annotations") or {}),
        names.RUN: run_id,
        names.STEP: step_id,
        names.BEFORE: text,
    }
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def is_marked(obj: Object, run_id: str, step_id: str) -> bool:
    """Whether this step of this run has put the object there."""
    annotations = obj["metadata"].get("annotations") or {}
    return bool(annotations.get(names.RUN) == run_id and annotations.get(names.STEP) == step_id)


def marked_run(obj: Object) -> str:
    """The run that was the last to put the object there; empty when none was."""
    return str((obj["metadata"].get("annotations") or {}).get(names.RUN) or "")


def written(body: Object | None, shown: str) -> str:
    """What stood there, as an annotation can hold it.

    Raises:
        StepFailed: it is too large to be kept.
    """
    if body is None:
        return CREATED
    packed = base64.b64encode(zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 9)).decode()
    if len(packed) > LARGEST_TEXT:
        raise StepFailed(
            f"what the {shown} is now is too large to be kept for an undo: {len(packed) // 1024} KiB packed",
            type="too_large",
            hint="split it into several objects",
            retryable=False,
        )
    return packed


def text_of(obj: Object) -> str:
    """The kept text of a marked object."""
    return str((obj["metadata"].get("annotations") or {}).get(names.BEFORE) or "")


def read(text: str, shown: str) -> Before:
    """What a kept text says.

    Raises:
        StepFailed: somebody has changed it.
    """
    if text == CREATED:
        return Before(None)
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), LARGEST_BYTES)
        body = json.loads(data)
    except (ValueError, zlib.error, binascii.Error, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        raise StepFailed(
            f"what the {shown} was before can't be read: its annotation {names.BEFORE} was changed or is gone",
            type="undo_lost",
            hint="bring back by hand what was there",
            retryable=False,
        )
    return Before(body)
