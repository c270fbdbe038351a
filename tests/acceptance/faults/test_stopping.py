"""Cancels, retries and cleanups of an apply that is interrupted at moments drawn at random."""

import pytest

from tests.acceptance.faults.moments import FULL, SAMPLE, kill_flow_process, moments, pause
from tests.acceptance.faults.slow_apply import RESOURCES, SlowApply


def check_cancel(slow_apply: SlowApply, moment: float) -> None:
    """A cancel is Terminated, unless all had been done by then; what was applied stands in the state."""
    going = slow_apply.start()
    pause(moment)
    asked = slow_apply.wfexec("cancel", going.run)
    ended = going.end()
    slow_apply.wait_until_gone()
    shown = slow_apply.check_consistency(going.run)
    assert (asked.code, shown["status"], ended.code) in {(0, "Terminated", 4), (2, "Succeeded", 0)}
    apply = shown["steps"][1]
    assert apply["status"] in {"Cancelled", "Success"}
    assert (apply["status"] == "Success") is (slow_apply.resources() == dict.fromkeys(RESOURCES, "ok"))


def check_cancel_with_cleanup(slow_apply: SlowApply, moment: float) -> None:
    """Nothing is left, and that is what Terminated says."""
    going = slow_apply.start()
    pause(moment)
    asked = slow_apply.wfexec("cancel", going.run, "--cleanup")
    ended = going.end()
    slow_apply.wait_until_gone()
    shown = slow_apply.show(going.run)
    if asked.code == 2:
        assert (shown["status"], ended.code) == ("Succeeded", 0)
        return
    check_cleaned(slow_apply, going.run)
    assert ended.code == 4


def check_cleaned(slow_apply: SlowApply, run: str) -> None:
    shown = slow_apply.show(run)
    assert (shown["status"], shown["cleanup"]["status"], shown["cleanup"]["left"]) == ("Terminated", "Succeeded", [])
    assert slow_apply.resources() == {}
    assert not (slow_apply.infra / ".terraform.tfstate.lock.info").exists()
    assert slow_apply.wfexec.json("audit", run)["verified"]


def check_retry_after_a_kill(slow_apply: SlowApply, moment: float) -> None:
    """One retry applies what is missing, from a new plan."""
    run = kill_flow_process(slow_apply, moment)
    again = slow_apply.wfexec("retry", run, "--json")
    shown = slow_apply.check_consistency(run)
    assert (again.code, shown["status"]) == (0, "Succeeded"), again.err
    assert slow_apply.resources() == dict.fromkeys(RESOURCES, "ok")
    claims = [
        fact["data"]["claim"]
        for entry in slow_apply.wfexec.json("audit", run)["entries"]
        for fact in entry["facts"]
        if fact["kind"] == "step_claimed" and not fact["data"]["claim"].startswith("lineage:")
    ]
    assert len(claims) == len(set(claims))


def check_cleanup_after_a_kill(slow_apply: SlowApply, moment: float) -> None:
    """Who cancels a run whose process is gone takes away what its Terraform was seen to have made."""
    run = kill_flow_process(slow_apply, moment)
    ended = slow_apply.wfexec.json("cancel", run, "--cleanup")
    assert ended["outcome"] == "ended"
    slow_apply.wait_until_gone()
    check_cleaned(slow_apply, run)


CHECKS = [check_cancel, check_cancel_with_cleanup, check_retry_after_a_kill, check_cleanup_after_a_kill]


@pytest.mark.parametrize("moment", moments(SAMPLE)[:1])
@pytest.mark.parametrize("check", CHECKS)
def test_an_apply_interrupted_at_any_moment(slow_apply, check, moment):
    check(slow_apply, moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments(FULL))
@pytest.mark.parametrize("check", CHECKS)
def test_an_apply_interrupted_at_twenty_moments(slow_apply, check, moment):
    check(slow_apply, moment)
