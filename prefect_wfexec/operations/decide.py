"""Approving and rejecting: a request in the journal, which the run's engine verifies and answers."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.codes import prove
from prefect_wfexec.engine.approvals.fields import FieldError, checked_fields, parse_field
from prefect_wfexec.engine.approvals.gates import proven_content
from prefect_wfexec.engine.nudge import nudge
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.journal import Journal
from prefect_wfexec.journal.state import ExecutionState, Gate
from prefect_wfexec.views.find import find_run, read_journal

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

Decision = Literal["approve", "reject", "skip"]
LARGEST_COMMENT = 4000
ANSWER_SECONDS = 5.0


async def decide(
    client: "PrefectClient",
    run: str,
    decision: Decision,
    *,
    by: str,
    step: str | None = None,
    comment: str = "",
    code: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> tuple["FlowRun", Gate, str]:
    """Ask the run to count a decision on its open gate.

    Args:
        client: A client that stays open.
        run: The run's id or name.
        decision: The decision.
        by: Who gives it, as they say.
        step: The gate's step, when more than one is open.
        comment: Their words.
        code: Their personal code, for a gate that asks for one; a proof of it goes on record, never the code.
        fields: What they fill in of the gate's fields, as text.

    Returns:
        The run, the gate as it was when the decision was made, and what came of it within a few seconds: `approved`,
        `rejected`, or `requested` when no engine has answered yet.

    Raises:
        UsageError: no gate is open, more than one is and `step` does not say which, or the engine refused.
    """
    flow_run = await find_run(client, run)
    journal = await read_journal(client, flow_run)
    gate = choose_gate(journal.state, step, flow_run.name)
    fact = decision_request(gate, decision, by, comment, run_id=str(flow_run.id), code=code, fields=fields)
    await append_decision(journal, gate, fact)
    await nudge(client, flow_run.id)
    return flow_run, gate, await _answer(journal, gate, fact)


def choose_gate(state: ExecutionState, step: str | None, run_name: str) -> Gate:
    """The open gate a decision is meant for.

    Raises:
        UsageError: there is none, or more than one.
    """
    gates = [gate for gate in state.open_gates if step is None or gate.step == step]
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
    by: str,
    comment: str,
    *,
    run_id: str = "",
    code: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> Fact:
    """The request for a decision on exactly what the gate showed.

    Raises:
        UsageError: the comment is too long, the gate asks for a code and there is none, or a field does not fit.
    """
    chosen = _choice(gate, decision)
    if gate.is_governed and not code:
        names = ", ".join(gate.approvers)
        words = f"gate '{gate.step}' takes decisions of named people only ({names}), and they prove who they are"
        raise UsageError(
            words, hint="give the personal code that was sent to you: --code XXXX-XXXX-XXXX", code="no-code"
        )
    if code and not gate.is_governed:
        words = f"gate '{gate.step}' asks for no personal code"
        raise UsageError(words, hint="leave --code out; the name is recorded as unverified", code="no-code")
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
        data["fields"] = {name: parse_field(gate.fields.get(name, {}), text) for name, text in fields.items()}
    if chosen == gate.choices[0]:
        _require_fields(gate, data.get("fields") or {})
    if code:
        data["proof"] = prove(code, run_id, proven_content(data, by))
    return Fact(Kind.REQUESTED, data, actor=Actor(by))


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


async def _answer(journal: Journal, gate: Gate, fact: Fact) -> str:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ANSWER_SECONDS
    while loop.time() < deadline:
        await journal.catch_up()
        for entry in journal.entries:
            for known in entry.trusted_facts:
                if known.kind is Kind.REFUSED and known.data.get("request") == fact.id:
                    raise UsageError(f"the decision was refused: {known.data.get('reason')}", code="refused")
        if fact.id not in journal.state.requests:
            same = (gate.step, gate.generation)
            found = [known for known in journal.state.gates if (known.step, known.generation) == same]
            return found[0].outcome or "counted" if found else "requested"
        await asyncio.sleep(0.2)
    return "requested"


def _by(gate: Gate) -> str:
    return f" by {gate.decisions[-1].by.name}" if gate.decisions else ""
