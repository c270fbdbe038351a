"""Ctrl-C and its relatives: the run is stopped in good order, nothing is left behind, the status says so."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.support.processes import is_alive, wait_until
from tests.support.wfexec import Wfexec

ENDLESS = """
    version: 1
    name: endless
    steps:
      - id: grind
        run: |
          sleep 600 & echo "child=$!"
          echo grinding
          wait
      - {id: later, run: "true"}
      - {id: sweep, when: cancelled, needs: [grind], run: "sleep 3; echo swept"}
"""
INFRASTRUCTURE = """
    resource "terraform_data" "first" {
      input = "one"
    }
    resource "terraform_data" "slow" {
      input = terraform_data.first.output
      provisioner "local-exec" {
        command = "touch begun; sleep 600"
      }
    }
"""
RECORDING_TERRAFORM = """
    #!{python}
    # Terraform, in a process group whose signals are written down.
    import pathlib, signal, subprocess, sys
    def note(number, _frame):
        with open("{record}", "a") as record:
            record.write(signal.Signals(number).name + "\\n")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    sys.exit(subprocess.Popen(["{terraform}", *sys.argv[1:]]).wait())
"""
APPLYING = """
    version: 1
    name: long-apply
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra}}
      - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
      - {id: after, run: "true"}
"""


def _child(text: str) -> int:
    return int(text.partition("child=")[2].split()[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_cancels(wfexec: Wfexec, number: signal.Signals) -> None:
    wfexec.write("endless.yaml", ENDLESS)
    going = wfexec.start("run", "endless.yaml")
    child = _child(going.until("| grinding"))
    assert is_alive(child)
    going.signal(number)
    ended = going.end()
    assert ended.code == 4, ended.err
    assert not is_alive(child)
    assert "Status:    Terminated ⊗" in ended.out
    assert "Traceback" not in ended.err
    assert "sweep | swept" in ended.out
    view = wfexec.json("show", going.run)
    assert view["status"] == "Terminated"
    statuses = [step["status"] for step in view["steps"]]
    assert statuses == ["Cancelled", "Cancelled", "Success"], view["steps"]
    assert "cancelled by jane" in view["reason"]


def test_a_waiting_gate_is_cancelled(wfexec: Wfexec) -> None:
    wfexec.write(
        "gate.yaml", "version: 1\nname: gate\nsteps:\n  - {id: ask, uses: approval}\n  - {id: go, run: 'true'}\n"
    )
    going = wfexec.start("run", "gate.yaml", "--json")
    going.until("wfexec approve")
    going.signal()
    ended = going.end()
    assert ended.code == 4
    view = ended.json()
    assert view["status"] == "Terminated" and view["gates"][0]["status"] == "cancelled"


def test_the_second_signal_leaves_the_step_to_the_supervisor(wfexec: Wfexec) -> None:
    wfexec.write(
        "stubborn.yaml",
        """
        version: 1
        name: stubborn
        steps:
          - id: hold
            run: |
              trap 'echo asked; touch asked.mark' INT
              sleep 600 & echo "child=$!"
              echo holding
              until test -e let-go.mark; do sleep 0.1 || true; done
        """,
    )
    going = wfexec.start("run", "stubborn.yaml")
    child = _child(going.until("| holding"))
    going.signal()
    wait_until((wfexec.folder / "asked.mark").exists, "the first signal")
    going.signal()
    ended = going.end()
    assert ended.code == 4
    assert "wfexec show" in ended.err
    wait_until(lambda: not is_alive(child), "the end of the step's processes")
    shown = wfexec("show", going.run)
    assert shown.code == 0
    assert "is gone" in shown.out, "a person must see that nothing goes on with this run"


@pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")
def test_an_apply_gets_one_interrupt_and_saves_its_state(wfexec: Wfexec) -> None:
    folder = Path(wfexec.folder / "applying")
    wfexec.write("applying/infra/main.tf", INFRASTRUCTURE)
    wfexec.write("applying/flow.yaml", APPLYING)
    record = folder / "signals"
    program = RECORDING_TERRAFORM.format(python=sys.executable, record=record, terraform=shutil.which("terraform"))
    recording = wfexec.write("applying/terraform", program.lstrip("\n"))
    recording.chmod(0o700)
    going = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_TERRAFORM=str(recording)).start(
        "run", "applying/flow.yaml"
    )
    wait_until((folder / "infra" / "begun").exists, "the apply")
    going.signal()
    ended = going.end()
    assert ended.code == 4, ended.out
    assert record.read_text().split() == ["SIGINT"]
    state = json.loads((folder / "infra" / "terraform.tfstate").read_text())
    assert {found["name"] for found in state["resources"]} == {"first", "slow"}
    assert not (folder / "infra" / ".terraform.tfstate.lock.info").exists()
    view = wfexec.json("show", going.run)
    assert view["status"] == "Terminated"
    assert [step["status"] for step in view["steps"]] == ["Success", "Cancelled", "Cancelled"]


def test_a_killed_process_is_told_by_show(wfexec: Wfexec) -> None:
    wfexec.write("endless.yaml", ENDLESS)
    going = wfexec.start("run", "endless.yaml")
    child = _child(going.until("| grinding"))
    assert "is gone" not in wfexec("show", going.run).out
    os.kill(going.process.pid, signal.SIGKILL)
    going.end()
    wait_until(lambda: not is_alive(child), "the end of the step's processes")
    shown = wfexec("show", going.run).out
    assert "Status:    Running" in shown
    assert f"pid {going.process.pid}" in shown and "is gone" in shown
    view = wfexec.json("show", going.run)
    assert view["status"] == "Running" and "is gone" in view["reason"]
