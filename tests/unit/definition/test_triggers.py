"""Triggers and their schedules."""

import pytest

from prefect_wfexec.definition.cron import problem_of_cron
from tests.unit.definition.conftest import Language


@pytest.mark.parametrize(
    "cron",
    [
        "* * * * *",
        "0 2 * * *",
        "*/15 0-6,22 1,15 jan-MAR mon",
        "0 0 29 2 *",
        "0 0 31 4 mon",
        "5/10 * * * 7",
        " 0  2 * * * ",
    ],
)
def test_cron_expressions(cron: str) -> None:
    assert problem_of_cron(cron) == ("", "")


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"),
        ("60 * * * *", "out of range"),
        ("* 24 * * *", "out of range"),
        ("* * 0 * *", "out of range"),
        ("* * * 13 *", "out of range"),
        ("* * * * 8", "out of range"),
        ("* * * foo *", "out of range"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "step of 0"),
        ("a,,b * * * *", "out of range"),
        ("1, * * * *", "can't be read"),
        ("*-5 * * * *", "out of range"),
        ("0 0 31 2,4,6 *", "no such day"),
        ("@daily", "shortcut"),
        ("L * * * *", "out of range"),
    ],
)
def test_what_is_no_cron_expression(cron: str, problem: str) -> None:
    found, hint = problem_of_cron(cron)
    assert problem in found
    assert hint


HEAD = "inputs: {n: {type: integer, default: 1}}\nsteps: [{id: a, run: x}]\ntriggers:\n  - "


@pytest.mark.parametrize(
    ("trigger", "codes"),
    [
        ("{id: a, type: manual}", []),
        ("{id: a, type: incident, provider: pagerduty, secret: s, events: [incident.responder.added]}", []),
        ("{id: a, type: incident, provider: pagerduty, secret: s, events: [incident.]}", ["bad-value"]),
        ("{id: a-b_c, type: manual, inputs: {n: 3}}", []),
        ("{id: a, type: manual, inputs: {m: 3}}", ["unknown-input"]),
        ("{id: a, type: manual, inputs: {n: x}}", ["bad-input-value"]),
        ("{id: a, type: manual, secret: x}", ["unknown-key"]),
        ("{id: a, type: github, events: [push], secret: hook, if: 'trigger.ref == \"x\"'}", []),
        ("{id: a, type: github, events: [push], secret: hook, inputs: {n: '${{ trigger.payload.n }}'}}", []),
        ("{id: a, type: github, events: [push], secret: hook, inputs: {n: '${{ inputs.n }}'}}", ["root-not-available"]),
        ("{id: a, type: github, events: [push], secret: hook, if: 'secrets.x == \"\"'}", ["secrets-not-allowed"]),
        ("{id: a, type: github, events: [push], secret: hook, if: 'nonsense('}", ["expression-syntax"]),
        ("{id: a, type: github, events: [], secret: hook}", ["bad-value"]),
        ("{id: a, type: github, events: push, secret: hook}", ["wrong-type"]),
        ("{id: a, type: github, events: [push]}", ["missing-key"]),
        ("{id: a, type: gitlab, events: [push, tag_push], secret: hook, branches: [main]}", []),
        ("{id: a, type: webhook, secret: hook}", []),
        ("{id: a, type: webhook, secret: hook, scheme: none}", ["bad-value"]),
        ("{id: a, type: webhook, secret: hook, scheme: hmac}", ["missing-key"]),
        ("{id: a, type: incident, provider: pagerduty, secret: hook}", []),
        ("{id: a, type: incident, provider: opsgenie, secret: hook}", ["bad-value"]),
        ("{id: a, type: workflow, workflow: other}", []),
        ("{id: a, type: workflow, workflow: other, on: [success, Failed]}", []),
        ("{id: a, type: workflow, workflow: other, on: Running}", ["bad-value"]),
        ("{id: a, type: schedule, interval: 59s}", ["bad-schedule"]),
        ("{id: a, type: schedule, cron: '* * * * *', timezone: Mars/Base}", ["bad-timezone"]),
        ("{id: a, type: schedule, cron: '* * * * *', timezone: ../etc/passwd}", ["bad-timezone"]),
        ("{id: a, type: schedule, cron: 5}", ["wrong-type"]),
        ("{id: A, type: manual}", ["bad-id"]),
        ("{id: a}", ["missing-key"]),
        ("{type: [manual], id: a}", ["unknown-trigger-type"]),
        ("just text", ["wrong-type"]),
    ],
)
def test_one_trigger(language: Language, trigger: str, codes: list[str]) -> None:
    assert language.codes(HEAD + trigger + "\n") == codes


def test_a_required_input_must_come_from_somewhere(language: Language) -> None:
    text = "inputs: {{n: {{type: integer}}}}\nsteps: [{{id: a, run: x}}]\ntriggers:\n  - {{id: a, type: {}}}\n"
    assert language.codes(text.format("manual")) == []
    assert language.codes(text.format("schedule, interval: 1h")) == ["missing-input"]
    assert language.codes(text.format("schedule, interval: 1h, inputs: {n: 1}")) == []
