"""The end of a run: its outputs, and the fact that closes it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.fencing import is_current
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.opening import Entered
from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import store_outputs
from prefect_wfexec.engine.portable import portable
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.base import Artifact


async def stored_run_outputs(run: Entered, lent: Lending) -> tuple[dict[str, JSON], dict[str, JSON] | None]:
    """The workflow's outputs as the entry shows them, and where they stand in full; null where there is no value."""
    values: dict[str, JSON] = {}
    for name, template in run.workflow.outputs.items():
        try:
            values[name] = render(template, run.scopes.scope(lent.journal.state, template))
        except ExpressionError:
            values[name] = None
    values, _ = portable(values, lent.workspace.root)
    stored = await store_outputs(values, (), lent.masker, lent.blobs)
    return stored.shown, stored.ref


def closing_fact(
    state: ExecutionState, engine: str, outline: Outline, outputs: dict[str, JSON], ref: dict[str, JSON] | None
) -> list[Fact]:
    """The fact that closes the run; none when another engine has taken over."""
    if not is_current(state, engine) or state.closed is not None:
        return []
    status, reason = outcome(outline, state)
    data = {"engine": engine, "status": status.value, "reason": reason, "outputs": outputs, "outputs_ref": ref}
    return [Fact(Kind.CLOSED, data)]


def cleanup_page(name: str, address: str) -> Artifact:
    """The way to the run that takes away what this one has made, for Prefect's UI."""
    return Artifact("cleanup", f"[{name}]({address}) takes away what this run has made.\n", "Its cleanup")


def outputs_page(outputs: dict[str, Any]) -> Artifact:
    """The outputs as a page for Prefect's UI."""
    text = json.dumps(outputs, indent=2, ensure_ascii=False).replace("```", "` ` `")
    return Artifact("outputs", f"```json\n{text}\n```\n", "What the run gave")


def reports_page(run: str, reports: Sequence[tuple[str, Mapping[str, JSON]]]) -> Artifact:
    """The reports of the run as a page for Prefect's UI, and how to get them."""
    rows = [f"| {step} | {one['name']} | {one['kind']} | {one['size']} |" for step, one in reports]
    table = "\n".join(["| Step | Report | Kind | Bytes |", "|---|---|---|---|", *rows])
    return Artifact("reports", f"{table}\n\n`wfexec reports {run} --download DIR` writes them.\n", "What scans found")
