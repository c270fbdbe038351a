"""Approving and rejecting: a request in the journal, which the run's engine verifies and answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.codes import prove
from prefect_wfexec.engine.approvals.fields import FieldError, checked_fields, parse_field
from prefect_wfexec.engine.approvals.gates import proven_content
from prefect_wfexec.engine.approvals.people import find_recognised
from prefect_wfexec.engine.approvals.verifying import VOUCHED
from prefect_wfexec.engine.instance_names import is_instance_of
from prefect_wfexec.engine.nudge import nudge
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.settings import SECRET_KEY
from prefect_wfexec.views.find import find_run, read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

Decision = Literal["approve", "reject", "skip"]
LARGEST_COMMENT = 4000
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Which gate a person was shown, where they were not shown the open one just now; None: it does not matter.

    Attributes:
        generation: Its generation.
        subject_digest: What it asks about.
    """

    generation: int | None = None
    subject_digest: str | None = None


async def decide(
    client: "PrefectClient",
    run: str,
    decision: Decision,
    *,
    by: str | None = None,
    step: str | None = None,
    comment: str = "",
    code: str | None = None,
    fields: Mapping[str, JSON] | None = None,
    vouched: Actor | None = None,
    seen: Seen | None = None,
) -> tuple["FlowRun", Gate, str]:
    """Ask the run to count a decision on its open gate.

    Args:
        client: A client that stays open.
        run: The run's id or name.
        decision: The decision.
        by: Who gives it, as they say; not needed with `vouched`.
        step: The gate's step, when more than one is open.
        comment: Their words.
        code: Their personal code, for a gate that asks for one; a proof of it goes on record, never the code.
        fields: What they fill in of the gate's fields; a text is read as its field takes it.
        vouched: Who gives it, as this process has recognised them. It answers for that with the key of the run.
        seen: The gate they were shown.

    Returns:
        The run, the gate as it was when the decision was made, and what came of it within a few seconds: `approved`,
        `rejected`, or `requested` when no engine has answered yet.

    Raises:
        UsageError: no gate is open, more than one is and `step` does not say which, it is another than was shown, it
            does not take this person's decision, or the engine refused.
    """
    flow_run = await find_run(client, run)
    journal = await read_journal(client, flow_run)
    gate = choose_gate(journal.state, step, flow_run.name)
    _require_same(gate, seen or Seen())
    actor = vouched or Actor(by or "")
    if actor.verified_by is not None:
        _require_key(journal, flow_run.name)
    fact = decision_request(gate, decision, actor, comment, run_id=str(flow_run.id), code=code, fields=fields)
    await append_decision(journal, gate, fact)
    await nudge(client, flow_run.id)
    return flow_run, gate, await wait_for_answer(journal, gate, fact.id)


def choose_gate(state: ExecutionState, step: str | None, run_name: str) -> Gate:
    """The open gate a decision is meant for.

    Raises:
        UsageError: there is none, or more than one.
    """
    gates = [gate for gate in state.open_gates if step is None or gate.step == step or is_instance_of(gate.step, step)]
    if len(gates) == 1:
        return gates[0]
    if gates:
        names = join_names([gate.step for gate in gates])
        raise UsageError(f"run {run_name} has open gates {names}", hint="say which with --step", code="ambiguous-gate")
    decided = next((gate for gate in reversed(state.gates) if step is None or gate.step == step), None)
    if decided is not None:
        detail = f": {decided.reason}" if decided.reason else _by(decided)
        words = f"gate '{decided.step}' of run {run_name} is {decided.outcome} already{detail}"
        raise UsageError(words, code="decided")
    words = f"no open gate '{step}'" if step else "no open gate"
    raise UsageError(f"run {run_name} has {words}", hint="see `wfexec approvals`", code="no-gate")


def decision_request(
    gate: Gate,
    decision: Decision,
    by: Actor,
    comment: str,
    *,
    run_id: str = "",
    code: str | None = None,
    fields: Mapping[str, JSON] | None = None,
) -> Fact:
    """The request for a decision on exactly what the gate showed.

    Raises:
        UsageError: the comment is too long, the gate takes decisions of others only, it asks for a code and there is
            none, or a field does not fit.
    """
    chosen = _choice(gate, decision)
    if by.verified_by in VOUCHED:
        _require_listed(gate, by.name)
    else:
        _require_code(gate, code)
    if len(comment) > LARGEST_COMMENT:
        raise UsageError(f"the comment has {len(comment)} characters, more than {LARGEST_COMMENT}")
    data: dict[str, JSON] = {
        "what": "decision",
        "step": gate.step,
        "generation": gate.generation,
        "decision": chosen,
        "comment": comment,
        "subject_digest": gate.subject_digest,
    }
    if fields:
        data["fields"] = {name: _field(gate, name, value) for name, value in fields.items()}
    if chosen == gate.choices[0]:
        _require_fields(gate, data.get("fields") or {})
    if code:
        data["proof"] = prove(code, run_id, proven_content(data, by.name))
    return Fact(Kind.REQUESTED, data, actor=by)


def _require_same(gate: Gate, seen: Seen) -> None:
    is_other = seen.generation is not None and seen.generation != gate.generation
    if is_other or (seen.subject_digest is not None and seen.subject_digest != gate.subject_digest):
        words = f"gate '{gate.step}' asks about something else by now"
        raise UsageError(words, hint="look at it again before you decide", code="other-gate")


def _require_key(journal: Journal, run_name: str) -> None:
    """That the run's engine will believe what this process says about who asks."""
    if journal.keys is None or journal.is_foreign:
        raise UsageError(
            f"run {run_name} was signed with another key than this process has: it can vouch for nobody there",
            hint=f"give {SECRET_KEY.variable} the value that the run's engine has",
            code="no-key",
        )


def _require_listed(gate: Gate, name: str) -> None:
    if gate.is_governed and find_recognised(name, gate.approvers) is None:
        words = f"gate '{gate.step}' takes decisions of {join_names(gate.approvers)} only, and you are {name}"
        raise UsageError(words, hint="ask one of them", code="not-listed")


def _require_code(gate: Gate, code: str | None) -> None:
    if gate.is_governed and not code:
        names = ", ".join(gate.approvers)
        words = f"gate '{gate.step}' takes decisions of named people only ({names}), and they prove who they are"
        is_sent = any(one.get("mail") for one in gate.notify)
        nobody = "nobody is sent a code, for its rules name no mail to notify: sign in at the gateway to decide"
        hint = "give the personal code that was sent to you: --code XXXX-XXXX-XXXX" if is_sent else nobody
        raise UsageError(words, hint=hint, code="no-code")
    if code and not gate.is_governed:
        words = f"gate '{gate.step}' asks for no personal code"
        raise UsageError(words, hint="leave --code out; the name is recorded as unverified", code="no-code")


def _field(gate: Gate, name: str, value: JSON) -> JSON:
    return parse_field(gate.fields.get(name, {}), value) if isinstance(value, str) else value


def _choice(gate: Gate, decision: Decision) -> str:
    """The decision in the gate's own words: where a failed step is asked about, `approve` is to retry it."""
    if decision in gate.choices:
        return decision
    if decision == "skip":
        words = f"gate '{gate.step}' takes {' or '.join(gate.choices)}: what comes after the step needs what it gives"
        raise UsageError(words, hint="give the step default `outputs`", code="no-skip")
    return gate.choices[0] if decision == "approve" else gate.choices[-1]


def _require_fields(gate: Gate, given: Mapping[str, JSON]) -> None:
    try:
        checked_fields(gate.fields, given)
    except FieldError as error:
        hint = "give it with --field NAME=VALUE" if gate.fields else None
        raise UsageError(str(error), hint=hint, code="bad-field") from None


async def append_decision(journal: Journal, gate: Gate, fact: Fact) -> None:
    """Put the request on record, as long as its gate is open.

    Raises:
        UsageError: the gate closed meanwhile.
    """

    def still_open(state: ExecutionState) -> list[Fact]:
        current = state.open_gate(gate.step)
        return [fact] if current is not None and current.generation == gate.generation else []

    if not await journal.append(still_open):
        raise UsageError(f"gate '{gate.step}' closed meanwhile", hint="see `wfexec show`", code="decided")


async def wait_for_answer(journal: Journal, gate: Gate, request: str) -> str:
    """What came of a request within a few seconds: the gate's outcome, `counted`, or `requested` for nothing yet.

    Raises:
        UsageError: the engine refused it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ANSWER_SECONDS
    while loop.time() < deadline:
        await journal.catch_up()
        for entry in journal.entries:
            for known in entry.trusted_facts:
                if known.kind is Kind.REFUSED and known.data.get("request") == request:
                    raise UsageError(f"the decision was refused: {known.data.get('reason')}", code="refused")
        if request not in journal.state.requests:
            same = (gate.step, gate.generation)
            found = [known for known in journal.state.gates if (known.step, known.generation) == same]
            return found[0].outcome or "counted" if found else "requested"
        await asyncio.sleep(0.2)
    return "requested"


def _by(gate: Gate) -> str:
    return f" by {gate.decisions[-1].by.name}" if gate.decisions else ""
