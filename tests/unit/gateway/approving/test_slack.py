"""What Slack sends and is sent, as far as that needs no Slack."""

import json
from typing import Any

import pytest

from prefect_wfexec.gateway.approving.slack.answers import is_slack
from prefect_wfexec.gateway.approving.slack.forms import form_of, given_fields, needs_form
from prefect_wfexec.gateway.approving.slack.payloads import OddPayload, Press, read_payload
from prefect_wfexec.steps.slack import SlackAccess
from tests.unit.gateway.approving.support import gate

PRESS = Press("approve", "signed", "https://hooks.slack.com/actions/T/1/x", "C1", "1.2")
PRESSED = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "trigger_id": "t",
    "response_url": PRESS.response_url,
    "container": {"channel_id": "C1", "message_ts": "1.2"},
    "actions": [{"action_id": "wfexec-decide-approve", "value": "signed"}],
}


def test_a_press_and_the_form_behind_it_are_about_the_same_button() -> None:
    pressed = read_payload(json.dumps(PRESSED))
    assert pressed is not None
    assert (pressed.user, pressed.press, pressed.trigger, pressed.filled) == ("U1", PRESS, "t", None)
    view = form_of(gate(), PRESS, "Approve?")
    values = {"comment": {"given": {"value": "x"}}, "field.w": {"given": {"selected_option": {"value": "day"}}}}
    sent = read_payload(
        json.dumps({"type": "view_submission", "user": {"id": "U2"}, "view": {**view, "state": {"values": values}}})
    )
    assert sent is not None
    assert (sent.user, sent.press, sent.filled) == ("U2", PRESS, {"comment": "x", "field.w": "day"})
    assert given_fields(sent.filled or {}) == {"w": "day"}


@pytest.mark.parametrize("change", [{"type": "shortcut"}, {"actions": []}, {"actions": [{"action_id": "other"}]}])
def test_what_is_not_about_a_decision_is_passed_over(change: dict[str, Any]) -> None:
    assert read_payload(json.dumps({**PRESSED, **change})) is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "7", "{}", "[" * 100_000, '{"type": "block_actions"}', '{"type": "view_submission", "user": 1}'],
)
def test_what_can_not_be_read_is_said_so(text: str) -> None:
    with pytest.raises(OddPayload):
        read_payload(text)


def test_a_form_opens_where_a_press_does_not_say_enough() -> None:
    assert needs_form(gate(), "reject")
    assert not needs_form(gate(), "approve")
    assert needs_form(gate(fields={"f": {}}), "approve")
    assert not needs_form(gate(choices=("retry", "skip", "abort")), "abort")


def test_a_form_is_one_that_slack_takes() -> None:
    fields = {
        "few": {"type": "choice", "enum": ["a", "b"], "default": "b"},
        "long": {"type": "choice", "enum": ["x" * 76]},
        "many": {"type": "choice", "enum": [str(number) for number in range(101)]},
        "sure": {"type": "boolean", "default": False},
        "note": {"required": False, "description": "d" * 3000, "title": "t" * 3000},
    }
    view = form_of(gate(fields=fields), PRESS, "h" * 4000)
    assert len(view["title"]["text"]) <= 24
    assert json.loads(view["private_metadata"])["button"] == "signed"
    inputs = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    kinds = {name: block["element"]["type"] for name, block in inputs.items()}
    assert kinds == {
        "field.few": "static_select",
        "field.long": "plain_text_input",
        "field.many": "plain_text_input",
        "field.sure": "static_select",
        "field.note": "plain_text_input",
        "comment": "plain_text_input",
    }
    assert inputs["field.few"]["element"]["initial_option"]["value"] == "b"
    assert inputs["field.sure"]["element"]["initial_option"]["value"] == "no"
    assert [name for name, block in inputs.items() if not block["optional"]] == ["field.long", "field.many"]
    assert all(len(block["label"]["text"]) <= 2000 for block in inputs.values())
    rejecting = form_of(gate(fields=fields), Press("reject", "s", "", "", ""), "Reject?")
    assert [block["block_id"] for block in rejecting["blocks"] if not block.get("optional", True)] == ["comment"]


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://hooks.slack.com/actions/T/1/x", True),
        ("https://hooks.slack-gov.com/actions/T/1/x", True),
        ("http://hooks.slack.com/actions/T/1/x", False),
        ("https://hooks.slack.com:8443/x", False),
        ("https://slack.com.evil.example/x", False),
        ("https://evil-slack.com/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("http://169.254.169.254/latest", False),
        ("http://127.0.0.1:4200/api", False),
        ("http://127.0.0.1:9999/actions", True),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_slack_is_answered(url: str, is_one: bool) -> None:
    assert is_slack(url, SlackAccess.model_validate({"token": "t", "base_url": "http://127.0.0.1:9999/api/"})) is is_one
