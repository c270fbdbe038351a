"""Gates: what a decision is asked on, who may give it, and what closes the gate. Pure but for rendering `with`."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.forms import Answer, form_base
from prefect_wfexec.journal.facts import ENGINE, Actor, Fact, Kind, canonical_json
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import Decision, ExecutionState, Gate, Request
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.status import StepStatus

DECISIONS = frozenset({"approve", "reject"})
LONGEST_SUBJECT_CHARACTERS = 16_000
LONGEST_COMMENT_CHARACTERS = 4_000
LONGEST_NAME_CHARACTERS = 200
EXPIRED = "expired"
UNDECIDED = "undecided"
"""The error type of a gate that expired with `on_expire: fail`: the step failed, nobody said no."""


def subject_digest(subject: JSON) -> str:
    """What a decision is bound to: a saved plan's own digest, else that of the subject's canonical JSON."""
    if isinstance(subject, dict) and isinstance(subject.get("digest"), str):
        return str(subject["digest"])
    return hashlib.sha256(canonical_json(subject).encode()).hexdigest()


def opening(
    step_id: str, generation: int, inputs: Mapping[str, JSON], shown: Mapping[str, JSON], now: datetime
) -> Fact:
    """The fact that opens a gate.

    Args:
        step_id: The gate's step.
        generation: How many gates the step had before, plus one.
        inputs: The step's `with`, rendered, in clear; only a digest of its subject is kept.
        shown: The same, masked.
        now: The time.
    """
    expires = inputs.get("expires")
    data: dict[str, JSON] = {
        "step": step_id,
        "generation": generation,
        "message": shown.get("message") or "",
        "subject_digest": subject_digest(inputs.get("subject")),
        "subject": _shown_subject(shown.get("subject")),
        "quorum": inputs.get("quorum") or 1,
        "approvers": list(inputs.get("approvers") or ()),
        "expires": (now + timedelta(seconds=expires)).isoformat() if expires else None,
        "on_expire": inputs.get("on_expire") or "reject",
    }
    return Fact(Kind.APPROVAL_OPENED, data, time=now)


def gate_facts(state: ExecutionState, now: datetime, answers: Iterable[Answer] = ()) -> list[Fact]:
    """The facts that follow for the gates: requests and forms decided or refused, gates closed."""
    facts: list[Fact] = []
    for answer in answers:
        found = _of_form(answer, state, now)
        facts += found
        state = fold_facts(found, state, 0)
    for request in state.requests.values():
        found = _answer(request, state, now)
        facts += found
        state = fold_facts(found, state, 0)
    for gate in state.open_gates:
        found = _closing(gate, state, now)
        facts += found
        state = fold_facts(found, state, 0)
    return facts


def next_expiry(state: ExecutionState) -> datetime | None:
    """When the next open gate expires, None when none does."""
    return min((gate.expires for gate in state.open_gates if gate.expires), default=None)


def _of_form(answer: Answer, state: ExecutionState, now: datetime) -> list[Fact]:
    """What comes of a form somebody filled in; nothing when its gate has moved on."""
    gate = state.open_gate(answer.step)
    if gate is None or form_base(gate) != answer.form:
        return []
    name, comment = _text(answer.values.get("approver")).strip(), _text(answer.values.get("comment")).strip()
    data = {"step": gate.step, "generation": gate.generation, "form": answer.form, "channel": "prefect"}
    decision = answer.values.get("decision")
    problem = _content_problem(decision, comment, name) or _expiry_problem(gate, now)
    if not problem and decision == "reject" and not comment:
        problem = "a rejection needs a comment"
    if problem:
        return [Fact(Kind.REFUSED, {**data, "reason": problem, "by": name[:LONGEST_NAME_CHARACTERS]}, time=now)]
    decided = {**data, "decision": decision, "comment": comment, "subject_digest": gate.subject_digest}
    return [Fact(Kind.DECIDED, decided, actor=Actor(name or "unknown"), time=now)]


def _answer(request: Request, state: ExecutionState, now: datetime) -> list[Fact]:
    step_id = _text(request.data.get("step"))
    gate = state.open_gate(step_id)
    problem = _problem(request, gate)
    if gate is None or problem:
        return [_refusal(request, problem or f"no gate '{step_id}' is open", now)]
    data = {
        "step": step_id,
        "generation": gate.generation,
        "decision": request.data["decision"],
        "comment": _text(request.data.get("comment")),
        "subject_digest": gate.subject_digest,
        "request": request.id,
    }
    return [Fact(Kind.DECIDED, data, actor=Actor(_text(request.actor.name) or "unknown"), time=now)]


def _problem(request: Request, gate: Gate | None) -> str:
    """Why a request can't count as a decision on this gate; empty when it can. Anyone may have written it."""
    data = request.data
    if request.what == "cancel":
        return "the run is being cancelled already"
    if request.what != "decision":
        return f"this version can't do '{_text(request.what)[:100]}'"
    problem = _content_problem(data.get("decision"), _text(data.get("comment")), _text(request.actor.name))
    if problem or gate is None:
        return problem
    if data.get("generation") not in (None, gate.generation):
        return "the decision is about an earlier gate of this step"
    if data.get("subject_digest") not in (None, "", gate.subject_digest):
        return "the decision is about another subject than the gate's"
    return _expiry_problem(gate, request.at)


def _content_problem(decision: JSON, comment: str, name: str) -> str:
    if decision not in tuple(DECISIONS):
        return "a decision is approve or reject"
    if len(comment) > LONGEST_COMMENT_CHARACTERS:
        return f"the comment is longer than {LONGEST_COMMENT_CHARACTERS} characters"
    return (
        f"the name is longer than {LONGEST_NAME_CHARACTERS} characters" if len(name) > LONGEST_NAME_CHARACTERS else ""
    )


def _expiry_problem(gate: Gate, at: datetime) -> str:
    return "the gate had expired" if gate.expires and gate.expires <= at else ""


def _text(value: JSON) -> str:
    """A text from outside as Prefect, its database and a terminal can take it; what is no text counts as none."""
    if not isinstance(value, str):
        return ""
    return strip_ansi(value).encode("utf-8", "replace").decode("utf-8")


def _closing(gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    rejected = next((found for found in gate.decisions if found.decision == "reject"), None)
    if rejected is not None:
        reason = f"rejected by {rejected.by.name}" + (f": {rejected.comment}" if rejected.comment else "")
        return _close(gate, state, now, "rejected", StepStatus.FAILED, reason, rejected)
    approvals = [found for found in gate.decisions if found.decision == "approve"]
    if len({found.by.name for found in approvals}) >= gate.quorum:
        return _close(gate, state, now, "approved", StepStatus.SUCCESS, "", approvals[-1])
    if state.cancel is not None:
        return _close(gate, state, now, "cancelled", StepStatus.CANCELLED, "the run was cancelled", None)
    if gate.expires is not None and gate.expires <= now:
        reason = f"nobody decided until {gate.expires.isoformat(timespec='seconds')}"
        return _close(gate, state, now, EXPIRED, StepStatus.FAILED, reason, None)
    return []


def _close(
    gate: Gate,
    state: ExecutionState,
    now: datetime,
    outcome: str,
    status: StepStatus,
    reason: str,
    decision: Decision | None,
) -> list[Fact]:
    step = state.step(gate.step)
    closed = {"step": gate.step, "generation": gate.generation, "outcome": outcome, "reason": reason}
    finished: dict[str, JSON] = {
        "step": gate.step,
        "attempt": step.attempt,
        "engine": step.engine,
        "status": status.value,
    }
    if status is StepStatus.FAILED:
        kind = UNDECIDED if outcome == EXPIRED and gate.on_expire == "fail" else outcome
        finished["error"] = {"type": kind, "message": reason, "exit_code": None, "tail": ""}
    if status is StepStatus.CANCELLED:
        finished["reason"] = reason
    if decision is not None:
        finished["outputs"] = {
            "decision": decision.decision,
            "by": decision.by.name,
            "comment": decision.comment,
        }
        word = "Approved" if decision.decision == "approve" else "Rejected"
        finished["summary"] = f"{word} by {decision.by.name}"
    return [
        Fact(Kind.APPROVAL_CLOSED, closed, actor=decision.by if decision else ENGINE, time=now),
        Fact(Kind.STEP_FINISHED, finished, time=now),
    ]


def _refusal(request: Request, reason: str, now: datetime) -> Fact:
    by = _text(request.actor.name)[:LONGEST_NAME_CHARACTERS]
    return Fact(Kind.REFUSED, {"request": request.id, "reason": reason, "by": by}, time=now)


def _shown_subject(subject: JSON) -> JSON:
    text = canonical_json(subject)
    return subject if len(text) <= LONGEST_SUBJECT_CHARACTERS else f"{text[:LONGEST_SUBJECT_CHARACTERS]}…"
