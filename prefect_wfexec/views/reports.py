"""The reports of a run, and the bytes of one."""

from typing import TYPE_CHECKING

from prefect_wfexec.engine.reports import blob_of, reports_of
from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.journal import Journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def read_report(client: "PrefectClient", journal: Journal, step: str, name: str) -> bytes:
    """What a report holds, secrets masked.

    Raises:
        UsageError: the run has no such report, or this process has no key to open it with.
        EngineError: it is gone or was changed.
    """
    for step_id, report in reports_of(journal.state):
        if (step_id, report["name"]) == (step, name):
            break
    else:
        hint = "`wfexec reports` lists those it has; those of old runs are removed"
        raise UsageError(f"the run has no report '{name}' of a step '{step}'", hint=hint, code="unknown-report")
    if journal.keys is None:
        words = "the report is encrypted and this process has no key"
        raise UsageError(words, hint="set the key the run was started with", code="no-key")
    return await Blobs(client, journal.run_id, journal.keys).get(blob_of(report))
