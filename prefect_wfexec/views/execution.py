"""One run as its readers see it: the shape of `show`, `run` and `retry`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prefect_wfexec.definition.model import Step, Workflow
from prefect_wfexec.engine.progress import lock_words, run_status, shown_status, step_seconds
from prefect_wfexec.engine.reports import reports_of
from prefect_wfexec.engine.retrying import retry_request
from prefect_wfexec.journal.state import Cleanup, ExecutionState, Gate
from prefect_wfexec.status import RunStatus, TriggerKind

JSON = Any


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What Prefect knows of a run without its journal."""

    id: str
    name: str
    workflow: str
    status: RunStatus
    triggered_by: str
    user: str | None
    triggered_at: datetime | None
    started: datetime | None
    ended: datetime | None
    inputs: Mapping[str, JSON]
    is_scheduled: bool = False
    """Whether a process is about to begin, or to take the run up again."""
    message: str = ""
    """What Prefect says of the state the run has ended in."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A run: what Prefect knows of it, its definition when it compiles, and its journal, folded."""

    header: RunHeader
    state: ExecutionState
    workflow: Workflow | None
    now: datetime
    lost: str = ""
    """What is known of an engine that is gone without a word, empty as long as the run may go on by itself."""

    @property
    def status(self) -> RunStatus:
        """The journal's word once the run is open.

        Prefect's before that, when the run ended with no engine's word, and when an ended one waits for its retry.
        """
        if self.state.opened is None:
            return self.header.status
        status = run_status(self.state)
        is_cleaned_up = self.state.cleanup is not None and self.state.cleanup.status is None
        is_ended_by_prefect = not status.is_final and self.header.status.is_final and not is_cleaned_up
        # Prefect shows that a process is at work again a moment before that says so in the journal.
        is_begun_again = not self.header.status.is_final and retry_request(self.state) is not None
        is_asked_to_go_on = status.is_final and (self.header.is_scheduled or is_begun_again)
        return self.header.status if is_ended_by_prefect or is_asked_to_go_on else status

    @property
    def started(self) -> datetime | None:
        return self.state.engines[0].at if self.state.engines else self.header.started

    @property
    def ended(self) -> datetime | None:
        if self.state.closed is not None:
            return self.state.closed.at if self.status.is_final else None
        return self.header.ended if self.status.is_final else None

    @property
    def duration_seconds(self) -> float | None:
        if not self.state.segments:
            return None
        return self.state.active_seconds(self.ended or self.now)

    @property
    def elapsed_seconds(self) -> float | None:
        return ((self.ended or self.now) - self.started).total_seconds() if self.started else None

    def as_json(self) -> dict[str, JSON]:
        opened = self.state.opened
        header = self.header
        return {
            "id": header.id,
            "name": header.name,
            "workflow": opened.workflow if opened else header.workflow,
            "definition_digest": opened.digest if opened else None,
            "status": self.status.value,
            "triggered_by": opened.triggered_by if opened else header.triggered_by,
            "user": opened.user if opened else header.user,
            "trigger": self._trigger(),
            "triggered_at": iso(header.triggered_at),
            "started": iso(self.started),
            "ended": iso(self.ended),
            "duration_seconds": rounded(self.duration_seconds),
            "elapsed_seconds": rounded(self.elapsed_seconds),
            "inputs": dict(opened.inputs if opened else header.inputs),
            "outputs": (self.state.closed.outputs or {}) if self.state.closed else {},
            "reports": self.reports_json(),
            "steps": [self._step(step) for step in self.workflow.steps] if self.workflow else [],
            "gates": [_gate(gate) for gate in self.state.gates],
            "reason": self.reason,
            "cleanup": _cleanup(self.state.cleanup),
        }

    @property
    def reason(self) -> str:
        """Why the run ended as it did, or why it does not go on; empty when there is nothing to explain."""
        if self.state.closed is not None:
            return self.state.closed.reason
        # What became of the lock of a run that is over is no reason for its end.
        return self.lost or (self.header.message if self.status.is_final else lock_words(self.state))

    def outputs_json(self) -> dict[str, JSON]:
        """The workflow's outputs, or each step's when the workflow declares none."""
        view = self.as_json()
        if self.workflow is not None and self.workflow.outputs:
            return dict(view["outputs"])
        return {step["id"]: step["outputs"] for step in view["steps"] if step["outputs"]}

    def reports_json(self) -> list[dict[str, JSON]]:
        """The reports its steps left, as they are listed."""
        return [
            {"step": step_id, "name": report["name"], "kind": report["kind"], "size": report["size"]}
            for step_id, report in reports_of(self.state)
        ]

    def _trigger(self) -> dict[str, JSON]:
        trigger = self.state.opened.trigger if self.state.opened else {}
        return {
            "type": trigger.get("type") or TriggerKind.MANUAL.value.lower(),
            "id": trigger.get("id"),
            "text": trigger.get("text") or "",
        }

    def _step(self, step: Step) -> dict[str, JSON]:
        current = self.state.step(step.id)
        status = shown_status(step, self.state)
        return {
            "id": step.id,
            "name": step.name,
            "uses": step.uses,
            "phase": step.phase,
            "status": status.value,
            "attempt": current.attempt,
            "started": iso(current.first_started),
            "ended": iso(current.ended) if status.is_final else None,
            "duration_seconds": rounded(step_seconds(current, self.ended or self.now)),
            "summary": current.summary,
            "reason": current.reason,
            "error": current.fault.as_json() if current.fault else None,
            "outputs": dict(current.outputs),
            "needs": list(step.needs),
        }


def _cleanup(cleanup: Cleanup | None) -> JSON:
    if cleanup is None:
        return None
    status = cleanup.status.value if cleanup.status else None
    return {"run": cleanup.name, "status": status, "reason": cleanup.reason, "left": list(cleanup.left)}


def _gate(gate: Gate) -> dict[str, JSON]:
    return {
        "step": gate.step,
        "generation": gate.generation,
        "status": gate.outcome or "open",
        "subject_digest": gate.subject_digest,
        "quorum": gate.quorum,
        "approvers": list(gate.approvers),
        "expires": iso(gate.expires),
        "covered_by": gate.covered_by,
        "news": list(gate.news),
        "decisions": [
            {
                "decision": found.decision,
                "by": found.by.name,
                "verified_by": found.by.verified_by,
                "comment": found.comment,
                "at": iso(found.at),
            }
            for found in gate.decisions
        ],
        "notices": [
            {"notice": notice.key, "at": iso(notice.at), "error": notice.error or None}
            for notice in gate.notices.values()
        ],
    }


def iso(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def rounded(seconds: float | None) -> float | None:
    """Seconds, to the millisecond."""
    return None if seconds is None else round(seconds, 3)
