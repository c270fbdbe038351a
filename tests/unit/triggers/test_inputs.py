"""What a run is told, and the inputs it gets."""

import json
from typing import Any

import pytest

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.context import LARGEST_CHARACTERS, read_context
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.triggers.context import LARGEST_SENT_CHARACTERS, trigger_context
from prefect_wfexec.triggers.inputs import NoInputs, inputs_of
from prefect_wfexec.triggers.reading import read
from tests.unit.triggers.support import TRIGGERS, payload, sent

INPUTS = """
  text: {type: string, default: none}
  whole: {type: integer, default: 1}
  number: {type: number, default: 1.5}
  flag: {type: boolean, default: false}
  list: {type: array, default: []}
  object: {type: object, default: {}}
  choice: {type: string, enum: [main, dev], default: main}
"""


def workflow_of(given: dict[str, Any], inputs: str = INPUTS) -> Workflow:
    triggers = json.dumps([{"id": "it", "type": "github", "events": ["push"], "secret": "hook", "inputs": given}])
    text = f"version: 1\nname: network\ninputs:{inputs}\ntriggers: {triggers}\nsteps: [{{id: a, run: x}}]"
    return load_text(text, None, catalog())


def values_of(given: dict[str, Any], value: Any = None, inputs: str = INPUTS) -> dict[str, Any]:
    workflow = workflow_of(given, inputs)
    event = read(sent("github", value or payload("github_push"), x_github_event="push"), TRIGGERS["github"])
    return inputs_of(workflow, workflow.triggers[0], trigger_context(workflow.triggers[0], event))


def test_without_inputs_of_the_trigger_all_have_their_defaults() -> None:
    assert values_of({}) == {
        "text": "none",
        "whole": 1,
        "number": 1.5,
        "flag": False,
        "list": [],
        "object": {},
        "choice": "main",
    }


@pytest.mark.parametrize(
    ("name", "template", "value"),
    [
        ("text", "${{ trigger.branch }}", "main"),
        (
            "text",
            "${{ trigger.branch }}@${{ trigger.short_commit }} of ${{ workflow.name }}",
            "main@9049f12 of network",
        ),
        ("text", "plain", "plain"),
        ("text", "${{ trigger.payload.repository.id }}", "186853002"),
        ("text", "${{ trigger.payload.created }}", "false"),
        ("text", "${{ trigger.tag }}", "none"),
        ("whole", "${{ trigger.payload.repository.id }}", 186853002),
        ("whole", "${{ size(trigger.payload.commits) * 2 }}", 4),
        ("whole", "1${{ size(trigger.payload.commits) }}", 12),
        ("number", "${{ trigger.payload.repository.id }}", 186853002.0),
        ("flag", "${{ trigger.payload.repository.private }}", True),
        ("flag", "${{ 'TR' }}UE", True),
        ("list", "${{ trigger.payload.commits.map(c, c.id) }}", None),
        ("object", "${{ trigger.payload.pusher }}", {"name": "jane-doe", "email": "jane@example.com"}),
        ("choice", "${{ trigger.branch }}", "main"),
    ],
)
def test_a_value_comes_from_the_delivery_and_fits_its_declaration(name: str, template: str, value: Any) -> None:
    found = values_of({name: template})[name]
    if value is not None:
        assert (found, type(found)) == (value, type(value))
    else:
        assert len(found) == 2


@pytest.mark.parametrize(
    ("name", "template", "words"),
    [
        ("whole", "${{ trigger.branch }}", "input 'whole' must be a whole number, not text"),
        ("whole", "${{ 1.5 }}", "must be a whole number"),
        ("whole", "${{ '1_0' }}", "must be a whole number"),
        ("whole", "${{ '9999999999' }}9999999999", "too large"),
        ("number", "${{ 'nan' }}", "not allowed"),
        ("flag", "${{ 'yes' }}", "must be true or false"),
        ("list", "${{ trigger.payload.pusher }}", "must be a list"),
        ("object", "${{ trigger.branch }}", "must be an object"),
        ("choice", "${{ trigger.short_commit }}", "must be one of 'main' and 'dev'"),
        ("text", "${{ trigger.payload.nothing }}", "'trigger.payload' has no 'nothing'"),
        ("text", "${{ trigger.pull_request.number }}", "'trigger.pull_request' is null"),
        ("text", "${{ trigger.payload.commits[7].id }}", "input 'text'"),
        ("text", "${{ {'$ref': 'x'} }}", "$ref"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_input(name: str, template: str, words: str) -> None:
    with pytest.raises(NoInputs) as caught:
        values_of({name: template})
    assert words in caught.value.reason


def test_a_required_input_without_a_value_is_told() -> None:
    with pytest.raises(NoInputs, match="'who' is required"):
        values_of({"who": "${{ trigger.tag }}"}, inputs="\n  who: {type: string}")


def test_a_pattern_holds_for_what_comes_from_outside() -> None:
    inputs = "\n  who: {type: string, pattern: '[a-z-]+'}"
    assert values_of({"who": "${{ trigger.payload.pusher.name }}"}, inputs=inputs) == {"who": "jane-doe"}
    push = payload("github_push") | {"pusher": {"name": "$(reboot)"}}
    with pytest.raises(NoInputs, match="must match the pattern"):
        values_of({"who": "${{ trigger.payload.pusher.name }}"}, push, inputs)


def test_a_run_is_told_why_it_runs() -> None:
    event = read(
        sent("github", payload("github_push"), x_github_event="push", x_github_delivery="72d3162e"), TRIGGERS["github"]
    )
    context = trigger_context(TRIGGERS["github"], event)
    read_again = read_context(context.as_text(), None)  # type: ignore[arg-type]
    assert read_again == context
    assert (context.triggered_by.value, context.user) == ("Git", "jane-doe")
    told = context.trigger
    assert (told["type"], told["id"], told["text"]) == ("github", "it", "Git Push (main @ 9049f12)")
    assert (told["event"], told["delivery"], told["commit"]) == ("push", "72d3162e", event.facts["commit"])
    assert told["payload"]["ref"] == "refs/heads/main"


def test_a_payload_that_is_too_large_stays_behind() -> None:
    push = payload("github_push")
    push["commits"] = [push["head_commit"] | {"message": '"é' * 500}] * 200
    event = read(sent("github", push, x_github_event="push"), TRIGGERS["github"])
    context = trigger_context(TRIGGERS["github"], event)
    assert len(json.dumps(context.trigger)) > LARGEST_SENT_CHARACTERS
    assert len(context.as_text()) < LARGEST_SENT_CHARACTERS < LARGEST_CHARACTERS
    told = json.loads(context.as_text())["trigger"]
    assert (told["payload"], told["branch"]) == (None, "main")
