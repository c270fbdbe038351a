"""Reports on their way into the journal: masked, kept as blobs, listed with name, kind and size."""

import re
from collections.abc import Iterable, Mapping

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import EngineError, ReportFile
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.steps.base import BlobStore

MOST_REPORTS = 20
LARGEST_REPORT_BYTES = 32 * 1024 * 1024
LONGEST_NAME = 100
KINDS = frozenset({"sarif", "json", "junit", "text"})
_ODD = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


async def store_reports(reports: Iterable[ReportFile], masker: Masker, blobs: BlobStore) -> tuple[JSON, ...]:
    """Keep what a step leaves; what its `step_finished` says of it.

    Raises:
        EngineError: it is too much, or could not be stored.
    """
    stored: list[JSON] = []
    names: set[str] = set()
    for report in reports:
        if len(stored) == MOST_REPORTS or len(report.data) > LARGEST_REPORT_BYTES:
            limits = f"{MOST_REPORTS} of {LARGEST_REPORT_BYTES >> 20} MiB each"
            raise EngineError(f"the step leaves more reports than can be kept: {limits} are the most")
        name = _free_name(_safe_name(report.name), names)
        names.add(name)
        data = _masked(report.data, masker)
        ref = await blobs.put(data)
        kind = report.kind if report.kind in KINDS else "text"
        stored.append({"name": name, "kind": kind, **ref.as_json()})
    return tuple(stored)


def reports_of(state: ExecutionState) -> list[tuple[str, Mapping[str, JSON]]]:
    """Every report of a run that is still kept, with its step; steps in the order in which they began."""
    return [(step.id, report) for step in state.steps.values() for report in step.reports]


def blob_of(report: Mapping[str, JSON]) -> BlobRef:
    """Where a report's bytes are.

    Raises:
        ValueError: the journal does not say.
    """
    return BlobRef.from_json(dict(report))


def _masked(data: bytes, masker: Masker) -> bytes:
    """The bytes without secrets; what is no UTF-8 in them stays as it is."""
    return masker.mask(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _safe_name(name: str) -> str:
    """A name that is one file's in any folder: no separators, no leading dot or hyphen."""
    return _ODD.sub("-", name).strip("-.")[-LONGEST_NAME:].lstrip("-.") or "report"


def _free_name(name: str, taken: set[str]) -> str:
    """The name, numbered when another report of the step has it; case does not tell two files apart everywhere."""
    lower = {one.lower() for one in taken}
    free, number = name, 1
    while free.lower() in lower:
        number += 1
        free = f"{number}-{name}"
    return free
