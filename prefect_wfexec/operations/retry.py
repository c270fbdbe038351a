"""Retry, retry from a step, skip: what has ended is taken up again, by a worker or by this process."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.loader import load_definition, load_text
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.outcome import OUTCOME_UNKNOWN
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.outputs import load_outputs
from prefect_wfexec.engine.reset import Wanted, reset_set
from prefect_wfexec.engine.retrying import CLEANED_UP, retry_request
from prefect_wfexec.errors import EngineError, UsageError
from prefect_wfexec.journal.blobs import Blobs
from prefect_wfexec.journal.facts import Actor, Fact, Kind, utc_now
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.registry import catalog, find_step_type
from prefect_wfexec.views.deployments import definition_of
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import lost_engine, pinned_workflow

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

UNHEEDED = timedelta(minutes=1)
"""How long a request is given to be heeded before another may be made."""
_PLAN = "terraform.plan"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A retry that can be done.

    Attributes:
        flow_run: The run.
        journal: Its journal.
        workflow: What it goes on with.
        wanted: What is wanted.
        reset: What runs again, and why.
        is_latest: Whether it goes on with the definition as it is now.
    """

    flow_run: "FlowRun"
    journal: Journal
    workflow: Workflow
    wanted: Wanted
    reset: Mapping[str, str]
    is_latest: bool = False

    @property
    def has_deployment(self) -> bool:
        return self.flow_run.deployment_id is not None

    def as_json(self) -> dict[str, JSON]:
        """What `--dry-run` prints."""
        state = self.journal.state
        rows = [
            {"step": step_id, "status": state.step(step_id).status.value, "reason": reason}
            for step_id, reason in self.reset.items()
        ]
        steps = [self.workflow.step(step_id) for step_id in self.reset]
        return {
            "run": self.flow_run.name,
            "kind": self.wanted.kind,
            "reset": rows,
            "replan": any(step.uses == _PLAN for step in steps),
            "asks": [step.id for step in steps if find_step_type(step.uses).spec.is_gate],
        }


async def prepare(client: "PrefectClient", run: str, wanted: Wanted, *, is_latest: bool = False) -> Prepared:
    """What would run again, with everything it needs seen to be there.

    Raises:
        UsageError: the run goes on, nothing would run again, or what would needs something that is gone.
    """
    flow_run = await find_run(client, run)
    journal = await read_journal(client, flow_run)
    state = journal.state
    if state.opened is None:
        raise UsageError(f"run {flow_run.name} has never begun", hint="start it anew", code="not-begun")
    _require_over(flow_run, state)
    if state.cleanup is not None:
        raise UsageError(f"run {flow_run.name} can't be taken up again: {CLEANED_UP}", code="cleaned-up")
    workflow = pinned_workflow(state)
    if is_latest:
        workflow = expand(await _latest(client, flow_run, state), state.opened.inputs)
    if workflow is None:
        words = f"the definition of run {flow_run.name} does not compile with this version"
        raise UsageError(words, hint="take the newest with --latest", code="bad-definition")
    wanted = replace(wanted, inputs={**_new_inputs(workflow, state), **wanted.inputs})
    found = reset_set(Outline(workflow), as_if_over(state), wanted) if not _is_invalid(state, wanted) else {}
    _require_folder(flow_run, Path(state.opened.folder))
    await _require_outputs(client, flow_run, journal, found)
    return Prepared(flow_run, journal, workflow, wanted, found, is_latest)


def as_if_over(state: ExecutionState) -> ExecutionState:
    """The state in which a later engine finds the run: what a dead one left running has ended, nobody knows how."""
    fault = {"type": OUTCOME_UNKNOWN, "message": "", "exit_code": None, "tail": ""}
    facts = [
        Fact(
            Kind.STEP_FINISHED,
            {"step": step.id, "attempt": step.attempt, "engine": step.engine, "status": "Failed", "error": fault},
        )
        for step in state.steps.values()
        if step.status is StepStatus.RUNNING
    ]
    return fold_facts(facts, state, 0)


async def request_retry(prepared: Prepared, by: Actor, reason: str = "") -> Fact:
    """Put the request on record.

    Raises:
        UsageError: the run went on meanwhile, or was asked for the like a moment ago.
    """
    wanted, name = prepared.wanted, prepared.flow_run.name
    data: dict[str, JSON] = {"what": wanted.kind}
    data |= {"step": wanted.step} if wanted.step else {}
    data |= {"inputs": dict(wanted.inputs)} if wanted.inputs else {}
    data |= {"reason": reason} if reason else {}
    data |= {"latest": True} if prepared.is_latest else {}
    fact = Fact(Kind.REQUESTED, data, by)

    def decide(state: ExecutionState) -> list[Fact]:
        _require_over(prepared.flow_run, state)
        known = retry_request(state)
        if known is not None and utc_now() - known.at < UNHEEDED:
            words = f"run {name} was asked for the same by {known.actor.name} at {known.at.isoformat('T', 'seconds')}"
            raise UsageError(words, hint=f"see `wfexec show {name}`", code="asked-already")
        return [fact]

    await prepared.journal.append(decide)
    return fact


async def dispatch(client: "PrefectClient", flow_run: "FlowRun") -> "FlowRun":
    """Have a worker take the run up, or, for a run without a deployment, let this process begin it."""
    from prefect.client.schemas.objects import State
    from prefect.states import AwaitingRetry, Pending

    begins: State[None] = Pending(message="to be retried") if flow_run.deployment_id is None else AwaitingRetry()
    await client.set_flow_run_state(flow_run.id, begins, force=True)
    return await client.read_flow_run(flow_run.id)


def _require_over(flow_run: "FlowRun", state: ExecutionState) -> None:
    """That no engine runs the run.

    Raises:
        UsageError: one may.
    """
    is_over_for_prefect = flow_run.state is not None and flow_run.state.is_final()
    if state.closed is not None or is_over_for_prefect or lost_engine(state):
        return
    name = flow_run.name
    if state.open_gates:
        words, hint = f"run {name} waits for a decision", f"see `wfexec show {name}`"
    else:
        words, hint = f"run {name} is running", f"wait for its end, or cancel it with `wfexec cancel {name}`"
    raise UsageError(words, hint=hint, code="running")


def _require_folder(flow_run: "FlowRun", folder: Path) -> None:
    if flow_run.deployment_id is None and not folder.is_dir():
        words = f"the folder {folder}, where run {flow_run.name} was started, is not on this machine"
        raise UsageError(words, hint="retry it where it ran", code="no-folder")


def _is_invalid(state: ExecutionState, wanted: Wanted) -> bool:
    """Whether the run failed before its first step: there is nothing to reset, and all of it to run."""
    return wanted.kind == "retry" and state.validation is not None and bool(state.validation.problem)


def _new_inputs(workflow: Workflow, state: ExecutionState) -> dict[str, JSON]:
    """The inputs that the run was not opened with, for a newer definition has them, at their defaults."""
    known = state.opened.inputs if state.opened else {}
    return {one.name: one.default for one in workflow.inputs if one.name not in known and not one.required}


async def _latest(client: "PrefectClient", flow_run: "FlowRun", state: ExecutionState) -> Workflow:
    """The definition as it is now: in the run's deployment, or in the file it was started from."""
    opened = state.opened
    path = Path(opened.path) if opened and opened.path else None
    if flow_run.deployment_id is not None:
        deployment = await client.read_deployment(flow_run.deployment_id)
        found = definition_of(deployment.parameter_openapi_schema)
        workflow = load_text(found.text if found else "", path, catalog())
    elif path is None or not path.is_file():
        raise UsageError(f"the file of run {flow_run.name} is not there: {path}", code="no-file")
    else:
        workflow = load_definition(path, catalog())
    missing = [one.name for one in workflow.inputs if one.required and opened and one.name not in opened.inputs]
    if missing:
        words = f"the newest definition needs the input '{missing[0]}', which run {flow_run.name} does not have"
        raise UsageError(words, hint="start a new run", code="missing-input")
    return workflow


async def _require_outputs(
    client: "PrefectClient", flow_run: "FlowRun", journal: Journal, reset: Mapping[str, str]
) -> None:
    """That what the steps gave that do not run again can still be read.

    Raises:
        UsageError: something is gone.
    """
    if journal.keys is None:
        return
    blobs = Blobs(client, flow_run.id, journal.keys)
    for step in journal.state.steps.values():
        if step.id in reset or not step.outputs_ref:
            continue
        try:
            await load_outputs(step.outputs_ref, blobs)
        except EngineError as error:
            words = f"what step '{step.id}' gave is gone: {error.message}"
            hint = f"run it again with --from {shlex.quote(step.id)}"
            raise UsageError(words, hint=hint, code="outputs-gone") from None
