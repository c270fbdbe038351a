"""Gates: what a decision is asked on, what comes of what people give, and what closes the gate. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.forms import Answer, form_base
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.engine.approvals.rules import Rules
from prefect_wfexec.engine.approvals.verifying import LONGEST_NAME_CHARACTERS, Given, judge
from prefect_wfexec.engine.reset import RESET_KINDS
from prefect_wfexec.journal.facts import ENGINE, Actor, Fact, Kind, canonical_json
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import APPROVE_OR_REJECT, Decision, ExecutionState, Gate, Request
from prefect_wfexec.runtime.outside import text_from_outside
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.terraform.models import PlanReference

LONGEST_SUBJECT_CHARACTERS = 16_000
EXPIRED = "expired"
UNDECIDED = "undecided"
"""The error type of a gate that expired with `on_expire: fail`: the step failed, nobody said no."""
WITHDRAWN = "what it asked about is done anew"
OWN_FIELDS = frozenset({"decision", "approver", "code", "comment"})
"""The fields that every form has."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a gate is opened with.

    Attributes:
        step: The gate's step.
        generation: How many gates the step had before, plus one.
        subject: What is decided on, in clear; only a digest of it is kept.
        shown: The step's `with`, masked.
        rules: Who may decide, and how.
        covered_by: The generation whose approval covers this, if one does.
        news: What is new since an earlier approval, where none covers this.
        choices: What may be decided; the first lets the step go on.
        environment: The environment that the step deploys to once the gate is open; empty for any other gate.
    """

    step: str
    generation: int
    subject: JSON
    shown: Mapping[str, JSON]
    rules: Rules
    covered_by: int | None = None
    news: tuple[str, ...] = ()
    choices: tuple[str, ...] = APPROVE_OR_REJECT
    environment: str = ""

    def fact(self, now: datetime) -> Fact:
        """The fact that opens the gate."""
        rules = self.rules
        data: dict[str, JSON] = {
            "step": self.step,
            "generation": self.generation,
            "message": self.shown.get("message") or "",
            "subject_digest": subject_digest(self.subject),
            "subject": _shown_subject(self.shown.get("subject")),
            "quorum": rules.quorum,
            "approvers": list(rules.approvers),
            "is_governed": rules.is_governed,
            "allow_self": rules.allow_self,
            "expires": (now + timedelta(seconds=rules.expires)).isoformat() if rules.expires else None,
            "on_expire": rules.on_expire,
            "fields": self.shown.get("fields"),
            "hold": rules.hold,
            "notify": [dict(one) for one in rules.notify],
            "reuse": rules.reuse,
            "news": list(self.news),
            "covered_by": self.covered_by,
            "choices": list(self.choices) if self.choices != APPROVE_OR_REJECT else None,
            "environment": self.environment or None,
        }
        return Fact(
            Kind.APPROVAL_OPENED, {key: value for key, value in data.items() if value not in (None, [], {})}, time=now
        )


def subject_digest(subject: JSON) -> str:
    """What a decision is bound to: a saved plan's own digest, else that of the subject's canonical JSON.

    A plan's digest says what it changes; it stands for a reference to a plan as its step gave it, and for nothing that
    only has one in it.
    """
    if is_plan_reference(subject):
        return str(subject["digest"])
    return hashlib.sha256(canonical_json(subject).encode()).hexdigest()


def is_plan_reference(subject: JSON) -> bool:
    """Whether this is what a terraform.plan step gives as its `plan`, no more and no less."""
    is_one = isinstance(subject, dict) and subject.keys() == PlanReference.model_fields.keys()
    return is_one and subject["kind"] == "terraform.plan" and isinstance(subject["digest"], str)


def approvals_behind(gate: Gate, state: ExecutionState) -> tuple[Decision, ...]:
    """The approvals a gate rests on: its own, or those of the one that covered it."""
    while gate.covered_by is not None:
        older = [one for one in state.gates if (one.step, one.generation) == (gate.step, gate.covered_by)]
        if not older or older[0].generation >= gate.generation:
            return ()
        gate = older[0]
    return gate.approvals


def gate_facts(state: ExecutionState, now: datetime, codes: CodeBook, answers: Iterable[Answer] = ()) -> list[Fact]:
    """The facts that follow for the gates: requests and forms decided or refused, gates closed.

    What a deployment does once its gate is closed is decided with all that starts and ends.
    """
    facts: list[Fact] = []
    for gate in state.open_gates:
        if gate.covered_by is not None:
            state = _added(_closing(gate, state, now), facts, state)
    for answer in sorted(answers, key=lambda answer: answer.values.get("decision") != "reject"):
        state = _added(_of_form(answer, state, codes, now), facts, state)
        state = _added(_closings(state, now), facts, state)
    # A no comes first where both are there: it is the safe one.
    for request in sorted(state.requests.values(), key=lambda request: request.data.get("decision") != "reject"):
        state = _added(_of_request(request, state, codes, now), facts, state)
        state = _added(_closings(state, now), facts, state)
    _added(_closings(state, now), facts, state)
    return facts


def _added(found: list[Fact], facts: list[Fact], state: ExecutionState) -> ExecutionState:
    facts += found
    return fold_facts(found, state, 0)


def withdrawn(state: ExecutionState, reset: Iterable[str], now: datetime) -> list[Fact]:
    """The facts that close the open gates of steps that are to run again: a decision would be about what was before."""
    reset_ids = frozenset(reset)
    facts: list[Fact] = []
    for gate in state.open_gates:
        if gate.step in reset_ids:
            facts += _close(gate, state, now, "cancelled", StepStatus.CANCELLED, WITHDRAWN)
    return facts


def next_expiry(state: ExecutionState) -> datetime | None:
    """When the next open gate expires, None when none does."""
    return min((gate.expires for gate in state.open_gates if gate.expires), default=None)


def waited_seconds(state: ExecutionState, now: datetime) -> float:
    """How long the run's gates have waited for people, all together; one that an approval covered did not."""
    waited = (gate for gate in state.gates if gate.covered_by is None)
    return sum(((gate.closed or now) - gate.opened).total_seconds() for gate in waited)


def missing_approvals(gate: Gate) -> int:
    """How many different people have yet to approve."""
    return max(0, gate.quorum - len({person_key(found.by.name) for found in gate.approvals}))


def _of_form(answer: Answer, state: ExecutionState, codes: CodeBook, now: datetime) -> list[Fact]:
    """What comes of a form somebody filled in; nothing when its gate has moved on."""
    gate = state.open_gate(answer.step)
    if gate is None or form_base(gate) != answer.form:
        return []
    values = answer.values
    given = Given(
        place={"step": gate.step, "generation": gate.generation, "form": answer.form, "channel": "prefect"},
        decision=values.get("decision"),
        by=text_from_outside(values.get("approver")).strip(),
        comment=text_from_outside(values.get("comment")).strip(),
        fields={name: value for name, value in values.items() if name not in OWN_FIELDS},
        at=now,
        typed_code=text_from_outside(values.get("code")).strip(),
        wants_reason=True,
    )
    return [judge(given, gate, state, codes, now)]


def _of_request(request: Request, state: ExecutionState, codes: CodeBook, now: datetime) -> list[Fact]:
    data = request.data
    if request.what in RESET_KINDS:
        return [_refusal(request, "the run is running; what has ended can be retried", now)]
    if request.what != "decision":
        return [_refusal(request, f"this version can't do '{text_from_outside(request.what)[:100]}'", now)]
    step_id = text_from_outside(data.get("step"))
    gate = state.open_gate(step_id)
    if gate is None:
        over = next((one for one in reversed(state.gates) if one.step == step_id), None)
        words = f"gate '{over.step}' is {over.outcome} already" if over else f"no gate '{step_id[:100]}' is open"
        return [_refusal(request, words, now)]
    if data.get("generation") not in (None, gate.generation):
        return [_refusal(request, "the decision is about an earlier gate of this step", now)]
    if data.get("subject_digest") not in (None, "", gate.subject_digest):
        return [_refusal(request, "the decision is about another subject than the gate's", now)]
    fields = data.get("fields")
    proof = data.get("proof")
    given = Given(
        place={"step": gate.step, "generation": gate.generation, "request": request.id},
        decision=data.get("decision"),
        by=text_from_outside(request.actor.name),
        comment=text_from_outside(data.get("comment")),
        fields=fields if isinstance(fields, dict) else {},
        at=request.at,
        proof=proof if isinstance(proof, str) else "",
        vouched_by=request.actor.verified_by,
        proven=proven_content(data, request.actor.name),
    )
    return [judge(given, gate, state, codes, now)]


def proven_content(data: Mapping[str, JSON], by: str) -> dict[str, JSON]:
    """What the proof of a code is about: all of a request but the proof."""
    return {"by": by, **{key: value for key, value in data.items() if key != "proof"}}


def _closings(state: ExecutionState, now: datetime) -> list[Fact]:
    facts: list[Fact] = []
    for gate in state.open_gates:
        found = _closing(gate, state, now)
        facts += found
        state = fold_facts(found, state, 0)
    return facts


def _closing(gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    if state.step(gate.step).asks:
        return []  # what comes of it is not the gate's alone to say
    if gate.covered_by is not None:
        return _covered(gate, state, now)
    rejected = next((found for found in gate.decisions if found.decision == "reject"), None)
    if rejected is not None:
        reason = f"rejected by {rejected.by.name}" + (f": {rejected.comment}" if rejected.comment else "")
        return _close(gate, state, now, "rejected", StepStatus.FAILED, reason, (rejected,))
    if not missing_approvals(gate):
        return _close(gate, state, now, "approved", StepStatus.SUCCESS, "", gate.approvals)
    if state.cancel is not None:
        return _close(gate, state, now, "cancelled", StepStatus.CANCELLED, "the run was cancelled")
    if gate.expires is not None and gate.expires <= now:
        return _expired(gate, state, now)
    return []


def _covered(gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    approvals = approvals_behind(gate, state)
    reason = f"covered by the approval of {_names(approvals)}" if approvals else "covered by an earlier approval"
    return _close(gate, state, now, "approved", StepStatus.SUCCESS, reason, approvals)


def _expired(gate: Gate, state: ExecutionState, now: datetime) -> list[Fact]:
    until = gate.expires.isoformat(timespec="seconds") if gate.expires else ""
    reason = f"nobody decided until {until}" if not gate.approvals else f"too few had approved by {until}"
    if gate.on_expire != "cancel":
        return _close(gate, state, now, EXPIRED, StepStatus.FAILED, reason)
    cancel = Fact(Kind.REQUESTED, {"what": "cancel", "reason": f"gate '{gate.step}': {reason}"}, time=now)
    return [*_close(gate, state, now, EXPIRED, StepStatus.CANCELLED, reason), cancel]


def _close(
    gate: Gate,
    state: ExecutionState,
    now: datetime,
    outcome: str,
    status: StepStatus,
    reason: str,
    decisions: tuple[Decision, ...] = (),
) -> list[Fact]:
    step = state.step(gate.step)
    closed = {"step": gate.step, "generation": gate.generation, "outcome": outcome, "reason": reason}
    if gate.environment:
        by = decisions[-1].by if decisions else ENGINE
        return [Fact(Kind.APPROVAL_CLOSED, closed, actor=by, time=now)]
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
    if decisions:
        finished["outputs"] = _outputs(decisions)
        word = "Approved" if outcome == "approved" else "Rejected"
        finished["summary"] = f"{word} by {_names(decisions)}" + (f", {reason}" if gate.covered_by else "")
    actor: Actor = decisions[-1].by if decisions and not gate.covered_by else ENGINE
    return [
        Fact(Kind.APPROVAL_CLOSED, closed, actor=actor, time=now),
        Fact(Kind.STEP_FINISHED, finished, time=now),
    ]


def _outputs(decisions: tuple[Decision, ...]) -> dict[str, JSON]:
    last = decisions[-1]
    fields: dict[str, JSON] = {}
    for one in decisions:
        fields |= {name: value for name, value in one.fields.items() if value is not None or name not in fields}
    return {**fields, "decision": last.decision, "by": last.by.name, "comment": last.comment}


def _names(decisions: tuple[Decision, ...]) -> str:
    names = list(dict.fromkeys(found.by.name for found in decisions))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _refusal(request: Request, reason: str, now: datetime) -> Fact:
    by = text_from_outside(request.actor.name)[:LONGEST_NAME_CHARACTERS]
    return Fact(Kind.REFUSED, {"request": request.id, "reason": reason, "by": by}, time=now)


def _shown_subject(subject: JSON) -> JSON:
    text = canonical_json(subject)
    return subject if len(text) <= LONGEST_SUBJECT_CHARACTERS else f"{text[:LONGEST_SUBJECT_CHARACTERS]}…"
