"""Entering a run: pin what it is opened with, or go on from what its journal says."""

from dataclasses import dataclass, replace
from pathlib import Path

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.cleanup.parent import Parent
from prefect_wfexec.engine.context import RunContext
from prefect_wfexec.engine.decide import Decider
from prefect_wfexec.engine.lending import Lending
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import load_values
from prefect_wfexec.engine.restoring import Restorer
from prefect_wfexec.engine.retrying import Retry, pinned, reset
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.engine.takeover import settle_dead_claims
from prefect_wfexec.engine.validation import inherited, is_valid
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.state import ExecutionState


@dataclass(frozen=True, slots=True)
class Entered:
    """A run as an engine found it when it entered."""

    workflow: Workflow
    scopes: Scopes
    decider: Decider


async def enter_run(
    engine: str,
    given: Workflow,
    inputs: dict[str, JSON],
    context: RunContext,
    lent: Lending,
    *,
    has_deployment: bool,
    retry: Retry | None = None,
    parent: Parent | None = None,
) -> Entered | None:
    """Open the run if nobody has, enter it, and take over what dead engines left; None when it has ended.

    With `retry`, what it asks for runs again. `parent` is the run that this one cleans up after.

    Raises:
        Superseded: a newer engine entered.
    """
    await lent.journal.append(lambda state: _opening(state, given, inputs, context, lent.run.name, parent))
    await lent.journal.append(fencing.enter(engine))
    if lent.journal.state.closed is not None:
        return None
    lent.folder = _folder(given, lent.journal.state, has_deployment=has_deployment)
    await fencing.wait_for_older_engines(lent.journal, engine, lent.commands)
    await settle_dead_claims(engine, lent, Outline(pinned(given, lent.journal.state)))
    if retry is not None:
        await reset(lent.journal, given, engine, retry)
    workflow = pinned(given, lent.journal.state)
    if workflow.digest != given.digest:
        await lent.journal.append(lambda state: _other_source(state, engine, given))
    outline = Outline(workflow)
    scopes = Scopes(workflow, outline, lent.run, workspace=lent.workspace.root)
    if parent is not None:
        parent.scopes.workspace = lent.workspace.root
        scopes.parent = (parent.scopes, parent.journal.state)
        lent.run = replace(lent.run, cleanup_of=str(parent.flow_run.id))
        await parent.load(lent.masker)
        await lent.journal.append(lambda state: inherited(engine, state, parent.journal.state))
    elif not await is_valid(engine, workflow, scopes, lent.journal):
        return None
    await load_values(lent.journal.state, scopes.values, lent.blobs, lent.masker)
    lent.workspace.note_going_on()
    lent.restorer = _restorer(outline, scopes, lent, parent, has_deployment=has_deployment)
    return Entered(workflow, scopes, Decider(outline, scopes, engine, lent.masker.mask_value))


def _restorer(
    outline: Outline, scopes: Scopes, lent: Lending, parent: Parent | None, *, has_deployment: bool
) -> Restorer:
    """Who makes files again: this run's, or those of the run that this one cleans up after."""
    if parent is None:
        state = lambda: lent.journal.state  # noqa: E731
        return Restorer(outline, scopes, state, lent.blobs, lent.workspace, overwrites=has_deployment)
    return Restorer(
        parent.scopes.outline,
        parent.scopes,
        lambda: parent.journal.state,
        parent.blobs,
        lent.workspace,
        overwrites=has_deployment,
        includes_self=True,
    )


def _opening(
    state: ExecutionState,
    workflow: Workflow,
    inputs: dict[str, JSON],
    context: RunContext,
    name: str,
    parent: Parent | None,
) -> list[Fact]:
    if state.opened is not None or state.closed is not None:
        return []
    path = workflow.path.resolve() if workflow.path else None
    data = {
        "definition": workflow.text,
        "digest": workflow.digest,
        "workflow": workflow.name,
        "path": str(path or ""),
        "folder": str(path.parent if path else Path.cwd()),
        "inputs": inputs,
        "trigger": context.trigger,
        "triggered_by": context.triggered_by.value,
        "user": context.user,
        "run_name": name,
    }
    before = parent.journal.state.opened if parent is not None else None
    if parent is not None and before is not None:
        cleanup = {"of": str(parent.flow_run.id), **parent.plan.as_json()}
        data |= {"path": before.path, "folder": before.folder, "cleanup": cleanup}
    return [Fact(Kind.OPENED, data)]


def _other_source(state: ExecutionState, engine: str, given: Workflow) -> list[Fact]:
    """That this process was given another definition than the one the run was opened with, and keeps to that one."""
    if not fencing.is_current(state, engine):
        return []
    text = (
        f"the definition has changed to {given.digest[:16]} since the run was opened; the run keeps to the one it has"
    )
    return [Fact(Kind.NOTED, {"engine": engine, "text": text, "digest": given.digest})]


def _folder(given: Workflow, state: ExecutionState, *, has_deployment: bool) -> Path:
    """Where relative paths start: the loaded definition's folder under a deployment, else where the run was opened."""
    opened = state.opened
    if has_deployment or opened is None:
        return given.path.resolve().parent if given.path else Path.cwd()
    return Path(opened.folder)
