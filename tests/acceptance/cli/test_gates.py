"""Deciding: from another terminal while `run` waits, with `--yes`, too late, on the wrong step, and not at all."""

import time

import pytest

from tests.support.shapes import APPROVAL, assert_execution, assert_shape
from tests.support.wfexec import Going, Wfexec

GATED = """
    version: 1
    name: drop-table
    steps:
      - {id: count, run: "echo rows=12 >> $WFEXEC_OUTPUT"}
      - id: sign_off
        uses: approval
        with:
          subject: {rows: "${{ steps.count.outputs.rows }}"}
          message: "Drop ${{ steps.count.outputs.rows }} rows?"
          expires: 1h
      - id: drop
        run: 'echo "dropped, said $BY: $WHY"'
        env: {BY: "${{ steps.sign_off.outputs.by }}", WHY: "${{ steps.sign_off.outputs.comment }}"}
"""
TWO_GATES = """
    version: 1
    name: two-gates
    steps:
      - {id: east, uses: approval, needs: [], with: {message: East?}}
      - {id: west, uses: approval, needs: [], with: {message: West?}}
      - {id: go, needs: [east, west], run: "echo gone"}
"""


def _waiting(wfexec: Wfexec, text: str, name: str) -> Going:
    wfexec.write(name, text)
    going = wfexec.start("run", name)
    going.until("wfexec approve wfr_")
    return going


@pytest.mark.shows("status.approval-pending", "approval.approve", "flow.review", "flow.comment", "flow.decide")
def test_an_approval_from_another_terminal_lets_the_run_go_on(wfexec: Wfexec, as_bob: Wfexec) -> None:
    going = _waiting(wfexec, GATED, "gated.yaml")
    inbox = [row for row in as_bob.json("approvals") if row["run"] == going.run]
    assert len(inbox) == 1
    assert_shape(inbox[0], APPROVAL)
    assert inbox[0]["step"] == "sign_off" and inbox[0]["message"] == "Drop 12 rows?" and inbox[0]["needs"] == 1
    assert going.run in as_bob("approvals").out

    waiting = as_bob.json("show", going.run)
    assert_execution(waiting)
    assert waiting["status"] == "Approval Pending" and waiting["ended"] is None
    assert {step["id"]: step["status"] for step in waiting["steps"]} == {
        "count": "Success",
        "sign_off": "Waiting",
        "drop": "Waiting",
    }
    assert [gate["status"] for gate in waiting["gates"]] == ["open"]

    decided = as_bob.json("approve", going.run, "--step", "sign_off", "--comment", "backed up")
    seen = time.monotonic()
    assert decided["outcome"] == "approved" and decided["by"] == "bob"
    ended = going.end()
    assert time.monotonic() - seen < 30
    assert ended.code == 0
    assert "drop | dropped, said bob: backed up" in ended.out
    assert "Approved by bob" in ended.out

    gate = as_bob.json("show", going.run)["gates"][0]
    assert gate["status"] == "approved"
    assert [(one["decision"], one["by"], one["comment"], one["verified_by"]) for one in gate["decisions"]] == [
        ("approve", "bob", "backed up", None)
    ]
    late = as_bob.json("reject", going.run, code=2)["error"]
    assert late["code"] == "decided" and "approved already" in late["message"] and "bob" in late["message"]
    assert going.run not in as_bob("approvals").out


@pytest.mark.shows("status.approval-rejected", "approval.reject")
def test_a_rejection_ends_the_run_with_its_comment(wfexec: Wfexec, as_bob: Wfexec) -> None:
    going = _waiting(wfexec, GATED, "gated.yaml")
    wrong = as_bob.json("approve", going.run, "--step", "drop", code=2)["error"]
    assert "no open gate 'drop'" in wrong["message"]
    assert as_bob("reject", going.run, "--comment", "not on a Friday").code == 0
    ended = going.end()
    assert ended.code == 3
    assert "Status:    Approval Rejected ✗" in ended.out
    assert "not on a Friday" in ended.out
    view = wfexec.json("show", going.run)
    assert view["status"] == "Approval Rejected"
    assert [step["status"] for step in view["steps"]] == ["Success", "Failed", "Skipped"]
    assert view["steps"][1]["error"]["message"] == "rejected by bob: not on a Friday"
    assert "not on a Friday" in view["reason"]
    row = next(row for row in wfexec.json("history") if row["name"] == going.run)
    assert row["status"] == "Approval Rejected"


def test_a_gate_that_expires_ends_the_run(wfexec: Wfexec) -> None:
    wfexec.write("expiring.yaml", GATED.replace("expires: 1h", "expires: 1s"))
    view = wfexec.json("run", "expiring.yaml", code=3)
    assert view["status"] == "Approval Rejected"
    assert view["gates"][0]["status"] == "expired" and view["gates"][0]["decisions"] == []
    assert view["steps"][1]["error"]["type"] == "expired"
    assert wfexec("approve", view["name"]).code == 2


def test_yes_approves(wfexec: Wfexec) -> None:
    wfexec.write("gated.yaml", GATED)
    view = wfexec.json("run", "gated.yaml", "--yes")
    assert view["status"] == "Succeeded"
    assert view["gates"][0]["decisions"][0]["by"] == "jane"


def test_with_two_gates_open_a_decision_names_its_step(wfexec: Wfexec, as_bob: Wfexec) -> None:
    going = _waiting(wfexec, TWO_GATES, "two.yaml")
    going.until("West Waiting")
    unclear = as_bob.json("approve", going.run, code=2)["error"]
    assert unclear["code"] == "ambiguous-gate" and "'east'" in unclear["message"] and "'west'" in unclear["message"]
    assert as_bob.json("approve", going.run, "--step", "west")["outcome"] == "approved"
    assert as_bob.json("approve", going.run)["step"] == "east"
    assert going.end().code == 0


def test_a_personal_code_is_refused_where_none_is_asked_for(wfexec: Wfexec, as_bob: Wfexec) -> None:
    going = _waiting(wfexec, GATED, "gated.yaml")
    assert as_bob("approve", going.run, "--code", "ABCD-EFGH").code == 2
    assert as_bob("reject", going.run).code == 0
    assert going.end().code == 3
