"""Whether somebody has decided already, as far as those count whom a holder of the key vouches for."""

import pytest

from prefect_wfexec.gateway.approving.giving import Wish, has_given, pending_request
from prefect_wfexec.gateway.approving.standing import standing_of
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.state import Closed, ExecutionState, Gate, Request
from prefect_wfexec.status import RunStatus
from tests.unit.gateway.approving.support import JANE, JOE, decision, gate
from tests.unit.journal.support import at

BY_JANE = Actor(JANE, "link")


def state_with(
    verified_by: str | None = "link", name: str = JANE, what: str = "approve", generation: int = 1
) -> ExecutionState:
    data = {"step": "ask", "generation": generation, "decision": what}
    return ExecutionState(requests={"r": Request("r", "decision", data, Actor(name, verified_by), at(5))})


@pytest.mark.parametrize("how", ["link", "slack", "token", "proxy"])
def test_a_decision_on_its_way_is_one(how: str) -> None:
    assert has_given(state_with(how), gate(), BY_JANE, Wish("approve"))
    assert has_given(state_with(how, "JANE@example.com"), gate(), BY_JANE, Wish("approve"))


@pytest.mark.parametrize(
    "state",
    [state_with(None), state_with("code"), state_with(name=JOE), state_with(generation=2), ExecutionState()],
)
def test_what_anybody_may_have_written_keeps_nobody_from_deciding(state: ExecutionState) -> None:
    assert pending_request(state, gate(), JANE) is None
    assert not has_given(state, gate(), BY_JANE, Wish("approve", once=True))


def test_an_approval_may_be_taken_back_where_once_is_not_enough() -> None:
    decided = gate(decisions=(decision(JANE),))
    for state, one in ((state_with(), gate()), (ExecutionState(), decided)):
        assert not has_given(state, one, BY_JANE, Wish("reject"))
        assert has_given(state, one, BY_JANE, Wish("reject", once=True))


@pytest.mark.parametrize(
    ("one", "state", "headline", "is_open"),
    [
        (gate(), ExecutionState(), "A decision is wanted", True),
        (gate(), state_with(None), "A decision is wanted", True),
        (gate(), state_with(), "Recorded", False),
        (gate(decisions=(decision(JOE),)), ExecutionState(), "A decision is wanted", True),
        (gate(decisions=(decision(JANE),)), ExecutionState(), "You have approved", False),
        (gate(outcome="rejected", reason="rejected by joe: no"), ExecutionState(), "Rejected", False),
        (gate(outcome="approved"), ExecutionState(), "Approved", False),
        (gate(), ExecutionState(closed=Closed(at(9), RunStatus.ERROR, "")), "The run has ended", False),
    ],
)
def test_how_it_stands(one: Gate, state: ExecutionState, headline: str, is_open: bool) -> None:
    found = standing_of(state, one, JANE)
    assert (found.headline, found.is_open) == (headline, is_open)
