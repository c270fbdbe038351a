"""Which request has a run that has ended cleaned up."""

import pytest

from prefect_wfexec.engine.cleanup.beginning import cleanup_request
from tests.unit.journal.support import closed, entered, finished, folded, opened, requested, started

BEGUN = (opened(), entered(), started("apply"), finished("apply"))
ASKED = requested("cancel", cleanup=True)


@pytest.mark.parametrize(("status", "is_heeded"), [("Failed", True), ("Terminated", True), ("Succeeded", False)])
def test_one_of_a_run_that_has_not_succeeded(status: str, is_heeded: bool) -> None:
    assert (cleanup_request(folded(*BEGUN, closed(status), ASKED)) is not None) is is_heeded


def test_none_as_long_as_the_run_goes_on_or_when_it_was_only_to_stop() -> None:
    assert cleanup_request(folded(*BEGUN, ASKED)) is None
    assert cleanup_request(folded(*BEGUN, closed("Failed"), requested("cancel"))) is None
