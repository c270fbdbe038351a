"""What a run that was cancelled with cleanup ends as: what was seen."""

from prefect_wfexec.engine.outcome import outcome
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.status import RunStatus
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, fact, finished, folded, opened, requested, started

ONE = workflow(step("apply"))
PLAN = {"steps": ["apply"], "needs_approval": False}
BEGUN = (opened(), entered(), started("apply"), finished("apply"), requested("cancel", cleanup=True))
HANDED_OVER = (*BEGUN, fact(Kind.CLEANUP_STARTED, engine="e1", run="r", name="wfr_c", plan=PLAN))


def ended(status: str, run: str = "r", **data: object) -> Fact:
    return fact(Kind.CLEANUP_FINISHED, run=run, status=status, **data)


def outcome_of(*facts: Fact) -> tuple[RunStatus, str]:
    return outcome(Outline(ONE), folded(*facts))


def test_terminated_is_said_once_it_is_gone() -> None:
    assert outcome_of(*HANDED_OVER)[0] is RunStatus.TERMINATION_FAILED
    assert outcome_of(*HANDED_OVER, ended("Succeeded", run="another"))[0] is RunStatus.TERMINATION_FAILED
    status, reason = outcome_of(*HANDED_OVER, ended("Succeeded"))
    assert status is RunStatus.TERMINATED
    assert reason.endswith("cleaned up by wfr_c")


def test_what_is_left_is_named() -> None:
    status, reason = outcome_of(*HANDED_OVER, ended("Failed", reason="no rights", left=["a.b", "c.d"]))
    assert status is RunStatus.TERMINATION_FAILED
    assert reason.endswith("the cleanup wfr_c ended Failed: no rights; still there: a.b, c.d")


def test_with_nothing_to_clean_up_that_is_said() -> None:
    assert outcome_of(*BEGUN) == (RunStatus.TERMINATED, "cancelled by jane; there was nothing to clean up")


def test_what_nobody_saw_end_stays_unknown_after_a_cleanup() -> None:
    for exit_code, status in ((None, RunStatus.TERMINATION_FAILED), (1, RunStatus.TERMINATED)):
        error = {"type": "outcome_unknown", "message": "", "exit_code": exit_code, "tail": ""}
        facts = (opened(), entered(), started("apply"), finished("apply", "Failed", error=error), *HANDED_OVER[4:])
        assert outcome_of(*facts, ended("Succeeded"))[0] is status


def test_a_cleanup_that_succeeds_after_all_has_the_run_end_anew() -> None:
    failed = (*HANDED_OVER, ended("Failed"), closed("Termination Failed"))
    assert folded(*failed).closed is not None
    again = folded(*failed, ended("Succeeded"))
    assert again.closed is None
    assert outcome(Outline(ONE), again)[0] is RunStatus.TERMINATED


def test_only_the_engine_that_runs_it_hands_a_run_over_and_once() -> None:
    stranger = fact(Kind.CLEANUP_STARTED, engine="e0", run="r", name="wfr_c", plan=PLAN)
    assert folded(*BEGUN, stranger).cleanup is None
    second = fact(Kind.CLEANUP_STARTED, engine="e1", run="r2", name="wfr_d", plan=PLAN)
    cleanup = folded(*HANDED_OVER, second).cleanup
    assert cleanup is not None
    assert cleanup.run == "r"


def test_a_cleanup_says_nothing_of_what_it_did_not_clean() -> None:
    error = {"type": "outcome_unknown", "message": "", "exit_code": 1, "tail": ""}
    facts = (*HANDED_OVER[:4], started("other"), finished("other", "Failed", error=error), *HANDED_OVER[4:])
    status, reason = outcome(Outline(workflow(step("apply"), step("other"))), folded(*facts, ended("Succeeded")))
    assert status is RunStatus.TERMINATION_FAILED
    assert reason.endswith("what 'other' left behind is unknown")


def test_nothing_in_a_cancel_from_outside_steers_a_terminal() -> None:
    facts = (*BEGUN[:4], requested("cancel", by="j\x1b[31mane", reason=["no text"]))
    assert outcome_of(*facts) == (RunStatus.TERMINATED, "cancelled by jane")
