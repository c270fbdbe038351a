"""Taking a run up again that has ended: who asked for it, and what is done anew. What is not stands as it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine.approvals.gates import withdrawn
from prefect_wfexec.engine.approvals.verifying import LONGEST_COMMENT_CHARACTERS, LONGEST_NAME_CHARACTERS
from prefect_wfexec.engine.cleanup.workflow import CleanupPlan, cleanup_workflow
from prefect_wfexec.engine.fencing import entering, is_current
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.reset import RESET_KINDS, CannotReset, Wanted, reset_set
from prefect_wfexec.errors import UsageError, WfexecError, one_line
from prefect_wfexec.journal.facts import Actor, Fact, Kind, utc_now
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Opened, Request
from prefect_wfexec.runtime.outside import refuse_unsafe, text_from_outside
from prefect_wfexec.steps.registry import catalog

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import State

AWAITING_RETRY = "AwaitingRetry"
SCHEDULED = "Scheduled"
CLEANED_UP = "what the run had made was taken away; start a new run"
PREFECT_USER = Actor("a user of Prefect")


@dataclass(frozen=True, slots=True)
class Retry:
    """What takes a run up again.

    Attributes:
        heeded: What asked for it, ids of requests and of Prefect's states: none of them is heeded again.
        wanted: What is wanted.
        actor: Who wants it.
        reason: Why, in their words.
        is_latest: Whether to go on with the definition this process was given, not the one the run was opened with.
            Never with one that the request brings: whoever reaches Prefect's API could write that.
    """

    heeded: tuple[str, ...]
    wanted: Wanted = field(default_factory=Wanted)
    actor: Actor = PREFECT_USER
    reason: str = ""
    is_latest: bool = False


async def wanted_retry(client: "PrefectClient", run_id: "UUID", known: ExecutionState) -> Retry | None:
    """What was asked for since the run ended last and was not heeded yet: on record first, then by Prefect's Retry."""
    by_prefect = await _asked_by_prefect(client, run_id, known)
    request = retry_request(known)
    if request is None:
        return Retry((by_prefect,)) if by_prefect else None
    return _retry_of(request, by_prefect)


def retry_request(state: ExecutionState) -> Request | None:
    """The newest request on record to take the run up again."""
    found = [request for request in state.requests.values() if request.what in RESET_KINDS]
    return found[-1] if found else None


def _retry_of(request: Request, by_prefect: str) -> Retry:
    data = request.data
    step, inputs, kind = data.get("step"), data.get("inputs"), request.what
    wanted = Wanted(
        kind="retry_from" if kind == "retry_from" else "skip" if kind == "skip" else "retry",
        step=str(step) if step else None,
        inputs=inputs if isinstance(inputs, Mapping) else {},
    )
    return Retry(
        heeded=tuple(one for one in (request.id, by_prefect) if one),
        wanted=wanted,
        actor=Actor(text_from_outside(request.actor.name)[:LONGEST_NAME_CHARACTERS], request.actor.verified_by),
        reason=text_from_outside(data.get("reason"))[:LONGEST_COMMENT_CHARACTERS],
        is_latest=data.get("latest") is True,
    )


async def _asked_by_prefect(client: "PrefectClient", run_id: "UUID", known: ExecutionState) -> str:
    """The state by which Prefect's own Retry was asked for since the run ended last, unless it was heeded; or empty."""
    asked = retry_state(await client.read_flow_run_states(run_id))
    return "" if asked is None or str(asked.id) in known.retries else str(asked.id)


def retry_state(states: "Iterable[State[Any]]") -> "State[Any] | None":
    """The state by which a run is taken up again since it ended last, of all it has had.

    The UI's Retry gives it a name of its own. `prefect flow-run retry` does not: a run that has ended is scheduled.
    """
    later: State[Any] | None = None
    for state in sorted(states, key=lambda state: state.timestamp, reverse=True):
        if state.is_final():
            return later if later is not None and later.name == SCHEDULED else None
        if state.name == AWAITING_RETRY:
            return state
        later = state
    return None


async def reset(journal: Journal, given: Workflow, engine: str, retry: Retry) -> None:
    """Put on record what runs again; an engine that has not entered the run enters it with that.

    What can't be done is refused, on record, and a run that has ended is left as it is.
    """

    def decide(state: ExecutionState) -> list[Fact]:
        has_entered = is_current(state, engine)
        if set(retry.heeded) & state.retries or not (has_entered or state.closed):
            return []
        if state.cleanup is not None:
            return _refusals(state, retry, CLEANED_UP)
        try:
            workflow = _latest(given, state) if retry.is_latest else pinned(given, state)
            require_inputs(workflow, retry.wanted.inputs)
            found = reset_set(Outline(workflow), state, retry.wanted)
        except CannotReset as error:
            is_invalid = state.validation is not None and bool(state.validation.problem)
            if not (is_invalid and retry.wanted.kind == "retry"):
                return _refusals(state, retry, one_line(error))
            workflow, found = pinned(given, state), {}
        except WfexecError as error:
            return _refusals(state, retry, one_line(error))
        facts = [*_others_refused(state, retry), *withdrawn(state, found, utc_now())]
        facts.append(_reset_fact(retry, found, workflow, state))
        facts += [] if has_entered else [entering(engine)]
        return [*facts, _skip_fact(retry, workflow)] if retry.wanted.kind == "skip" else facts

    await journal.append(decide)


def require_inputs(workflow: Workflow, inputs: Mapping[str, JSON]) -> None:
    """Refuse what a run of the workflow could not have been started with: anybody can write a request.

    Raises:
        UsageError: an input is unknown, of another type or choice than declared, or may not come from outside.
    """
    declared = {one.name: one for one in workflow.inputs}
    for name, value in inputs.items():
        if name not in declared:
            raise UsageError(f"workflow '{workflow.name}' has no such input", code="unknown-input")
        refuse_unsafe(value)
        problem = problem_of(declared[name], value) if value is not None or declared[name].required else ""
        if problem:
            raise UsageError(f"input '{name}' {problem}", code="bad-input")


def _reset_fact(retry: Retry, found: Mapping[str, str], workflow: Workflow, state: ExecutionState) -> Fact:
    data: dict[str, JSON] = {
        "request": retry.heeded[0],
        "heeded": list(retry.heeded),
        "what": retry.wanted.kind,
        "step": retry.wanted.step,
        "reason": retry.reason,
        "reset": list(found),
        "reasons": dict(found),
        "inputs": dict(retry.wanted.inputs),
    }
    if state.opened is not None and workflow.digest != state.opened.digest:
        steps = [step.id for step in workflow.steps]
        data |= {"definition": workflow.text, "digest": workflow.digest, "steps": steps}
    return Fact(Kind.RESET, {key: value for key, value in data.items() if value not in (None, "", {})}, retry.actor)


def _skip_fact(retry: Retry, workflow: Workflow) -> Fact:
    step = workflow.step(retry.wanted.step or "")
    reason = f"skipped by {retry.actor.name}" + (f": {retry.reason}" if retry.reason else "")
    data = {"step": step.id, "cause": "manual", "reason": reason, "outputs": dict(step.outputs or {})}
    return Fact(Kind.STEP_SKIPPED, data, retry.actor)


def _others_refused(state: ExecutionState, retry: Retry) -> list[Fact]:
    """Answers to what else was asked for: it was asked of a run that looked different."""
    others = [one for one in state.requests.values() if one.what in RESET_KINDS and one.id not in retry.heeded]
    reason = "the run was taken up again meanwhile"
    return [Fact(Kind.REFUSED, {"request": one.id, "reason": reason, "by": one.actor.name}) for one in others]


def _refusals(state: ExecutionState, retry: Retry, reason: str) -> list[Fact]:
    asked = [state.requests[one] for one in retry.heeded if one in state.requests]
    return [Fact(Kind.REFUSED, {"request": one.id, "reason": reason, "by": one.actor.name}) for one in asked]


def _latest(given: Workflow, state: ExecutionState) -> Workflow:
    """The definition at hand, with the steps that this run has of it."""
    return expand(given, state.opened.inputs if state.opened is not None else {})


def pinned(given: Workflow, state: ExecutionState) -> Workflow:
    """The definition the run goes by: the one it was opened with, or was last taken up with, whatever the file says."""
    opened = state.opened
    if opened is None or opened.digest == given.digest:
        return _latest(given, state)
    return read_opened(opened, Path(opened.path) if opened.path else given.path)


def read_opened(opened: Opened, path: Path | None) -> Workflow:
    """The workflow a run was opened with; for a cleanup, the one made of what it takes away.

    Raises:
        DefinitionError: this version can't read it.
    """
    workflow = expand(load_text(opened.definition, path, catalog()), opened.inputs)
    return cleanup_workflow(workflow, CleanupPlan.from_json(opened.cleanup)) if opened.cleanup else workflow
