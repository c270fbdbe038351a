"""Giving a decision in the name of somebody the gateway has recognised: once, however often it arrives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.engine.approvals.verifying import VOUCHED
from prefect_wfexec.engine.nudge import nudge
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.approving.question import Question
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.journal.facts import Actor, Fact
from prefect_wfexec.journal.state import ExecutionState, Gate, Request
from prefect_wfexec.operations.decide import Decision, decision_request, wait_for_answer
from prefect_wfexec.runtime.outside import text_from_outside


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to decide.

    Attributes:
        decision: One of the gate's choices.
        comment: Their words.
        fields: What they filled in beside it, as text.
        once: Whether it counts for nothing when they have decided anything before.
    """

    decision: str
    comment: str = ""
    fields: Mapping[str, str] | None = None
    once: bool = False


async def give(services: Services, question: Question, by: Actor, wish: Wish) -> str:
    """Put a decision on record, and wait a few seconds for what comes of it.

    The same decision by the same person is on record once, so it may arrive as often as it likes.

    Returns:
        The gate's outcome when it is closed, `counted` when it takes more people, `requested` when the run has not
        answered yet.

    Raises:
        UsageError: it does not fit the gate, or the run refused it.
    """
    gate = question.gate
    fact = _request(gate, by, wish)

    def unless_given(state: ExecutionState) -> list[Fact]:
        current = state.open_gate(gate.step)
        is_same = current is not None and current.generation == gate.generation
        return [] if not is_same or has_given(state, current or gate, by, wish) else [fact]

    if await question.journal.append(unless_given):
        await nudge(services.client, question.flow_run.id)
        return await wait_for_answer(question.journal, gate, fact.id)
    pending = pending_request(question.journal.state, gate, by.name)
    if pending is None:
        return question.gate.outcome or "counted"
    return await wait_for_answer(question.journal, gate, pending.id)


def has_given(state: ExecutionState, gate: Gate, by: Actor, wish: Wish) -> bool:
    """Whether this person has decided so, or at all where once is enough, or is about to."""
    given = {one.decision for one in gate.decisions if person_key(one.by.name) == person_key(by.name)}
    pending = pending_request(state, gate, by.name)
    if pending is not None:
        given.add(str(pending.data.get("decision")))
    return bool(given) if wish.once else wish.decision in given


def pending_request(state: ExecutionState, gate: Gate, person: str) -> Request | None:
    """A decision of this person on its way to the run; one that nobody vouches for may be anybody's, and is none."""
    for request in reversed(tuple(state.requests.values())):
        is_vouched = request.actor.verified_by in VOUCHED
        is_theirs = person_key(request.actor.name) == person_key(person)
        place = (request.data.get("step"), request.data.get("generation"))
        if request.what == "decision" and is_vouched and is_theirs and place == (gate.step, gate.generation):
            return request
    return None


def _request(gate: Gate, by: Actor, wish: Wish) -> Fact:
    comment = text_from_outside(wish.comment).strip()
    if wish.decision not in gate.choices:
        raise UsageError(f"a decision is {' or '.join(gate.choices)}", code="no-decision")
    if wish.decision == "reject" and not comment:
        raise UsageError("a rejection needs a comment", hint="say why: the run shows it", code="no-comment")
    fields: dict[str, JSON] = {}
    if wish.decision == gate.choices[0]:
        fields = {name: text_from_outside(text) for name, text in (wish.fields or {}).items() if name in gate.fields}
    return decision_request(gate, cast("Decision", wish.decision), by, comment, fields=fields)
