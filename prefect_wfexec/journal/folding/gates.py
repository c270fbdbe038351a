"""Facts about gates."""

from dataclasses import replace

from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.folding.parts import moment, with_gate, with_step, without_request
from prefect_wfexec.journal.state import APPROVE_OR_REJECT, Decision, ExecutionState, Gate, Notice
from prefect_wfexec.status import StepStatus


def approval_opened(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step = state.step(str(data["step"]))
    environment = str(data.get("environment") or "")
    may_open = step.status is StepStatus.PENDING if environment else step.status is StepStatus.RUNNING or step.asks
    if not may_open or state.open_gate(step.id):
        return state
    expire = data.get("on_expire")
    covered_by, hold = data.get("covered_by"), data.get("hold")
    gate = Gate(
        step=step.id,
        generation=int(data["generation"]),
        opened=fact.time,
        message=str(data.get("message") or ""),
        subject_digest=str(data.get("subject_digest") or ""),
        subject=data.get("subject"),
        choices=tuple(str(one) for one in data.get("choices") or APPROVE_OR_REJECT),
        quorum=max(1, int(data.get("quorum") or 1)),
        approvers=tuple(str(name) for name in data.get("approvers") or ()),
        is_governed=bool(data.get("is_governed")),
        allow_self=bool(data.get("allow_self", True)),
        expires=moment(data.get("expires")),
        on_expire=expire if expire in ("fail", "cancel") else "reject",
        fields={str(name): dict(spec) for name, spec in dict(data.get("fields") or {}).items()},
        hold=None if hold is None else float(hold),
        notify=tuple(dict(one) for one in data.get("notify") or ()),
        reuse=bool(data.get("reuse", True)),
        news=tuple(str(line) for line in data.get("news") or ()),
        covered_by=None if covered_by is None else int(covered_by),
        environment=environment,
        attempt=step.attempt,
    )
    waiting = with_step(state, replace(step, status=StepStatus.WAITING))
    return replace(waiting, gates=(*state.gates, gate))


def decided(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    gate = state.open_gate(str(data["step"]))
    answered = without_request(state, data.get("request"))
    if gate is None or gate.generation != int(data["generation"]) or data["decision"] not in gate.choices:
        return answered
    fields = dict(data.get("fields") or {})
    decision = Decision(str(data["decision"]), fact.actor, str(data.get("comment") or ""), fact.time, fields)
    answers = gate.answers + bool(data.get("form"))
    return with_gate(answered, replace(gate, decisions=(*gate.decisions, decision), answers=answers, refusal=""))


def refused(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    answered = without_request(state, data.get("request"))
    gate = state.open_gate(str(data["step"])) if data.get("step") else None
    if gate is None or gate.generation != int(data["generation"]):
        return answered
    burnt = dict(gate.burnt)
    if data.get("burnt"):
        burnt[str(data["burnt"])] = burnt.get(str(data["burnt"]), 0) + 1
    is_form = bool(data.get("form"))
    changed = replace(
        gate,
        answers=gate.answers + is_form,
        refusal=str(data.get("reason") or "") if is_form else gate.refusal,
        wrong_codes=gate.wrong_codes + bool(data.get("wrong_code")),
        burnt=burnt,
    )
    return with_gate(answered, changed)


def notified(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    step_id, generation = str(data["step"]), int(data["generation"])
    gate = next((gate for gate in state.gates if (gate.step, gate.generation) == (step_id, generation)), None)
    if gate is None:
        return state
    key = str(data["key"])
    tries = gate.notices[key].tries + 1 if key in gate.notices else 1
    notice = Notice(key, fact.time, str(data.get("error") or ""), tries, dict(data.get("place") or {}))
    return with_gate(state, replace(gate, notices={**gate.notices, notice.key: notice}))


def approval_closed(state: ExecutionState, fact: Fact, _number: int) -> ExecutionState:
    data = fact.data
    gate = state.open_gate(str(data["step"]))
    if gate is None or gate.generation != int(data["generation"]):
        return state
    outcome = str(data["outcome"])
    if not outcome:
        return state
    closed = replace(gate, outcome=outcome, closed=fact.time, reason=str(data.get("reason") or ""))
    step = state.step(gate.step)
    if step.status.is_final or step.asks:
        return with_gate(state, closed)
    # A deployment has not started before its gate, any other gate is at work.
    status = StepStatus.PENDING if gate.environment else StepStatus.RUNNING
    return with_step(with_gate(state, closed), replace(step, status=status))
