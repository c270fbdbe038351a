"""What is printed at the end of a run."""

import pytest

from prefect_wfexec.engine.progress import RULE
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.summary import status_text, summary_text
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import (
    at,
    closed,
    entered,
    finished,
    gate_closed,
    gate_opened,
    opened,
    skipped,
    started,
)
from tests.unit.views.support import execution

WORKFLOW = workflow(
    step("plan", name="Plan", uses="terraform.plan"),
    step("approval", "plan", name="Approval", uses="approval"),
    step("apply", "approval", name="Apply", uses="terraform.apply"),
    step("health_check", "apply", name="Health Check", allow_skip=True),
    step("notify", "health_check", name="Notify"),
)
OPENED = opened(
    workflow="production-deploy",
    trigger={"type": "github", "text": "Git Push (main @ abc1234)"},
    inputs={"zone": "eu west", "count": 3},
    path="/srv/my flows/deploy.yaml",
)
TO_APPLY = (
    OPENED,
    entered(),
    started("plan"),
    finished("plan", seconds=12, summary="3 to add, 1 to change"),
    started("approval", seconds=12),
    gate_opened("approval", 12),
    gate_closed("approval", seconds=284),
    finished("approval", seconds=284, summary="Approved by jane@example.com"),
    started("apply", seconds=284),
)
APPLIED = {
    "counts": {"add": 3, "change": 1, "destroy": 0},
    "values": {"api_endpoint": "https://api.example.com", "vpc_id": "vpc-0abc123def456", "zones": ["a", "b"]},
}
WELL = (
    *TO_APPLY,
    finished("apply", seconds=329, summary="3 added, 1 changed", outputs=APPLIED),
    started("health_check", seconds=329),
    finished("health_check", seconds=331, summary="HTTP 200 OK"),
    started("notify", seconds=331),
    finished("notify", seconds=332, summary="Slack message sent"),
    closed(seconds=332),
)
ERROR = {
    "type": "exit_code",
    "message": "Error creating RDS instance: InvalidParameterValue\nThe parameter MasterUserPassword is not valid.",
    "exit_code": 1,
    "tail": "",
}


def failed(*more: Fact, **error: object) -> Execution:
    return execution(
        WORKFLOW,
        *TO_APPLY,
        finished("apply", "Failed", seconds=302, error={**ERROR, **error}),
        skipped("health_check", "upstream", reason="'apply' failed"),
        skipped("notify", "upstream", reason="'apply' failed"),
        closed("Failed", seconds=302, reason="step 'apply': Error creating RDS instance: InvalidParameterValue"),
        *more,
    )


def test_a_deployment_that_went_well() -> None:
    assert (
        summary_text(execution(WORKFLOW, *WELL))
        == f"""\
Execution Summary
Workflow:  production-deploy
Run ID:    wfr_8x7y6z5w
Status:    Completed ✓
Duration:  5m 32s
Triggered: Git Push (main @ abc1234)

Step Progress
{RULE}
1. Plan         ✓ 12s
   └─ 3 to add, 1 to change
2. Approval     ✓ 4m 32s
   └─ Approved by jane@example.com
3. Apply        ✓ 45s
   └─ 3 added, 1 changed
4. Health Check ✓ 2s
   └─ HTTP 200 OK
5. Notify       ✓ 1s
   └─ Slack message sent

Terraform Output
Apply complete! Resources: 3 added, 1 changed, 0 destroyed.
Outputs:
api_endpoint = "https://api.example.com"
vpc_id = "vpc-0abc123def456"
zones = ["a", "b"]
"""
    )


def test_a_deployment_that_failed() -> None:
    text = summary_text(failed())
    head, progress, details = text.split("\n\n")
    assert "Status:    Failed ✗" in head.splitlines()
    assert "Duration:  5m 2s" in head.splitlines()
    assert "Reason:    step 'apply': Error creating RDS instance: InvalidParameterValue" in head.splitlines()
    assert "3. Apply        ✗ 18s ← FAILED" in progress.splitlines()
    assert "4. Health Check ⊘ Skipped" in progress.splitlines()
    lines = details.splitlines()
    assert lines[:9] == [
        "Error Details",
        "Step: Apply (apply)",
        "Status: Failed",
        "Duration: 18s",
        "Exit Code: 1",
        "Error:",
        "  Error creating RDS instance: InvalidParameterValue",
        "  The parameter MasterUserPassword is not valid.",
        "Actions:",
    ]
    assert lines[9:] == [
        "  [View Errors]     wfexec logs wfr_8x7y6z5w --step apply --stream errors",
        "  [View Full Log]   wfexec logs wfr_8x7y6z5w --step apply",
        "  [Retry Step]      wfexec retry wfr_8x7y6z5w",
        "  [Retry From Here] wfexec retry wfr_8x7y6z5w --from apply",
    ]


def test_the_end_of_the_output_is_told_when_the_error_does_not_hold_it() -> None:
    assert "Last output:\n  the end" in summary_text(failed(message="no reason", tail="the end"))
    assert "Last output" not in summary_text(failed(tail="The parameter MasterUserPassword is not valid.\n"))
    assert "Last output" not in summary_text(failed())
    assert "Exit Code" not in summary_text(failed(exit_code=None))


def test_after_a_retry() -> None:
    again = (
        *TO_APPLY,
        finished("apply", "Failed", seconds=302, error=ERROR, retry_at=at(310).isoformat()),
        started("apply", 2, seconds=310),
        finished("apply", attempt=2, seconds=344, outputs=APPLIED),
        started("health_check", seconds=344),
        finished("health_check", seconds=346),
        started("notify", seconds=346),
        finished("notify", seconds=347),
        closed(seconds=347),
    )
    text = summary_text(execution(WORKFLOW, *again))
    assert f"Step Progress (Retried)\n{RULE}\n" in text
    assert "3. Apply        ✓ 52s ← Retry succeeded\n" in text
    assert "Status:         Completed ✓\n" in text
    assert "Total Duration: 5m 47s (including retry)\n" in text
    assert "Error Details" not in text


def test_a_run_without_definition_or_engine_has_a_head_only() -> None:
    text = summary_text(execution(None))
    assert text.splitlines() == [
        "Execution Summary",
        "Workflow:  production-deploy",
        "Run ID:    wfr_8x7y6z5w",
        "Status:    Pending",
        "Duration:  -",
        "Triggered: Manual",
    ]


def test_outputs_of_the_workflow() -> None:
    text = summary_text(
        execution(workflow(step("a")), OPENED, entered(), closed(outputs={"plan": {"add": 3}, "é": None}))
    )
    assert text.endswith('Outputs\n{\n  "plan": {\n    "add": 3\n  },\n  "é": null\n}\n')


def test_what_was_destroyed() -> None:
    one = workflow(step("d", uses="terraform.destroy"))
    facts = (OPENED, entered(), started("d"), finished("d", outputs={"counts": {"destroy": 4}}), closed())
    assert "Destroy complete! Resources: 0 added, 0 changed, 4 destroyed." in summary_text(execution(one, *facts))
    nothing = (OPENED, entered(), started("d"), finished("d", "Failed", error=ERROR), closed("Failed"))
    assert "Terraform Output" not in summary_text(execution(one, *nothing))


def test_nothing_in_it_steers_a_terminal_or_makes_up_a_line_of_the_head() -> None:
    trigger = {"type": "github", "text": "Git Push\nStatus: Completed ✓\x1b]0;x\x07"}
    facts = (opened(trigger=trigger), entered(), closed("Failed", reason="one\nStatus: fine\x1b[2J"))
    text = summary_text(execution(workflow(step("a", name="A\x1b[31m")), *facts))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert [line for line in text.splitlines() if line.startswith("Status:")] == ["Status:    Failed ✗"]
    error = summary_text(failed(message="bad\x1b[2J\x00", tail="\x1b]0;title\x07end"))
    assert "\x1b" not in error
    assert "\x00" not in error


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (RunStatus.SUCCEEDED, "Completed ✓"),
        (RunStatus.FAILED, "Failed ✗"),
        (RunStatus.ERROR, "Error ✗"),
        (RunStatus.APPROVAL_REJECTED, "Approval Rejected ✗"),
        (RunStatus.TERMINATED, "Terminated ⊗"),
        (RunStatus.TERMINATION_FAILED, "Termination Failed ⊗"),
        (RunStatus.RUNNING, "Running"),
        (RunStatus.PENDING, "Pending"),
        (RunStatus.APPROVAL_PENDING, "Approval Pending"),
        (RunStatus.TERMINATING, "Terminating"),
    ],
)
def test_status_words(status: RunStatus, text: str) -> None:
    assert status_text(status) == text
