"""What the form of a gate asks for: nothing that it does not say."""

from datetime import UTC, datetime

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.console.approvals import wanted_of
from prefect_wfexec.journal.state import Gate

GATE = Gate("ask", 1, datetime(2030, 1, 1, tzinfo=UTC), "Apply?", "abc", fields={"ticket": {"type": "string"}})


def test_a_decision_with_its_fields() -> None:
    form = {
        "decision": "approve",
        "comment": " fine\x1b[31m ",
        "field.ticket": "T-1",
        "field.other": "x",
        "csrf_token": "y",
    }
    found = wanted_of(GATE, form)
    assert (found.decision, found.fields) == ("approve", {"ticket": "T-1"})
    assert found.comment.startswith("fine") and "\x1b" not in found.comment


@pytest.mark.parametrize(
    "form", [{}, {"decision": ""}, {"decision": "Approve"}, {"decision": "skip"}, {"comment": "no"}]
)
def test_what_is_no_decision_is_neither_an_approval_nor_a_rejection(form: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="a decision is approve or reject"):
        wanted_of(GATE, form)


def test_a_rejection_says_why() -> None:
    with pytest.raises(UsageError, match="needs a comment"):
        wanted_of(GATE, {"decision": "reject", "comment": "  "})
    assert wanted_of(GATE, {"decision": "reject", "comment": "no"}).comment == "no"
