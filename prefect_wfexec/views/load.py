"""Executions read from Prefect: the flow run, its journal and the definition it pinned."""

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.engine.host import host_id, is_alive
from prefect_wfexec.engine.retrying import read_opened
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Opened
from prefect_wfexec.status import RunStatus, TriggerKind, run_status_of_state
from prefect_wfexec.views.execution import Execution, RunHeader

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


MOST_COMPILED = 32


async def load_execution(client: "PrefectClient", flow_run: "FlowRun", journal: Journal) -> Execution:
    """The run with everything its journal says."""
    state = journal.state
    name = state.opened.workflow if state.opened is not None else await flow_name(client, flow_run.flow_id)
    lost = "" if flow_run.deployment_id is not None and is_cleaning(state) else lost_engine(state)
    return Execution(header_of(flow_run, name), state, pinned_workflow(state), utc_now(), lost)


def is_cleaning(state: ExecutionState) -> bool:
    """Whether another run is to take away what this one has made, and ends this one then."""
    return state.closed is None and state.cleanup is not None and state.cleanup.status is None


def lost_engine(state: ExecutionState) -> str:
    """What to tell when the run's engine was on this machine and its process is gone; empty otherwise.

    Nothing is known of a process on another machine, so nothing is said of it.
    """
    engine = state.engine
    if state.closed is not None or engine is None or engine.left or engine.host != host_id():
        return ""
    if is_alive(engine.pid, engine.pid_started):
        return ""
    return f"its process (pid {engine.pid} on this machine) is gone; nothing goes on with this run"


def pinned_workflow(state: ExecutionState) -> Workflow | None:
    """The definition the run was opened with; None before that, or when this version can't read it."""
    if state.opened is None:
        return None
    # Who looks at a run looks again and again, and to compile a long definition takes a while.
    known = _compiled.get(state.opened)
    if known is None:
        path = Path(state.opened.path) if state.opened.path else None
        try:
            known = read_opened(state.opened, path)
        except DefinitionError:
            return None
        _compiled.put(state.opened, known)
    return known


class _Compiled:
    """The workflows of runs that were looked at last, each as long as nothing else was opened in its place."""

    def __init__(self) -> None:
        self._found: OrderedDict[int, tuple[Opened, Workflow]] = OrderedDict()

    def get(self, opened: Opened) -> Workflow | None:
        found = self._found.get(id(opened))
        return found[1] if found is not None else None

    def put(self, opened: Opened, workflow: Workflow) -> None:
        # What was opened is kept beside it: no other can have its identity.
        self._found[id(opened)] = (opened, workflow)
        if len(self._found) > MOST_COMPILED:
            self._found.popitem(last=False)


_compiled = _Compiled()


async def flow_name(client: "PrefectClient", flow_id: UUID) -> str:
    return (await client.read_flow(flow_id)).name


def header_of(flow_run: "FlowRun", workflow: str) -> RunHeader:
    """What Prefect knows of a run."""
    state = flow_run.state
    status = run_status_of_state(state.type.value, state.name) if state else RunStatus.PENDING
    return RunHeader(
        id=str(flow_run.id),
        name=flow_run.name,
        workflow=workflow,
        status=status,
        triggered_by=_triggered_by(flow_run),
        user=tagged(flow_run.tags, "user:"),
        triggered_at=flow_run.created or flow_run.expected_start_time,
        started=flow_run.start_time,
        ended=flow_run.end_time,
        inputs={key: value for key, value in flow_run.parameters.items() if key != PARAMETER},
        message=(state.message or "") if state is not None and state.is_final() else "",
        is_scheduled=state is not None and (state.is_scheduled() or state.is_pending()),
    )


def _triggered_by(flow_run: "FlowRun") -> str:
    created_by = flow_run.created_by.type if flow_run.created_by is not None else None
    return triggered_by_of(flow_run.tags, created_by, is_auto=flow_run.auto_scheduled)


def triggered_by_of(tags: Iterable[str], created_by: str | None, *, is_auto: bool) -> str:
    """Who or what started a run.

    Args:
        tags: The run's tags.
        created_by: What kind of creator Prefect names.
        is_auto: Whether Prefect's scheduler made it.
    """
    said = tagged(tags, "trigger:")
    for kind in TriggerKind:
        if said == kind.value.lower():
            return kind.value
    return TriggerKind.SCHEDULE.value if is_auto or created_by == "SCHEDULE" else TriggerKind.MANUAL.value


def tagged(tags: Iterable[str], prefix: str) -> str | None:
    """What follows this prefix in a tag; None when no tag has it."""
    return next((tag.removeprefix(prefix) for tag in sorted(tags) if tag.startswith(prefix)), None)
