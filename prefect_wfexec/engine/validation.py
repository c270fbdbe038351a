"""Validation: what must hold before the first step of a run, seen once and put on record."""

from prefect_wfexec.definition.model import JSON, Workflow
from prefect_wfexec.engine import fencing
from prefect_wfexec.engine.environment import NotDeployable, read_environment
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import one_line
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus


async def is_valid(engine: str, workflow: Workflow, scopes: Scopes, journal: Journal) -> bool:
    """Whether the run can go on; one that can't is closed with the reason."""
    if workflow.environment is None:
        return True
    if journal.state.validation is None:
        facts = await _found(engine, workflow, scopes, journal.state)
        await journal.append(
            lambda state: facts if fencing.is_current(state, engine) and state.validation is None else []
        )
    found = journal.state.validation
    return found is not None and not found.problem


async def _found(engine: str, workflow: Workflow, scopes: Scopes, state: ExecutionState) -> list[Fact]:
    data: dict[str, JSON] = {"engine": engine}
    try:
        data["environment"] = await read_environment(workflow, scopes.scope(state, workflow.environment))
    except NotDeployable as error:
        data["problem"] = one_line(error)
        ending = {"engine": engine, "status": RunStatus.FAILED.value, "reason": f"validation: {data['problem']}"}
        return [Fact(Kind.VALIDATED, data), Fact(Kind.CLOSED, ending)]
    return [Fact(Kind.VALIDATED, data)]
