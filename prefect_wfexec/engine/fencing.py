"""Which engine runs a run: entering it, leaving it to a newer one, and waiting for an older one to be gone."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.engine.host import host_id, is_alive, this_process
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.facts import Fact, Kind, new_id, utc_now
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import EngineInfo, ExecutionState, StepState
from prefect_wfexec.status import StepStatus

DEAD_AFTER_SECONDS = 90.0
"""How long an engine on another machine is watched without a sign of life before it counts as dead."""
SIGN_OF_LIFE_SECONDS = 30.0
POLL_SECONDS = 1.0


class Superseded(EngineError):
    """A newer engine entered the run: this one starts nothing more and leaves."""

    code = "superseded"


class Suspended(EngineError):
    """The run waits for a decision, its process leaves, and whoever decides has another one started."""

    code = "suspended"


class HandedOver(EngineError):
    """What the run has made is taken away by another run, which brings this one to its end."""

    code = "handed-over"


def new_engine_id() -> str:
    return new_id()


def entering(engine: str) -> Fact:
    """The fact by which an engine enters a run."""
    pid, started = this_process()
    return Fact(Kind.ENTERED, {"engine": engine, "host": host_id(), "pid": pid, "pid_started": started})


def enter(engine: str) -> Callable[[ExecutionState], list[Fact]]:
    """The append by which an engine enters a run that has not ended, unless it has entered."""

    def decide(state: ExecutionState) -> list[Fact]:
        has_entered = any(known.id == engine for known in state.engines)
        return [] if state.closed or has_entered else [entering(engine)]

    return decide


def is_current(state: ExecutionState, engine: str) -> bool:
    """Whether no newer engine has entered."""
    return state.engine is not None and state.engine.id == engine


def foreign_claims(state: ExecutionState, engine: str) -> list[StepState]:
    """Steps that another engine started and has not finished. A gate is nobody's: any engine carries it on."""
    gates = {gate.step for gate in state.open_gates}
    return [
        step
        for step in state.steps.values()
        if step.status is StepStatus.RUNNING and step.engine != engine and step.id not in gates
    ]


async def wait_for_older_engines(journal: Journal, engine: str, commands: Commands) -> None:
    """Wait until every step that an older engine runs is finished by it, or that engine is known to be gone.

    Raises:
        Superseded: a newer engine entered meanwhile.
    """
    # The engine has just entered: what it read then holds every claim of an older one, which starts nothing after that.
    watched_since = utc_now()
    while True:
        if not is_current(journal.state, engine):
            raise Superseded("a newer engine runs this run")
        if are_claims_dead(journal.state, engine, commands, watched_since):
            return
        await asyncio.sleep(POLL_SECONDS)
        await journal.catch_up()


def are_claims_dead(state: ExecutionState, engine: str, commands: Commands, watched_since: datetime) -> bool:
    """Whether nothing goes on any more of what engines other than this one have started.

    Args:
        state: The run.
        engine: The engine that asks, empty for one that starts nothing. It has entered: older ones start nothing more.
        commands: Finds the traces of the run's commands on this machine.
        watched_since: Since when the run is watched.
    """
    return all(_is_gone(state, claim, commands, watched_since) for claim in foreign_claims(state, engine))


def _is_gone(state: ExecutionState, claim: StepState, commands: Commands, watched_since: datetime) -> bool:
    owner = next((found for found in state.engines if found.id == claim.engine), None)
    if owner is None:
        return True
    if owner.host == host_id():
        if not owner.left and is_alive(owner.pid, owner.pid_started):
            return False
        return not commands.trace(claim.id, claim.attempt).is_being_stopped()
    return owner.left or _is_silent(owner, watched_since)


def _is_silent(owner: EngineInfo, watched_since: datetime) -> bool:
    return (utc_now() - max(owner.last_fact, watched_since)).total_seconds() >= DEAD_AFTER_SECONDS
