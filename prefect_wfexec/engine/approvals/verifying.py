"""Whether what somebody gave as a decision is one: who gave it, on what, when, and whether they may. Pure.

Anybody who reaches Prefect's API can write a request into a journal, or fill in a form. What they write is worth
nothing until it is judged here, by an engine that holds the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.codes import CodeBook
from prefect_wfexec.engine.approvals.fields import FieldError, checked_fields
from prefect_wfexec.engine.approvals.people import find_recognised, may_be_same, person_key
from prefect_wfexec.journal.facts import Actor, Fact, Kind
from prefect_wfexec.journal.state import ExecutionState, Gate

LONGEST_COMMENT_CHARACTERS = 4_000
LONGEST_NAME_CHARACTERS = 200
BY_CODE = "code"
BY_TOKEN = "token"  # noqa: S105 - how a name was proven, no secret
BY_PROXY = "proxy"
BY_LINK = "link"
BY_SLACK = "slack"
VOUCHED = frozenset({BY_TOKEN, BY_PROXY, BY_LINK, BY_SLACK})
"""How a gateway, which holds the key, has recognised who asked it. In a fact without its signature it means nothing."""
NOBODY = "unknown"


@dataclass(frozen=True, slots=True)
class Given:
    """A decision as somebody gave it; nothing of it is checked.

    Attributes:
        place: What the fact that answers it says of where it came from.
        decision: What was decided.
        by: The name they gave.
        comment: Their words.
        fields: What they filled in beside it.
        at: When.
        typed_code: The code they typed, in clear: whoever reads the run's inputs has seen it.
        proof: The proof that they know a code.
        proven: What the proof is about.
        wants_reason: Whether a rejection without a comment is refused.
        vouched_by: How a holder of the key has recognised who gave it, None when none has.
    """

    place: Mapping[str, JSON]
    decision: JSON
    by: str
    comment: str
    fields: Mapping[str, JSON]
    at: datetime
    typed_code: str = ""
    proof: str = ""
    proven: Mapping[str, JSON] = field(default_factory=dict)
    wants_reason: bool = False
    vouched_by: str | None = None

    @property
    def is_vouched(self) -> bool:
        return self.vouched_by in VOUCHED and bool(self.by.strip())


class Refusal(Exception):
    """A decision does not count; the text says why, to whoever gave it."""


def judge(given: Given, gate: Gate, state: ExecutionState, codes: CodeBook, now: datetime) -> Fact:
    """The fact that a decision becomes: `decided`, or `refused` with the reason."""
    owner = _owner_of_code(given, gate, codes)
    try:
        fields = _content(given, gate)
        actor = _proven(given, gate, owner) if gate.is_governed else _named(given)
        _require_right(actor, given, gate, state)
    except Refusal as refusal:
        return _refused(given, gate, str(refusal), owner, now)
    data = {
        **given.place,
        "decision": given.decision,
        "comment": given.comment,
        "subject_digest": gate.subject_digest,
        **({"fields": fields} if fields else {}),
    }
    return Fact(Kind.DECIDED, data, actor=actor, time=now)


def _content(given: Given, gate: Gate) -> dict[str, JSON]:
    if given.decision not in gate.choices:
        raise Refusal(f"a decision is {' or '.join(gate.choices)}")
    if len(given.comment) > LONGEST_COMMENT_CHARACTERS:
        raise Refusal(f"the comment is longer than {LONGEST_COMMENT_CHARACTERS} characters")
    if len(given.by) > LONGEST_NAME_CHARACTERS:
        raise Refusal(f"the name is longer than {LONGEST_NAME_CHARACTERS} characters")
    if gate.expires is not None and gate.expires <= given.at:
        raise Refusal("the gate had expired")
    if given.decision != gate.choices[0]:
        if given.wants_reason and given.decision == "reject" and not given.comment:
            raise Refusal("a rejection needs a comment")
        return {}
    try:
        return checked_fields(gate.fields, given.fields)
    except FieldError as error:
        raise Refusal(str(error)) from None


def _owner_of_code(given: Given, gate: Gate, codes: CodeBook) -> tuple[str, str] | None:
    if not gate.is_governed:
        return None
    if given.typed_code:
        return codes.who_typed(gate, given.typed_code)
    return codes.who_proved(gate, given.proof, given.proven) if given.proof else None


def _named(given: Given) -> Actor:
    """Who gave a decision on a gate that takes everybody's."""
    return Actor(given.by or NOBODY, given.vouched_by if given.is_vouched else None)


def _proven(given: Given, gate: Gate, owner: tuple[str, str] | None) -> Actor:
    """Who gave a decision on a gate that takes those of named people only."""
    if given.is_vouched:
        listed = find_recognised(given.by, gate.approvers)
        if listed is None:
            raise Refusal(f"{given.by} is not among those who may decide: {', '.join(gate.approvers)}")
        return Actor(listed, given.vouched_by)
    if not given.typed_code and not given.proof:
        words = "give the personal code you were sent, or sign in at the gateway"
        raise Refusal(f"this gate takes decisions of named people only: {words}")
    if owner is None:
        raise Refusal("the code is not valid for this decision: it is wrong, or an older one")
    person, decision = owner
    if decision != given.decision:
        raise Refusal(f"the code is for '{decision}', and the decision is '{given.decision}'")
    others = [name for name in gate.approvers if name != person and may_be_same(given.by, name)]
    if given.by and others and not may_be_same(given.by, person):
        raise Refusal("the code is another person's")
    return Actor(person, BY_CODE)


def _require_right(actor: Actor, given: Given, gate: Gate, state: ExecutionState) -> None:
    if given.decision == gate.choices[0]:
        _require_not_self(actor, gate, state)
        if gate.quorum > 1 and actor.name == NOBODY:
            raise Refusal(f"say who you are: {gate.quorum} different people have to {gate.choices[0]}")
    key = person_key(actor.name)
    if any(person_key(one.by.name) == key and one.decision == given.decision for one in gate.decisions):
        raise Refusal(f"{actor.name} has decided so already")


def _require_not_self(actor: Actor, gate: Gate, state: ExecutionState) -> None:
    starter = state.opened.user if state.opened else None
    if not gate.allow_self and starter and may_be_same(actor.name, starter):
        raise Refusal(f"who started the run may not {gate.choices[0]} it, and that was {starter}")


def _refused(given: Given, gate: Gate, reason: str, owner: tuple[str, str] | None, now: datetime) -> Fact:
    data: dict[str, JSON] = {**given.place, "reason": reason, "by": given.by[:LONGEST_NAME_CHARACTERS]}
    has_code = bool(given.typed_code or given.proof)
    if gate.is_governed and has_code and owner is None:
        data["wrong_code"] = True
    if given.typed_code and owner is not None and not _is_spent(owner, gate):
        # Others may have read it meanwhile: it must not serve anybody.
        data["burnt"] = person_key(owner[0])
    return Fact(Kind.REFUSED, data, time=now)


def _is_spent(owner: tuple[str, str], gate: Gate) -> bool:
    person, decision = person_key(owner[0]), owner[1]
    return any(person_key(one.by.name) == person and one.decision == decision for one in gate.decisions)
