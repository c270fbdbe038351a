"""What messages about a gate say."""

import json
from dataclasses import replace
from typing import Any

from prefect_wfexec.engine.notices.about import About
from prefect_wfexec.engine.notices.texts import MOST_RESOURCES, mail_message, slack_message
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.journal.state import Decision, Gate
from tests.unit.journal.support import at

GATE = Gate("gate", 1, at(0), "Apply <b>this</b>\x1b[31m & that?", "abcdef" * 10, approvers=("ann",), is_governed=True)
PLANNED = {"summary": "1 to add", "resources": [{"action": "create", "address": 'a["`x`"]'}]}


def about(gate: Gate = GATE, **more: Any) -> About:
    given = {"title": "The Gate", "workflow": "flow", "run": "wfr_a", "run_url": "http://ui/runs/flow-run/1"}
    return About(gate=gate, **(given | more))


def test_slack_gets_no_markup_of_others() -> None:
    text, blocks = slack_message("asked", about(planned=PLANNED, plan_url="http://ui/artifacts/key/p"))
    shown = json.dumps(blocks)
    assert text == "Approval wanted: flow: The Gate (wfr_a)"
    assert "Apply &lt;b&gt;this&lt;/b&gt; &amp; that?" in shown
    assert "`x`" not in shown
    buttons = next(block for block in blocks if block["type"] == "actions")["elements"]
    assert [button["text"]["text"] for button in buttons] == ["Approve", "Reject", "View plan"]
    assert len({button["action_id"] for button in buttons}) == 3


def test_a_long_plan_is_cut() -> None:
    rows = [{"action": "delete", "address": f"r{number}"} for number in range(MOST_RESOURCES + 3)]
    _, blocks = slack_message("asked", about(planned={"summary": "s", "resources": rows}))
    assert "… 3 more" in json.dumps(blocks, ensure_ascii=False)
    _, long = slack_message("asked", about(replace(GATE, message="x" * 9000)))
    assert all(len(block["text"]["text"]) <= 3000 for block in long if block["type"] == "section")


def test_a_decided_gate_has_no_buttons_and_says_who() -> None:
    decision = Decision("approve", Actor("ann", "code"), "fine <by> me", at(5))
    gate = replace(GATE, decisions=(decision,), outcome="approved")
    text, blocks = slack_message("changed", about(gate))
    assert text == "Approved by ann: flow: The Gate (wfr_a)"
    assert not any(block["type"] == "actions" for block in blocks)
    assert "ann: fine &lt;by&gt; me" in json.dumps(blocks)


def test_a_mail_holds_only_its_readers_codes() -> None:
    subject, text = mail_message("asked", about(codes={"approve": "AAAA-BBBB-CCCC", "reject": "DDDD-EEEE-FFFF"}))
    assert subject == "Approval wanted: flow: The Gate (wfr_a)"
    assert "approve:  AAAA-BBBB-CCCC" in text
    assert "\x1b" not in text
    assert "--code" in text
    _, other = mail_message("asked", about())
    assert "codes" not in other
    assert "Who may decide: ann." in other


def test_a_subject_is_one_line() -> None:
    subject, _ = mail_message("asked", about(title="two\nlines\rBcc: x@example.com"))
    assert "\n" not in subject
    assert "\r" not in subject


def test_a_mail_has_its_readers_link() -> None:
    _, text = mail_message("asked", about(link="https://d.example.com/approve/abc"))
    assert "\n  https://d.example.com/approve/abc\n" in text
    assert "approve/abc" not in mail_message("asked", about())[1]


def test_buttons_decide_where_slack_can_tell_the_gateway() -> None:
    _, blocks = slack_message("asked", about(button="signed", plan_url="http://ui/artifacts/key/p"))
    approve, reject, plan = next(block for block in blocks if block["type"] == "actions")["elements"]
    assert (approve["action_id"], reject["action_id"]) == ("wfexec-decide-approve", "wfexec-decide-reject")
    assert approve["value"] == reject["value"] == "signed"
    assert "url" not in approve
    assert "confirm" in approve
    assert plan["url"] == "http://ui/artifacts/key/p"


def test_a_step_that_failed_has_a_button_for_each_choice() -> None:
    gate = replace(GATE, choices=("retry", "skip", "abort"))
    _, blocks = slack_message("asked", about(gate, button="signed"))
    buttons = next(block for block in blocks if block["type"] == "actions")["elements"]
    assert [button["text"]["text"] for button in buttons] == ["Retry", "Skip", "Abort"]
    assert [button.get("style") for button in buttons] == ["primary", None, "danger"]


def test_a_note_is_shown_without_markup() -> None:
    _, blocks = slack_message("asked", about(note="<!channel> ann is on it"))
    assert "&lt;!channel&gt; ann is on it" in json.dumps(blocks)
