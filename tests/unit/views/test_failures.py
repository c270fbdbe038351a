"""What went wrong in a run: a step's own failure, or an error of ours, of Prefect or of the machine."""

from dataclasses import replace

import pytest

from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.failures import failures_of, shown_json
from prefect_wfexec.views.summary import summary_text
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, fact, finished, gate_opened, opened, requested, started
from tests.unit.views.support import execution

WORKFLOW = workflow(step("a"), step("b", "a"))
BEGUN = (opened(run_name="wfr_8x7y6z5w", path="/srv/my flows/deploy.yaml", inputs={"zone": "eu west"}), entered())


def ended(kind: str, message: str = "it went wrong", status: str = "Error") -> tuple[Fact, ...]:
    error = {"type": kind, "message": message}
    return (*BEGUN, started("a"), finished("a", "Failed", error=error), closed(status, reason=f"step 'a': {message}"))


def test_a_failure_of_a_step_is_no_error_of_the_run() -> None:
    found = failures_of(execution(WORKFLOW, *ended("exit_code", status="Failed")))
    assert found.error is None
    assert [card.is_error for card in found.cards] == [False]
    assert "This is an error of the run" not in summary_text(execution(WORKFLOW, *ended("exit_code", status="Failed")))


@pytest.mark.parametrize(
    ("kind", "message", "what", "advice"),
    [
        ("outcome_unknown", "the process died", "the machine or the process", "look at what"),
        ("outcome_unknown", "timed out\nit did not stop, and was killed", "the stop of a step", "look at what it left"),
        ("internal", "KeyError: x", "wfexec itself", "report it"),
        ("internal", "OSError: [Errno 28] No space left on device", "the machine: its disk is full", "make room"),
        ("unreachable", "no answer", "Prefect", "wfexec doctor"),
        ("blob_gone", "blob 12 is gone", "Prefect's database or storage: something that", "who deletes"),
    ],
)
def test_an_error_says_whose_it_is_and_what_to_do(kind: str, message: str, what: str, advice: str) -> None:
    one = execution(WORKFLOW, *ended(kind, message))
    found = failures_of(one)
    assert found.error is not None
    assert found.error.what.startswith(what)
    assert found.error.said == f"step 'a': {message.splitlines()[0]}"
    assert advice in found.error.advice
    text = summary_text(one)
    assert "This is an error of the run, not a failure of a step\nWhat failed: " in text
    assert text.index("What to do: ") < text.index("Error Details")
    assert "Status: Failed, " in text


def test_an_engine_that_gave_up_is_told_in_prefects_words() -> None:
    message = "the journal of run x was signed with another key than this process has; give it the value"
    found = failures_of(execution(WORKFLOW, *BEGUN, status=RunStatus.ERROR, message=message)).error
    assert found is not None
    assert (found.what, found.said) == ("the key: this process has another one than the run", message)
    killed = "Flow run process exited with non-zero status code -9."
    found = failures_of(execution(WORKFLOW, *BEGUN, status=RunStatus.ERROR, message=killed)).error
    assert found is not None
    assert found.what == "the machine or the process"
    silent = failures_of(execution(WORKFLOW, *BEGUN, status=RunStatus.ERROR)).error
    assert silent is not None
    assert (silent.what, silent.said) == ("the machine or the process", "")


def test_a_process_that_is_gone_leaves_a_run_that_can_be_retried() -> None:
    one = replace(execution(WORKFLOW, *BEGUN, started("a")), lost="its process (pid 7 on this machine) is gone")
    found = failures_of(one)
    assert found.error is not None
    assert found.error.said == "its process (pid 7 on this machine) is gone"
    assert [action.command for action in found.actions] == ["wfexec retry wfr_8x7y6z5w", "wfexec cancel wfr_8x7y6z5w"]
    text = summary_text(one)
    assert "What failed: the machine or the process\n" in text
    assert "\n→ step 'a' was at work, and how far it came is not known; look at what the step has changed" in text
    assert "Actions:\n  [Retry Step] wfexec retry wfr_8x7y6z5w\n" in text


def test_a_run_that_can_not_be_taken_up_can_be_begun_anew() -> None:
    one = execution(WORKFLOW, *BEGUN, closed("Failed", reason="no"))
    assert [action.command for action in failures_of(one).actions] == [
        "wfexec run '/srv/my flows/deploy.yaml' -i 'zone=eu west'"
    ]


def test_a_run_that_went_well_has_nothing_to_do() -> None:
    one = execution(WORKFLOW, *BEGUN, closed())
    assert failures_of(one).actions == ()
    assert shown_json(one)["actions"] == []


def test_the_actions_stand_in_the_json() -> None:
    actions = shown_json(execution(WORKFLOW, *ended("exit_code", status="Failed")))["actions"]
    assert {"action": "retry", "command": "wfexec retry wfr_8x7y6z5w", "step": None} in actions
    assert {"action": "retry_from", "command": "wfexec retry wfr_8x7y6z5w --from a", "step": "a"} in actions


def test_a_run_whose_definition_can_not_be_read_has_its_error_only() -> None:
    found = failures_of(execution(None, *BEGUN, status=RunStatus.ERROR, message="no"))
    assert (found.cards, found.actions) == ((), ())
    assert found.error is not None


@pytest.mark.parametrize("width", [44, 80])
def test_the_details_fit_a_terminal(width: int) -> None:
    message = "it went wrong " * 30
    text = summary_text(execution(WORKFLOW, *ended("internal", message)), width)
    details = text[text.index("This is an error") :].splitlines()
    assert max(len(line) for line in details if "wfexec " not in line) <= width


def test_a_run_that_lost_its_process_at_a_gate_can_be_retried() -> None:
    facts = [*BEGUN, started("a"), gate_opened("a")]
    one = replace(execution(WORKFLOW, *facts), lost="its process (pid 7 on this machine) is gone")
    assert [action.command for action in failures_of(one).actions] == [
        "wfexec retry wfr_8x7y6z5w",
        "wfexec cancel wfr_8x7y6z5w",
    ]


def test_what_became_of_its_lock_does_not_hide_why_a_run_ended() -> None:
    lock = [
        fact(Kind.LOCK_ACQUIRED, engine="e1", key="k", number=1),
        fact(Kind.LOCK_RELEASED, number=1, reason="the run is over and did not give it back"),
    ]
    killed = "Flow run process exited with non-zero status code -9."
    one = execution(WORKFLOW, *BEGUN, started("a"), *lock, status=RunStatus.ERROR, message=killed)
    found = failures_of(one).error
    assert found is not None
    assert (found.what, found.said, one.reason) == ("the machine or the process", killed, killed)


def test_nothing_is_offered_that_a_run_refuses_which_was_cleaned_up_after() -> None:
    facts = [
        *BEGUN,
        started("a"),
        requested("cancel", cleanup=True),
        finished("a", "Cancelled"),
        fact(Kind.CLEANUP_STARTED, engine="e1", run="r", name="wfr_c", plan={}),
        fact(Kind.CLEANUP_FINISHED, run="r", status="Succeeded"),
        closed("Terminated", reason="cancelled"),
    ]
    assert [action.action for action in failures_of(execution(WORKFLOW, *facts)).actions] == ["run_again"]
