"""How a run ends."""

import itertools

import pytest

from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.status import RunStatus
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import entered, finished, folded, opened, requested, skipped, started

OUTLINE = Outline(workflow(step("a"), step("b"), step("c"), step("soft", on_failure="continue")))


def ends(*facts: Fact) -> tuple[RunStatus, str]:
    return outcome(OUTLINE, folded(opened(), entered(), *facts))


def failed(step_id: str, kind: str = "exit_code", seconds: float = 1, message: str = "broke") -> tuple[Fact, Fact]:
    return (
        started(step_id, seconds=0),
        finished(step_id, "Failed", seconds=seconds, error={"type": kind, "message": message}),
    )


def test_nothing_failed() -> None:
    assert ends() == (RunStatus.SUCCEEDED, "")
    assert ends(started("a"), finished("a"), skipped("b")) == (RunStatus.SUCCEEDED, "")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("exit_code", RunStatus.FAILED),
        ("timeout", RunStatus.FAILED),
        ("expression", RunStatus.FAILED),
        ("undecided", RunStatus.FAILED),
        ("rejected", RunStatus.APPROVAL_REJECTED),
        ("expired", RunStatus.APPROVAL_REJECTED),
        ("outcome_unknown", RunStatus.ERROR),
        ("internal", RunStatus.ERROR),
        ("unreachable", RunStatus.ERROR),
    ],
)
def test_a_failure_by_its_kind(kind: str, status: RunStatus) -> None:
    assert ends(*failed("a", kind, message="\n  broke\nmore")) == (status, "step 'a': broke")


def test_the_worst_counts_and_of_equals_the_first() -> None:
    kinds = ["rejected", "exit_code", "internal"]
    for order in itertools.permutations(kinds):
        facts = [fact for name, kind in zip("abc", order, strict=True) for fact in failed(name, kind)]
        assert ends(*facts)[0] is RunStatus.ERROR
    assert ends(*failed("a", seconds=9), *failed("b", seconds=3)) == (RunStatus.FAILED, "step 'b': broke")


def test_the_reason_does_not_depend_on_chance() -> None:
    facts = [*failed("c"), *failed("b"), *failed("a")]
    assert ends(*facts) == (RunStatus.FAILED, "step 'a': broke")


def test_a_failure_to_be_passed_over_is() -> None:
    assert ends(*failed("soft")) == (RunStatus.SUCCEEDED, "")
    assert ends(*failed("soft"), *failed("a")) == (RunStatus.FAILED, "step 'a': broke")


def test_a_step_stopped_without_a_cancel_is_a_failure() -> None:
    assert ends(started("a"), finished("a", "Cancelled")) == (RunStatus.FAILED, "step 'a' cancelled")


def test_a_cancelled_run_is_terminated_whatever_failed() -> None:
    cancel = requested("cancel", by="joe")
    assert ends(cancel) == (RunStatus.TERMINATED, "cancelled by joe")
    assert ends(*failed("a", "internal"), cancel) == (RunStatus.TERMINATED, "cancelled by joe")
    status, reason = ends(*failed("a", "outcome_unknown"), cancel)
    assert status is RunStatus.TERMINATION_FAILED
    assert "'a'" in reason


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("outcome_unknown", RunStatus.ERROR),
        ("rejected", RunStatus.APPROVAL_REJECTED),
        ("expired", RunStatus.APPROVAL_REJECTED),
    ],
)
def test_continue_forgives_no_unknown_outcome_and_opens_no_gate(kind: str, status: RunStatus) -> None:
    assert ends(*failed("soft", kind))[0] is status
