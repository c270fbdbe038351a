"""How it stands with a gate, in words for who has a link to it. Pure."""

from dataclasses import dataclass

from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.engine.notices.texts import outcome_words
from prefect_wfexec.gateway.approving.giving import pending_request
from prefect_wfexec.gateway.approving.showing import line
from prefect_wfexec.journal.state import ExecutionState, Gate

_GOOD = frozenset({"approved", "retried", "skipped"})
_DID = {"approve": "You have approved", "reject": "You have rejected"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands above everything else on the page.

    Attributes:
        headline: The state of things.
        words: What that means.
        look: good, bad, or empty for neither.
        is_open: Whether this person may still decide.
    """

    headline: str
    words: str
    look: str = ""
    is_open: bool = False


def standing_of(state: ExecutionState, gate: Gate, person: str) -> Standing:
    """How it stands with a gate for one person."""
    if not gate.is_open:
        words = gate.reason or outcome_words(gate)
        look = "good" if gate.outcome in _GOOD else "bad"
        return Standing(gate.outcome.capitalize(), f"{line(words)}. There is nothing left to decide here.", look)
    if state.closed is not None:
        return Standing(
            "The run has ended", f"It is {state.closed.status.value}, and nothing is decided any more.", "bad"
        )
    theirs = [one.decision for one in gate.decisions if person_key(one.by.name) == person_key(person)]
    if theirs:
        headline = _DID.get(theirs[-1], f"You have chosen to {theirs[-1]}")
        return Standing(headline, f"{line(outcome_words(gate))}. More people have to decide.", "good")
    if pending_request(state, gate, person) is not None:
        return Standing(
            "Recorded", "Your decision is on record. The run takes it up when its process next looks.", "good"
        )
    return Standing("A decision is wanted", "Nothing happens until you choose below.", is_open=True)
