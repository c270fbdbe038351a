"""Setting right what no process does: runs that wait without one and have something due, and locks of ended runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.notices.due import due_notices
from prefect_wfexec.engine.nudge import wake
from prefect_wfexec.journal.facts import Actor, Fact, Kind, utc_now
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.operations.locks import release_orphaned_locks
from prefect_wfexec.views.live import PassedOver, live_journal, live_runs

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

RECONCILER = Actor("reconcile")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done for a run."""

    run: str
    act: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"run": self.run, "act": self.act, "reason": self.reason}


async def reconcile(client: "PrefectClient") -> tuple[list[Act], list[PassedOver]]:
    """Have a process started for every suspended run that one has something to do for; release locks of ended runs.

    Returns:
        What was done, and the runs of which nobody here can know whether something is to be done.
    """
    acts = [
        Act(released.run, f"released lock '{released.key}'", released.reason)
        for released in await release_orphaned_locks(client)
    ]
    passed_over: list[PassedOver] = []
    for flow_run in await live_runs(client):
        journal = await live_journal(client, flow_run)
        if isinstance(journal, PassedOver):
            passed_over.append(journal)
            continue
        reason = due(journal.state, utc_now())
        if not reason or not await wake(client, flow_run.id):
            continue
        act = Act(flow_run.name, "resumed", reason)
        if journal.keys is not None:
            fact = Fact(Kind.RECONCILED, {"act": act.act, "reason": reason}, actor=RECONCILER)
            await journal.append(lambda state, fact=fact: [] if state.closed else [fact])  # type: ignore[misc]
        acts.append(act)
    return acts, passed_over


def due(state: ExecutionState, now: datetime) -> str:
    """What a process would have to do for a run that waits; empty when there is nothing."""
    if state.closed is not None:
        return ""
    for gate in state.open_gates:
        if gate.expires is not None and gate.expires <= now:
            return f"gate '{gate.step}' has expired"
    if state.requests or state.cancel is not None:
        return "a request waits for its answer"
    unsent = due_notices(state, now)
    return f"a message about gate '{unsent[0].step}' is due" if unsent else ""
