"""What waits for a decision: the inbox."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_wfexec.engine.approvals.gates import missing_approvals
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.views.execution import iso
from prefect_wfexec.views.live import PassedOver, live_journal, live_runs

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


@dataclass(slots=True)
class Inbox:
    """What waits for a decision.

    Attributes:
        rows: Every open gate, oldest first.
        unchecked: The runs whose journals were taken on trust, by name.
        passed_over: The runs that may wait as well, and why that is not known.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


async def load_approvals(client: "PrefectClient") -> Inbox:
    """The open gates of every run that goes on."""
    inbox = Inbox()
    for flow_run in await live_runs(client):
        journal = await live_journal(client, flow_run)
        if isinstance(journal, PassedOver):
            inbox.passed_over.append(journal)
            continue
        if journal.is_unchecked:
            inbox.unchecked.append(flow_run.name)
        if journal.state.closed is None:
            inbox.rows += [_row(flow_run, journal.state, gate) for gate in journal.state.open_gates]
    inbox.rows.sort(key=lambda row: str(row["opened"]))
    return inbox


def _row(flow_run: "FlowRun", state: ExecutionState, gate: Gate) -> dict[str, Any]:
    return {
        "run": flow_run.name,
        "workflow": state.opened.workflow if state.opened else "",
        "step": gate.step,
        "message": gate.message,
        "subject_digest": gate.subject_digest,
        "opened": iso(gate.opened),
        "expires": iso(gate.expires),
        "needs": missing_approvals(gate),
        "waits_for": waits_for(gate),
        "decided_by": _how(gate),
    }


def waits_for(gate: Gate) -> list[str]:
    """The people who may still approve; empty when anybody may."""
    given = {person_key(found.by.name) for found in gate.approvals}
    return [name for name in gate.approvers if person_key(name) not in given]


def _how(gate: Gate) -> str:
    """How a decision on a gate is given."""
    if not gate.is_governed:
        return "anybody; names are recorded as unverified"
    has_mail = any(one.get("mail") for one in gate.notify)
    return (
        "personal code, by mail, or sign-in at the gateway"
        if has_mail
        else "sign-in at the gateway; nobody is sent a code: its rules name no mail to notify"
    )
