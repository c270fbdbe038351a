"""The words, ours and Prefect's, in every direction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

from prefect_wfexec.engine.flow_run import _live_state, final_state
from prefect_wfexec.status import (
    RunStatus,
    StepStatus,
    TriggerKind,
    run_status_named,
    run_status_of_state,
    state_names_of,
)
from tests.unit.journal.support import unhurried

PREFECT_NAMES = {
    "Scheduled": (StateType.SCHEDULED, RunStatus.PENDING),
    "Late": (StateType.SCHEDULED, RunStatus.PENDING),
    "AwaitingRetry": (StateType.SCHEDULED, RunStatus.PENDING),
    "AwaitingConcurrencySlot": (StateType.SCHEDULED, RunStatus.PENDING),
    "Resuming": (StateType.SCHEDULED, RunStatus.RUNNING),
    "Pending": (StateType.PENDING, RunStatus.PENDING),
    "Running": (StateType.RUNNING, RunStatus.RUNNING),
    "Retrying": (StateType.RUNNING, RunStatus.RUNNING),
    "Paused": (StateType.PAUSED, RunStatus.APPROVAL_PENDING),
    "Suspended": (StateType.PAUSED, RunStatus.APPROVAL_PENDING),
    "Cancelling": (StateType.CANCELLING, RunStatus.TERMINATING),
    "Completed": (StateType.COMPLETED, RunStatus.SUCCEEDED),
    "Failed": (StateType.FAILED, RunStatus.FAILED),
    "TimedOut": (StateType.FAILED, RunStatus.FAILED),
    "Crashed": (StateType.CRASHED, RunStatus.ERROR),
    "Cancelled": (StateType.CANCELLED, RunStatus.TERMINATED),
}


def test_the_words_are_these() -> None:
    assert [status.value for status in StepStatus] == [
        "Pending",
        "Waiting",
        "Running",
        "Success",
        "Failed",
        "Skipped",
        "Cancelled",
    ]
    assert [status.value for status in RunStatus] == [
        "Pending",
        "Running",
        "Succeeded",
        "Failed",
        "Error",
        "Deployment Pending",
        "Approval Pending",
        "Approval Rejected",
        "Terminating",
        "Terminated",
        "Termination Failed",
    ]
    assert [kind.value for kind in TriggerKind] == ["Manual", "Schedule", "Webhook", "Git", "Incident", "Workflow"]


@pytest.mark.parametrize(
    ("status", "icon", "color", "is_final"),
    [
        (StepStatus.PENDING, "○", "grey50", False),
        (StepStatus.WAITING, "⏳", "yellow", False),
        (StepStatus.RUNNING, "▶", "blue", False),
        (StepStatus.SUCCESS, "✓", "green", True),
        (StepStatus.FAILED, "✗", "red", True),
        (StepStatus.SKIPPED, "⊘", "grey50", True),
        (StepStatus.CANCELLED, "⊗", "grey50", True),
    ],
)
@pytest.mark.shows(
    "step.pending", "step.waiting", "step.running", "step.success", "step.failed", "step.skipped", "step.cancelled"
)
def test_how_a_step_looks(status: StepStatus, icon: str, color: str, is_final: bool) -> None:
    assert (status.icon, status.color, status.is_final) == (icon, color, is_final)


@pytest.mark.parametrize(("name", "expected"), PREFECT_NAMES.items())
def test_prefects_names_become_ours(name: str, expected: tuple[StateType, RunStatus]) -> None:
    state_type, status = expected
    assert run_status_named(name) is status
    assert run_status_of_state(state_type.value, name) is status
    assert name in state_names_of(status)


@pytest.mark.parametrize("status", list(RunStatus))
def test_our_own_names_stay_what_they_are(status: RunStatus) -> None:
    assert run_status_named(status.value) is status
    assert status.value in state_names_of(status)
    for state_type in StateType:
        assert run_status_of_state(state_type.value, status.value) is status


def test_every_name_belongs_to_one_status() -> None:
    names = [name for status in RunStatus for name in state_names_of(status)]
    assert len(names) == len(set(names))
    for status in RunStatus:
        assert {run_status_named(name) for name in state_names_of(status)} == {status}


@pytest.mark.parametrize("state_type", list(StateType))
@pytest.mark.parametrize("name", [None, "", "Made Up", "Cached", "NotReady"])
def test_an_unknown_name_is_shown_by_its_type(state_type: StateType, name: str | None) -> None:
    status = run_status_of_state(state_type.value, name)
    assert status.is_final is (state_type in TERMINAL_STATES)
    plain = {known: found for _, (known, found) in PREFECT_NAMES.items() if found is not RunStatus.PENDING}
    if state_type not in {StateType.SCHEDULED, StateType.PENDING}:
        assert status is plain[state_type]


def test_a_type_nobody_knows_is_pending() -> None:
    assert run_status_of_state("NEW", None) is RunStatus.PENDING


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("success", RunStatus.SUCCEEDED),
        ("SUCCESS", RunStatus.SUCCEEDED),
        ("completed", RunStatus.SUCCEEDED),
        ("Cancelled", RunStatus.TERMINATED),
        ("  approval \t rejected ", RunStatus.APPROVAL_REJECTED),
        ("termination failed", RunStatus.TERMINATION_FAILED),
        ("crashed", RunStatus.ERROR),
        ("", None),
        ("fail", None),
        ("Waiting", None),
    ],
)
def test_words_people_type(word: str, status: RunStatus | None) -> None:
    assert run_status_named(word) is status


@unhurried
@given(st.text(max_size=12))
def test_any_word_has_a_status_or_none(word: str) -> None:
    assert run_status_named(word) in {None, *RunStatus}
    assert run_status_of_state("FAILED", word).is_final in {True, False}


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_final])
def test_the_state_prefect_gets_at_the_end_is_read_back(status: RunStatus) -> None:
    state = final_state(status, "why")
    assert (state.name, state.message) == (status.value, "why")
    assert state.is_final()
    assert run_status_of_state(state.type.value, state.name) is status
    assert state.is_completed() is (status is RunStatus.SUCCEEDED)


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.is_final])
def test_the_state_prefect_gets_on_the_way_is_read_back(status: RunStatus) -> None:
    state = _live_state(status, None, "key", suspends=False)
    assert not state.is_final()
    assert run_status_of_state(state.type.value, state.name) is status
    assert state.is_paused() is (status in {RunStatus.APPROVAL_PENDING, RunStatus.DEPLOYMENT_PENDING})
    assert state.type is not StateType.CANCELLING


@pytest.mark.parametrize(
    ("status", "icon"),
    [
        (RunStatus.SUCCEEDED, "✓"),
        (RunStatus.FAILED, "✗"),
        (RunStatus.ERROR, "✗"),
        (RunStatus.APPROVAL_REJECTED, "✗"),
        (RunStatus.TERMINATED, "⊗"),
        (RunStatus.TERMINATION_FAILED, "⊗"),
        (RunStatus.RUNNING, ""),
        (RunStatus.TERMINATING, ""),
    ],
)
def test_the_mark_of_a_run(status: RunStatus, icon: str) -> None:
    assert status.icon == icon
