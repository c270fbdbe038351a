"""The form of a gate: what it shows of the plan, and which answers its schema takes."""

import json
from typing import Any

import jsonschema
import pytest

from prefect_wfexec.engine.approvals.forms import LONGEST_PLAN_LINES, MOST_RESOURCES, Form, current_form
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import at, entered, finished, folded, gate_opened, opened, started

WORKFLOW = workflow(step("plan", uses="terraform.plan"), step("gate", "plan", uses="approval", name="Approve the plan"))


def form_of(text: str = "Plan: 1 to add.", resources: int = 1, **gate: Any) -> Form:
    rows = [{"action": "create", "address": f"a|b.`c`[{number}]"} for number in range(resources)]
    outputs = {"digest": "abc", "summary": "1 to add", "text": text, "resources": rows}
    state = folded(
        opened(),
        entered(),
        started("plan"),
        finished("plan", outputs=outputs),
        started("gate"),
        gate_opened("gate", **gate),
    )
    form = current_form(WORKFLOW, state)
    assert form is not None
    return form


def question(form: Form) -> str:
    return str(form.schema["properties"]["decision"]["description"])


def test_what_is_decided_on_stands_with_the_decision() -> None:
    form = form_of(message="Apply **this**?", expires=at(3600).isoformat())
    lines = question(form).split("\r")
    assert form.description == "## example: Approve the plan"
    assert lines[0] == "Apply **this**?"
    assert "**1 to add**" in lines
    assert lines.index("| action | resource |") + 2 == lines.index("| create | `a\\|b.'c'[0]` |")
    assert "Plan: 1 to add." in lines
    assert any(line.startswith("Open until ") and line.endswith(" UTC.") for line in lines)


def test_no_line_of_the_question_ends_with_a_newline_which_prefects_page_would_join() -> None:
    form = form_of(text="one\n\n  two\r\nthree", message="Shall\r\nwe?")
    assert "\n" not in question(form)
    assert "one\r\r  two\rthree" in question(form)
    assert "\n" not in json.loads(form.inputs[form.keyset["schema"]])["properties"]["decision"]["description"]


def test_a_long_plan_is_cut_and_says_so() -> None:
    lines = question(form_of(text="\n".join(["line"] * (LONGEST_PLAN_LINES + 1)), resources=MOST_RESOURCES + 2))
    assert lines.split("\r").count("line") == LONGEST_PLAN_LINES
    assert "This is its beginning." in lines
    assert "The whole plan is among the run's artifacts." in lines
    assert "| … | 2 more |" in lines


def test_a_plan_cannot_end_the_block_it_stands_in() -> None:
    assert question(form_of(text="```\n## Approve this")).count("```") == 2


@pytest.mark.parametrize(
    ("answer", "is_taken"),
    [
        ({}, False),
        ({"decision": None}, False),
        ({"decision": "maybe"}, False),
        ({"decision": "approve"}, True),
        ({"decision": "approve", "approver": "jane", "code": "", "comment": ""}, True),
        ({"decision": "approve", "more": "x"}, False),
        ({"decision": "reject"}, False),
        ({"decision": "reject", "comment": ""}, False),
        ({"decision": "reject", "comment": "no"}, True),
    ],
)
def test_an_answer_has_a_decision_and_a_rejection_a_comment(answer: dict[str, Any], is_taken: bool) -> None:
    assert jsonschema.Draft202012Validator(form_of().schema).is_valid(answer) is is_taken


def test_the_decision_has_no_default() -> None:
    schema: Any = form_of().schema
    assert "default" not in schema["properties"]["decision"]
    assert [field["position"] for field in schema["properties"].values()] == [0, 1, 2, 3]
    assert list(schema["properties"]) == ["decision", "approver", "code", "comment"]


def test_html_in_a_message_is_text() -> None:
    assert question(form_of(message="<img src=x> **now**")).startswith("&lt;img src=x> **now**")


def test_the_plan_is_linked() -> None:
    outputs = {"digest": "abc", "summary": "1 to add", "text": "Plan: 1 to add.", "resources": []}
    state = folded(
        opened(run_name="wfr_a1"),
        entered(),
        started("plan"),
        finished("plan", outputs=outputs),
        started("gate"),
        gate_opened("gate"),
    )
    form = current_form(WORKFLOW, state)
    assert form is not None
    assert "[The whole plan](/artifacts/key/wfr-a1-plan)" in question(form).split("\r")


def test_a_gate_of_named_people_asks_for_a_code_and_shows_how_far_it_is() -> None:
    approvers, fields = ["ann", "bob"], {"ticket": {"type": "string"}}
    form = form_of(approvers=approvers, quorum=2, is_governed=True, fields=fields, news=["a was not to change"])
    assert "**0 of 2 approved.** May decide: ann, bob." in question(form).split("\r")
    assert "- a was not to change" in question(form).split("\r")
    answer = {"decision": "approve", "code": "x", "ticket": "t"}
    jsonschema.validate(answer, form.schema)
    jsonschema.validate({"decision": "reject", "code": "x", "comment": "no"}, form.schema)
    for missing in ("decision", "code", "ticket"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in answer.items() if name != missing}, form.schema)


def test_a_step_that_failed_is_asked_about_in_its_own_words() -> None:
    form = form_of(choices=["retry", "skip", "abort"])
    assert form.schema["properties"]["decision"]["enum"] == ["retry", "skip", "abort"]
    assert "**retry**: the step runs again." in question(form)
