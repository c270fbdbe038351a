"""Decisions by the buttons in Slack: real runs, a Slack that signs and waits as Slack does."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.integration.gateway.support import ANN, BOB, GATE, OTHER_SECRET, Desk
from tests.support.processes import wait_until
from tests.support.slack_stub import SlackStub

IN_SLACK = GATE.replace("{mail: ops@example.com, block: for-links}", '{slack: "#deploys", block: for-buttons}')
QUORUM = IN_SLACK.replace("quorum: 1", "quorum: 2")
FIELDS = IN_SLACK.replace(
    "quorum: 1",
    "fields: {ticket: {title: Ticket}, window: {type: choice, enum: [day, night], default: night}}",
)


class Slack:
    """Slack as people use it, about one run."""

    def __init__(self, stub: SlackStub, desk: Desk, run: str) -> None:
        self.stub = stub
        self.url = f"{desk.gateway.url}/slack/interactions"
        wait_until(lambda: self._messages(run), "the message in Slack")
        (self.ts,) = self._messages(run)

    def _messages(self, run: str) -> list[str]:
        return [ts for ts, shown in list(self.stub.shown.items()) if run in shown["text"]]

    @property
    def text(self) -> str:
        return self.stub.shown[self.ts]["text"]

    def press(self, button: str, user: str) -> None:
        answer = self.stub.send(self.url, self.stub.pressed(self.ts, button, user))
        assert (answer.status_code, answer.content) == (200, b"")

    def told_after(self, button: str, user: str) -> str:
        """What only they see after they press a button."""
        before = len(self.stub.told)
        self.press(button, user)
        wait_until(lambda: len(self.stub.told) > before, "the words to one person")
        return self.stub.told[-1]

    def form_after(self, button: str, user: str) -> dict[str, Any]:
        """The form that opens when they press a button."""
        before = len(self.stub.views)
        self.press(button, user)
        wait_until(lambda: len(self.stub.views) > before, "the form")
        return self.stub.views[-1]

    def submit(self, view: dict[str, Any], user: str, **filled: str) -> httpx.Response:
        return self.stub.send(self.url, self.stub.submitted(view, user, **filled))

    def until(self, words: str) -> None:
        wait_until(lambda: words in self.text, f"'{words}' in Slack")


def test_a_press_decides_and_the_message_says_who(desk: Desk, slack: SlackStub) -> None:
    going = desk.start(IN_SLACK)
    here = Slack(slack, desk, going.run)
    payload = slack.pressed(here.ts, "Approve", "U0ANN")
    for _ in range(5):  # Slack, or somebody who has listened, sends the same again
        assert slack.send(here.url, payload).status_code == 200
    here.until(f"Approved by {ANN}")
    assert going.end().code == 0
    assert "Approve" not in slack.buttons(here.ts)
    (decision,) = desk.gate(going.run)["decisions"]
    assert (decision["by"], decision["verified_by"]) == (ANN, "slack")
    assert len(desk.facts(going.run, "requested")) == 1


def test_a_rejection_asks_for_its_reason(desk: Desk, slack: SlackStub) -> None:
    going = desk.start(IN_SLACK)
    here = Slack(slack, desk, going.run)
    view = here.form_after("Reject", "U0BOB")
    refused = here.submit(view, "U0BOB", comment="  ")
    assert refused.json()["response_action"] == "errors"
    assert desk.gate(going.run)["decisions"] == []
    assert here.submit(view, "U0BOB", comment="not <!here> today").content == b""
    here.until(f"Rejected by {BOB}")
    assert going.end().code == 3
    shown = json.dumps(slack.blocks(here.ts))
    assert "not &lt;!here&gt; today" in shown
    (decision,) = desk.gate(going.run)["decisions"]
    assert (decision["by"], decision["verified_by"], decision["comment"]) == (BOB, "slack", "not <!here> today")


def test_everybody_may_press_and_the_run_says_who_counts(desk: Desk, slack: SlackStub) -> None:
    going = desk.start(QUORUM)
    here = Slack(slack, desk, going.run)
    slack.add_user("U0EVE", "eve@example.com")
    slack.add_user("U0JANE", "jane@example.com")
    slack.add_user("U0FAR", ANN, team_id="T0OTHER")
    slack.add_user("U0STRANGE", ANN, team_id="T0OTHER", is_stranger=True)
    slack.add_user("U0BARE", "")
    slack.add_user("U0NEW", ANN, is_email_confirmed=False)
    slack.add_user("U0GONE", ANN, deleted=True)
    assert "you are eve@example.com" in here.told_after("Approve", "U0EVE")
    assert "who started the run may not approve it" in here.told_after("Approve", "U0JANE")
    for stranger in ("U0FAR", "U0STRANGE"):
        assert "another Slack workspace" in here.told_after("Approve", stranger)
    for unknown in ("U0BARE", "U0NEW"):
        assert "no confirmed mail address" in here.told_after("Approve", unknown)
    assert "no person" in here.told_after("Approve", "U0GONE")
    assert "user_not_found" in here.told_after("Approve", "U0NOBODY")
    assert desk.gate(going.run)["decisions"] == []

    here.press("Approve", "U0ANN")
    here.until(f"1 of 2 approved by {ANN}")
    assert "Approve" in slack.buttons(here.ts), "another person has to decide yet"
    here.press("Approve", "U0BOB")
    here.until(f"Approved by {ANN}, {BOB}")
    assert going.end().code == 0
    assert "Approve" not in slack.buttons(here.ts)


def test_fields_are_asked_for_in_a_form(desk: Desk, slack: SlackStub) -> None:
    going = desk.start(FIELDS)
    here = Slack(slack, desk, going.run)
    view = here.form_after("Approve", "U0ANN")
    assert [block["label"]["text"] for block in view["blocks"] if block["type"] == "input"] == [
        "Ticket",
        "window",
        "Comment",
    ]
    assert here.submit(view, "U0ANN", field_ticket="OPS-7", comment="go").content == b""
    here.until(f"Approved by {ANN}")
    assert going.end().code == 0
    (decided,) = desk.facts(going.run, "decided")
    assert decided["data"]["fields"] == {"ticket": "OPS-7", "window": "night"}


def test_a_button_of_an_earlier_gate_decides_nothing(desk: Desk, slack: SlackStub) -> None:
    going = desk.start(IN_SLACK)
    run = going.run
    here = Slack(slack, desk, run)
    old = slack.pressed(here.ts, "Approve", "U0ANN")
    here.submit(here.form_after("Reject", "U0BOB"), "U0BOB", comment="not yet")
    assert going.end().code == 3
    before = len(slack.told)
    assert slack.send(here.url, old).status_code == 200
    wait_until(lambda: len(slack.told) > before, "the words to one person")
    assert f"nothing left to decide. Rejected by {BOB}" in slack.told[-1]
    again = desk.wfexec.start("retry", run, "--json")
    again.until("Run wfr_")
    wait_until(lambda: desk.gate(run)["generation"] == 2, "the gate to open again")
    before = len(slack.told)
    assert slack.send(here.url, old).status_code == 200
    wait_until(lambda: len(slack.told) > before, "the words to one person")
    assert "This button opens nothing" in slack.told[-1]
    assert desk.gate(run)["decisions"] == []
    desk.wfexec("cancel", run)
    again.end()


@pytest.fixture(scope="module")
def here(desk: Desk, slack: SlackStub) -> Slack:
    """A message that nobody decides by."""
    return Slack(slack, desk, desk.start(IN_SLACK).run)


@pytest.mark.parametrize("at", [-301, 302])
def test_what_is_stale_or_comes_from_the_future_is_refused(here: Slack, slack: SlackStub, at: int) -> None:
    payload = slack.pressed(here.ts, "Approve", "U0ANN")
    assert slack.send(here.url, payload, at=time.time() + at).status_code == 401


def test_what_slack_has_not_signed_is_refused(here: Slack, slack: SlackStub) -> None:
    body, headers = slack.signed(slack.pressed(here.ts, "Approve", "U0ANN"))
    signature, stamp = headers["X-Slack-Signature"], headers["X-Slack-Request-Timestamp"]
    for odd in (
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": signature[:-1]},
        {"X-Slack-Signature": signature.upper()},
        {"X-Slack-Signature": signature.encode() + b"\xe9"},
        {"X-Slack-Request-Timestamp": "now"},
        {"X-Slack-Request-Timestamp": f"{int(stamp) - 1}"},
        {"X-Slack-Request-Timestamp": "9" * 5000},
        {"X-Slack-Request-Timestamp": "nan"},
    ):
        sent: Any = {**headers, **odd}
        assert httpx.post(here.url, content=body, headers=sent, trust_env=False).status_code == 401, odd
    for missing in ("X-Slack-Signature", "X-Slack-Request-Timestamp"):
        less = {name: value for name, value in headers.items() if name != missing}
        assert httpx.post(here.url, content=body, headers=less, trust_env=False).status_code == 401
    assert httpx.post(here.url, content=body + b"&a=b", headers=headers, trust_env=False).status_code == 401
    assert httpx.post(here.url, content=b"\xff\xfe", headers=headers, trust_env=False).status_code == 401
    assert slack.send(here.url, {}, secret="another app's").status_code == 401
    assert here.text.startswith("Approval wanted")


def test_what_slack_signs_and_means_nothing_here_is_acknowledged_or_refused(here: Slack, slack: SlackStub) -> None:
    pressed = slack.pressed(here.ts, "Approve", "U0ANN")
    other = {**pressed, "actions": [{"action_id": "wfexec-open-view-plan", "value": "x"}]}
    for payload in (other, {"type": "view_closed"}, {"type": "shortcut"}, {**pressed, "actions": []}):
        assert slack.send(here.url, payload).status_code == 200
    for broken in ({}, {"type": "block_actions"}, {**pressed, "user": 7}, {**pressed, "actions": "x"}):
        assert slack.send(here.url, broken).status_code == 400
    forged = {**pressed, "actions": [{"action_id": "wfexec-decide-approve", "value": "forged"}]}
    before = len(slack.told)
    assert slack.send(here.url, forged).status_code == 200
    wait_until(lambda: len(slack.told) > before, "the words to one person")
    assert "This button opens nothing" in slack.told[-1]
    form = {"content-type": "application/x-www-form-urlencoded"}
    large = b"payload=" + b"x" * 2**20
    assert httpx.post(here.url, content=large, headers=form, trust_env=False).status_code == 413
    assert httpx.post(here.url, json={}, trust_env=False).status_code == 415
    assert here.text.startswith("Approval wanted")


def test_another_app_decides_nothing_by_this_ones_buttons(here: Slack, slack: SlackStub) -> None:
    before = len(slack.told)
    pressed = slack.pressed(here.ts, "Approve", "U0ANN")
    assert slack.send(here.url, pressed, secret=OTHER_SECRET).status_code == 200
    wait_until(lambda: len(slack.told) > before, "the words to one person")
    assert "This button opens nothing" in slack.told[-1]
    assert here.text.startswith("Approval wanted")
