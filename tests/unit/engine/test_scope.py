"""What expressions see."""

import pytest

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.definition.expressions import ExpressionError, render
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.journal.facts import Fact, Kind
from tests.unit.engine.support import RUN_INFO, step, workflow
from tests.unit.journal.support import entered, fact, finished, folded, opened, started

WORKFLOW = workflow(
    step("plan"), step("apply", "plan"), step("tell", "apply", when="always"), description="An example."
)
INPUTS = {"zone": "eu", "count": 3}
TRIGGER = {"type": "github", "id": "push", "text": "Git Push (main @ abc1234)"}


def seen(expression: str, *facts: Fact, scopes: Scopes | None = None) -> JSON:
    scopes = scopes or Scopes(WORKFLOW, Outline(WORKFLOW), RUN_INFO)
    text = f"${{{{ {expression} }}}}"
    state = folded(opened(inputs=INPUTS, trigger=TRIGGER), entered(), *facts)
    return render(text, scopes.scope(state, text))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("workflow.name", "example"),
        ("workflow.description", "An example."),
        ("workflow.version", 1),
        ("workflow.digest", "d" * 64),
        ("run.id", RUN_INFO.id),
        ("run.name", "wfr_test"),
        ("run.api_url", RUN_INFO.api_url),
        ("run.started", "2030-01-01T12:00:00+00:00"),
        ("run.status", "Succeeded"),
        ("inputs.zone", "eu"),
        ("inputs.count + 1", 4),
        ("trigger.text", TRIGGER["text"]),
        ("steps.plan.status", "Pending"),
        ("size(steps.plan.outputs)", 0),
    ],
)
def test_roots(expression: str, value: JSON) -> None:
    assert seen(expression) == value


def test_the_run_status_is_how_the_run_would_end_now() -> None:
    failed = (started("apply"), finished("apply", "Failed", error={"type": "exit_code", "message": "x"}))
    assert seen("run.status", *failed) == "Failed"
    assert seen("steps.apply.status", *failed) == "Failed"


def test_outputs_come_from_the_entry_or_in_clear_from_memory() -> None:
    scopes = Scopes(WORKFLOW, Outline(WORKFLOW), RUN_INFO)
    ref = {"blob": "x", "size": 1, "sha256": "x"}
    hidden = (started("plan"), finished("plan", outputs={"password": "***"}, outputs_ref=ref))
    assert seen("steps.plan.outputs.password", *hidden, scopes=scopes) == "***"
    scopes.values["plan"] = {"password": "hunter2"}
    assert seen("steps.plan.outputs.password", *hidden, scopes=scopes) == "hunter2"


def test_outputs_of_an_earlier_attempt_are_not_taken_for_those_of_the_last() -> None:
    scopes = Scopes(WORKFLOW, Outline(WORKFLOW), RUN_INFO)
    scopes.values["plan"] = {"left": "by attempt 1"}
    assert seen("size(steps.plan.outputs)", started("plan"), finished("plan", outputs={}), scopes=scopes) == 0


def test_only_the_steps_an_expression_names_are_there() -> None:
    scopes = Scopes(WORKFLOW, Outline(WORKFLOW), RUN_INFO)
    state = folded(opened(), entered())
    assert set(scopes.scope(state, "steps.plan.status == 'Success'", is_expression=True)["steps"]) == {"plan"}
    assert scopes.scope(state, {"a": ["${{ steps.apply.status }}", "steps.plan"]})["steps"].keys() == {"apply"}


def test_there_are_no_secrets_unless_the_attempt_adds_them() -> None:
    with pytest.raises(ExpressionError):
        seen("secrets.password")


def test_a_run_nobody_opened_yet_has_empty_roots() -> None:
    scopes = Scopes(WORKFLOW, Outline(WORKFLOW), RUN_INFO)
    scope = scopes.scope(folded(), "x")
    assert (scope["inputs"], scope["trigger"], scope["run"]["started"]) == ({}, {}, "")


SEVERAL = expand(
    workflow(
        step("image", matrix={"region": ["eu", "us"]}), step("deploy", "image", environments=("staging", "production"))
    ),
    {},
)


def of_several(expression: str, *facts: Fact, at_step: str | None = None) -> JSON:
    scopes = Scopes(SEVERAL, Outline(SEVERAL), RUN_INFO)
    text = f"${{{{ {expression} }}}}"
    state = folded(opened(), entered(), *facts)
    return render(text, scopes.scope(state, text, SEVERAL.step(at_step) if at_step else None))


def test_the_outputs_of_instances_stand_under_their_keys() -> None:
    built = [started("image[eu]"), finished("image[eu]", outputs={"ref": "app:eu"}), started("image[us]")]
    assert of_several("steps.image.outputs.eu.ref", *built) == "app:eu"
    assert of_several("steps.image.outputs", *built) == {"eu": {"ref": "app:eu"}, "us": {}}
    assert of_several("steps.image.status", *built) == "Running"
    assert of_several("steps.image.status", *built, finished("image[us]", "Failed")) == "Failed"
    assert of_several("steps.image.status", *built, finished("image[us]")) == "Success"
    assert of_several("steps.image.status") == "Pending"


def test_an_instance_sees_its_own_values_and_environment() -> None:
    assert of_several("matrix.region", at_step="image[us]") == "us"
    read = {"environment": {"name": "production", "variables": {"size": 3}}, "is_manual": True}
    found = fact(Kind.VALIDATED, engine="e1", targets={"production": read}, environment={"name": "other"})
    assert of_several("environment.variables.size", found, at_step="deploy[production]") == 3
    assert of_several("environment.name", found, at_step="deploy[staging]") == "staging"
    assert of_several("environment.name", found, at_step="image[eu]") == "other"
