"""What is put on record when a run is asked to stop."""

import pytest

from prefect_wfexec.engine.cancelling import cancel_request
from prefect_wfexec.journal.facts import Actor, Fact
from tests.unit.journal.support import closed, entered, finished, folded, opened, requested, started

BEGUN = (opened(), entered(), started("apply"), finished("apply"))
JANE = Actor("jane")


def asked(*facts: Fact, cleans_up: bool = False) -> bool:
    return bool(cancel_request(JANE, cleans_up=cleans_up)(folded(*facts)))


@pytest.mark.parametrize("cleans_up", [False, True])
def test_a_run_that_goes_on_is_asked(cleans_up: bool) -> None:
    assert asked(*BEGUN, cleans_up=cleans_up)


@pytest.mark.parametrize("cleans_up", [False, True])
def test_one_that_has_succeeded_meanwhile_is_left_alone(cleans_up: bool) -> None:
    assert not asked(*BEGUN, closed("Succeeded"), cleans_up=cleans_up)


@pytest.mark.parametrize("status", ["Failed", "Error", "Terminated", "Termination Failed", "Approval Rejected"])
def test_one_that_has_ended_otherwise_can_still_be_cleaned_up_after(status: str) -> None:
    assert asked(*BEGUN, closed(status), cleans_up=True)
    assert not asked(*BEGUN, closed(status))


def test_it_is_asked_once_and_a_cleanup_may_be_added() -> None:
    assert not asked(*BEGUN, requested("cancel"))
    assert asked(*BEGUN, requested("cancel"), cleans_up=True)
    assert not asked(*BEGUN, requested("cancel", cleanup=True), cleans_up=True)
