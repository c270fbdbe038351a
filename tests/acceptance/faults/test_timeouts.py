"""A slow apply that runs into its timeout, as the whole of `wfexec run` sees it."""

import json
from pathlib import Path

import pytest

from tests.acceptance.faults.slow_apply import SlowApply
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

TIMEOUT_SECONDS = 6
"""The apply takes longer than ten seconds, whatever the machine is like."""

DEFINITION = f"""
version: 1
name: timed-apply
steps:
  - {{id: plan, uses: terraform.plan, with: {{dir: infra}}}}
  - id: apply
    uses: terraform.apply
    with: {{plan: "${{{{ steps.plan.outputs.plan }}}}"}}
    timeout: {TIMEOUT_SECONDS}s
    retry: {{attempts: 3, on: [timeout]}}
  - {{id: after, run: echo after}}
"""

TRIES = """
version: 1
name: tries
steps:
  - id: slow
    run: test $WFEXEC_ATTEMPT -ge 2 || sleep 600
    timeout: 3s
    retry: {attempts: 9, on: [%s]}
"""


@pytest.fixture
def slow_apply(server: PrefectServer, tmp_path: Path) -> SlowApply:
    return SlowApply(Wfexec(server.environment, tmp_path), tmp_path / "work")


def test_an_apply_is_stopped_by_one_interrupt_and_leaves_a_state_that_can_be_used(slow_apply: SlowApply) -> None:
    slow_apply.definition.write_text(DEFINITION)
    going = slow_apply.start()
    result = going.end()
    slow_apply.wait_until_gone()
    shown = slow_apply.check_consistency(going.run)
    assert (result.code, shown["status"]) == (1, "Failed")
    apply = shown["steps"][1]
    assert (apply["status"], apply["attempt"], apply["error"]["type"]) == ("Failed", 1, "timeout")
    message = apply["error"]["message"].splitlines()
    assert message[0].startswith(f"timed out after {TIMEOUT_SECONDS} s; last output: terraform_data.")
    assert message[1].startswith("terraform apply was told to stop and did, in order; until then: ")
    assert apply["error"]["exit_code"] == 1
    log = slow_apply.wfexec("logs", going.run, "--step", "apply").out
    assert log.count("Gracefully shutting down") == 1
    assert "Two interrupts received" not in log
    state = json.loads((slow_apply.infra / "terraform.tfstate").read_text())
    assert state["resources"]


@pytest.mark.parametrize(("on", "is_tried_again"), [("timeout", True), ("exit_code", False)])
def test_a_retry_follows_a_timeout_when_it_says_so(
    server: PrefectServer, tmp_path: Path, on: str, is_tried_again: bool
) -> None:
    wfexec = Wfexec(server.environment, tmp_path)
    wfexec.write("tries.yaml", TRIES % on)
    shown = wfexec.json("run", "tries.yaml", code=0 if is_tried_again else 1)
    step = shown["steps"][0]
    assert shown["status"] == ("Succeeded" if is_tried_again else "Failed")
    assert (step["attempt"] > 1) is is_tried_again
    assert (step["error"] or {}).get("type") == (None if is_tried_again else "timeout")
