"""What an approval may be given."""

import pytest
from pydantic import ValidationError

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.errors import EngineError
from prefect_wfexec.steps.approval import ApprovalOutputs
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.testing import make_context, run_step


def approval_spec() -> StepSpec:
    spec = catalog().find("approval")
    assert spec is not None
    return spec


def test_is_a_gate_with_outputs_of_the_authors_own() -> None:
    assert approval_spec().is_gate
    assert approval_spec().open_outputs
    outputs = ApprovalOutputs.model_validate({"decision": "approve", "by": "jane", "ticket": "C-1"})
    assert outputs.model_dump() == {"decision": "approve", "by": "jane", "comment": "", "ticket": "C-1"}


def test_nothing_is_required() -> None:
    inputs = make_context("approval").inputs
    assert (inputs.quorum, inputs.on_expire, inputs.allow_self, inputs.expires) == (1, "reject", False, None)


def test_takes_everything_there_is() -> None:
    inputs = make_context(
        "approval",
        with_={
            "subject": {"plan": {"blob": "x"}},
            "message": "Apply to production?",
            "approvers": [" jane@example.com ", "joe@example.com"],
            "quorum": 2,
            "expires": "4h",
            "on_expire": "fail",
            "allow_self": True,
            "fields": {"ticket": {"type": "string", "description": "Change ticket"}},
            "policy": "production",
            "notify": [{"slack": "#deploys"}, {"mail": "jane@example.com", "block": "mailer"}],
        },
    ).inputs
    assert inputs.approvers == ["jane@example.com", "joe@example.com"]
    assert inputs.expires == 4 * 3600
    assert inputs.fields["ticket"].required
    assert inputs.notify[1].mail == ["jane@example.com"]


@pytest.mark.parametrize(
    "with_",
    [
        {"quorum": 0},
        {"approvers": ["jane"], "quorum": 2},
        {"approvers": ["jane", "Jane "]},
        {"approvers": [""]},
        {"on_expire": "approve"},
        {"fields": {"decision": {}}},
        {"fields": {"Bad Name": {}}},
        {"fields": {"ticket": {"type": "date"}}},
        {"notify": [{"slack": "#a", "mail": "b@c"}]},
        {"notify": [{}]},
        {"notify": [{"mail": []}]},
        {"aprovers": ["jane"]},
    ],
)
def test_what_an_approval_can_not_be_given(with_: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_context("approval", with_=with_)


async def test_running_it_as_a_step_is_a_fault_of_the_engine() -> None:
    with pytest.raises(EngineError, match="is a gate"):
        await run_step(make_context("approval"))
