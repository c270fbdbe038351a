"""The step list as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.progress import (
    RULE,
    duration_text,
    progress_lines,
    run_status,
    shown_status,
    step_seconds,
)
from prefect_wfexec.engine.progress_page import progress_markdown
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.status import RunStatus, StepStatus
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    at,
    closed,
    entered,
    finished,
    folded,
    gate_closed,
    gate_opened,
    opened,
    requested,
    skipped,
    started,
    unhurried,
)

WORKFLOW = workflow(
    step("plan", name="Plan"),
    step("approval", "plan", name="Approval", uses="approval"),
    step("apply", "approval", name="Apply"),
    step("health_check", "apply", name="Health Check"),
    step("notify", "health_check", name="Notify"),
)
BEGUN = (opened(), entered())
PLANNED = (started("plan"), finished("plan", seconds=12, summary="3 to add, 1 to change"))
APPROVED = (
    started("approval", seconds=12),
    gate_opened("approval", 12),
    gate_closed("approval", seconds=284),
    finished("approval", seconds=284, summary="Approved by jane@example.com"),
)


def lines(*facts: Fact, seconds: float = 1000, of: Workflow = WORKFLOW) -> list[str]:
    return list(progress_lines(of, folded(*BEGUN, *facts), at(seconds)))


def test_a_deployment_that_went_well() -> None:
    facts = (
        *PLANNED,
        *APPROVED,
        started("apply", seconds=284),
        finished("apply", seconds=329, summary="3 added, 1 changed"),
        started("health_check", seconds=329),
        finished("health_check", seconds=331, summary="HTTP 200 OK"),
        started("notify", seconds=331),
        finished("notify", seconds=332, summary="Slack message sent"),
    )
    assert lines(*facts) == [
        "1. Plan         ✓ 12s",
        "   └─ 3 to add, 1 to change",
        "2. Approval     ✓ 4m 32s",
        "   └─ Approved by jane@example.com",
        "3. Apply        ✓ 45s",
        "   └─ 3 added, 1 changed",
        "4. Health Check ✓ 2s",
        "   └─ HTTP 200 OK",
        "5. Notify       ✓ 1s",
        "   └─ Slack message sent",
    ]


def test_a_deployment_that_failed() -> None:
    error = {
        "type": "exit_code",
        "message": "Error creating RDS instance: InvalidParameterValue\nThe parameter is bad.",
    }
    facts = (
        *PLANNED,
        *APPROVED,
        started("apply", seconds=284),
        finished("apply", "Failed", seconds=302, error=error),
        skipped("health_check", "upstream", reason="'apply' failed"),
        skipped("notify", "upstream", reason="'apply' failed"),
    )
    assert lines(*facts)[4:] == [
        "3. Apply        ✗ 18s ← FAILED",
        "   └─ Error creating RDS instance: InvalidParameterValue",
        "4. Health Check ⊘ Skipped",
        "   └─ 'apply' failed",
        "5. Notify       ⊘ Skipped",
        "   └─ 'apply' failed",
    ]


def test_a_run_on_its_way() -> None:
    assert lines(*PLANNED, started("approval", seconds=12), gate_opened("approval", 12))[2:] == [
        "2. Approval     ⏳ Waiting",
        "3. Apply        ⏳ Waiting",
        "4. Health Check ○ Pending",
        "5. Notify       ○ Pending",
    ]
    assert lines(started("plan"), seconds=7)[:2] == ["1. Plan         ▶ 7s", "2. Approval     ⏳ Waiting"]


def test_a_retry_on_its_way_and_once_it_succeeded() -> None:
    one = workflow(step("apply", name="Apply"))
    failed = (
        started("apply", seconds=0),
        finished("apply", "Failed", seconds=18, error={"type": "x", "message": "no"}, retry_at=at(30).isoformat()),
    )
    assert lines(*failed, of=one) == [
        "1. Apply ⏳ Waiting",
        "   └─ attempt 1 failed, next at 2030-01-01T12:00:30+00:00",
    ]
    again = (*failed, started("apply", 2, seconds=30))
    assert lines(*again, seconds=40, of=one) == ["1. Apply ▶ 28s (attempt 2)"]
    assert lines(*again, finished("apply", attempt=2, seconds=64), of=one) == ["1. Apply ✓ 52s ← Retry succeeded"]
    error = {"type": "x", "message": "no again"}
    assert lines(*again, finished("apply", "Failed", attempt=2, seconds=64, error=error), of=one) == [
        "1. Apply ✗ 52s (attempt 2) ← FAILED",
        "   └─ no again",
    ]


def test_a_run_that_was_cancelled() -> None:
    facts = (
        started("plan"),
        requested("cancel"),
        finished("plan", "Cancelled", seconds=9, reason="the run was cancelled"),
        skipped("approval", "upstream", status="Cancelled", reason="the run was cancelled"),
    )
    assert lines(*facts)[:4] == [
        "1. Plan         ⊗ Cancelled 9s",
        "   └─ the run was cancelled",
        "2. Approval     ⊗ Cancelled",
        "   └─ the run was cancelled",
    ]


def test_numbers_line_up_past_ten() -> None:
    found = lines(of=workflow(*[step(f"s{number}") for number in range(11)]))
    assert (found[0], found[9], found[10]) == (" 1. s0  ○ Pending", "10. s9  ○ Pending", "11. s10 ○ Pending")


def test_what_people_and_programs_wrote_stays_on_its_line_and_steers_no_terminal() -> None:
    one = workflow(step("a"))
    facts = (started("a"), finished("a", "Cancelled", reason="one\ntwo\x1b[2J\x1b]0;title\x07 \x00three"))
    assert lines(*facts, of=one)[1] == "   └─ one two three"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0s"),
        (0.4, "0s"),
        (12, "12s"),
        (59.6, "1m 0s"),
        (272, "4m 32s"),
        (3599, "59m 59s"),
        (3900, "1h 5m"),
        (90_000, "25h 0m"),
        (-3, "0s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@unhurried
@given(st.floats(0, 1e7))
def test_a_duration_says_about_what_it_is(seconds: float) -> None:
    units = {"h": 3600, "m": 60, "s": 1}
    said = sum(int(part[:-1]) * units[part[-1]] for part in duration_text(seconds).split())
    assert abs(said - seconds) <= (60 if seconds >= 3600 else 1)


def test_how_long_a_step_worked() -> None:
    state = folded(*BEGUN, started("plan", seconds=10))
    assert step_seconds(state.step("approval"), at(50)) is None
    assert step_seconds(state.step("plan"), at(50)) == 40
    assert step_seconds(state.step("plan"), at(5)) == 0


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((), RunStatus.PENDING),
        (BEGUN, RunStatus.RUNNING),
        ((*BEGUN, started("approval"), gate_opened("approval")), RunStatus.APPROVAL_PENDING),
        ((*BEGUN, started("approval"), gate_opened("approval"), started("plan")), RunStatus.APPROVAL_PENDING),
        ((*BEGUN, requested("cancel")), RunStatus.TERMINATING),
        ((*BEGUN, requested("cancel"), closed("Terminated")), RunStatus.TERMINATED),
        ((*BEGUN, closed("Succeeded"), requested("cancel")), RunStatus.SUCCEEDED),
    ],
)
def test_the_status_of_a_run(facts: tuple[Fact, ...], status: RunStatus) -> None:
    assert run_status(folded(*facts)) is status


def test_waiting_is_for_a_gate_a_retry_or_a_need_at_work() -> None:
    state = folded(*BEGUN, started("plan"), started("apply"), finished("apply", "Failed", retry_at=at(9).isoformat()))
    assert [shown_status(one, state) for one in WORKFLOW.steps] == [
        StepStatus.RUNNING,
        StepStatus.WAITING,
        StepStatus.WAITING,
        StepStatus.WAITING,
        StepStatus.PENDING,
    ]


def test_the_page_has_the_list_and_no_markup_of_anyone_else() -> None:
    facts = (*PLANNED, closed("Failed", reason="step 'plan': ```\n<script>x</script>\n# Title"))
    page = progress_markdown(WORKFLOW, folded(*BEGUN, *facts))
    head, block = page.split("```text\n")
    assert head == "**example**: Failed\n\n"
    assert block.startswith(f"Step Progress\n{RULE}\n1. Plan")
    assert block.count("```") == 1
    assert block.endswith("\n```\n")
    assert "step 'plan': ` ` ` <script>x</script> # Title" in block


def test_the_page_leads_to_the_console_where_there_is_one() -> None:
    state = folded(*BEGUN, *PLANNED)
    assert "console" not in progress_markdown(WORKFLOW, state)
    page = progress_markdown(WORKFLOW, state, "https://deploys.example.com/console/executions/1")
    assert page.endswith("](https://deploys.example.com/console/executions/1)\n")
