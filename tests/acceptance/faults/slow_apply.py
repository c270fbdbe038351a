"""An apply of three resources one after the other, slow enough to be killed in the middle, and what is left of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.processes import is_alive, processes_with, supervisors_of, wait_until
from tests.support.wfexec import Going, Wfexec

ENTER = Path(__file__).parents[2] / "support" / "enter.py"
PAUSE_SECONDS = 3.5
RESOURCES = ("one", "two", "three")

CONFIGURATION = """
resource "terraform_data" "one" {
  input = "one"
  provisioner "local-exec" { command = "sleep %(pause)s" }
}
resource "terraform_data" "two" {
  input      = "two"
  depends_on = [terraform_data.one]
  provisioner "local-exec" { command = "sleep %(pause)s" }
}
resource "terraform_data" "three" {
  input      = "three"
  depends_on = [terraform_data.two]
  provisioner "local-exec" { command = "sleep %(pause)s" }
}
output "ids" { value = [terraform_data.one.id, terraform_data.two.id, terraform_data.three.id] }
"""

DEFINITION = """
version: 1
name: slow-apply
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra}}
  - id: apply
    uses: terraform.apply
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    cleanup: {uses: terraform.destroy}
  - {id: after, run: echo after}
  - {id: tell, run: 'echo "$STATUS"', when: always, env: {STATUS: "${{ run.status }}"}}
"""


class SlowApply:
    """One run of it in a folder of its own."""

    def __init__(self, wfexec: Wfexec, folder: Path) -> None:
        self.wfexec = wfexec
        self.folder = folder
        self.infra = folder / "infra"
        self.infra.mkdir(parents=True)
        (self.infra / "main.tf").write_text(CONFIGURATION % {"pause": PAUSE_SECONDS})
        self.definition = folder / "slow.yaml"
        self.definition.write_text(DEFINITION)
        self.going: Going | None = None

    def start(self) -> Going:
        """Start it and wait until terraform applies."""
        self.going = self.wfexec.start("run", str(self.definition), "--json")
        self.going.until("terraform apply")
        return self.going

    def supervisors(self) -> list[int]:
        """The pids of the supervisors of the run's process."""
        assert self.going is not None
        return supervisors_of(self.going.process.pid)

    def wait_until_gone(self, *also: int) -> None:
        """Until no process of the run is left in the process table."""
        wait_until(lambda: not self.terraforms() and not any(is_alive(pid) for pid in also), "the end of every process")

    def terraforms(self) -> list[int]:
        """Processes that work in the configuration's folder."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if (folder / "cwd").readlink() == self.infra and is_alive(int(folder.name)):
                        found.append(int(folder.name))
                except OSError:
                    continue
        return found

    def enter(self, run: str) -> str:
        """Enter the run as a second process; the state it ends in."""
        result = subprocess.run(
            [sys.executable, str(ENTER), str(self.definition), run],
            env=self.wfexec.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.split()[-1]

    def show(self, run: str) -> dict[str, Any]:
        return self.wfexec.json("show", run)

    def check_consistency(self, run: str) -> dict[str, Any]:
        """What must hold after any kill: journal, state, process table and what the run says agree."""
        shown = self.show(run)
        audit = self.wfexec.json("audit", run)
        assert audit["verified"] and audit["keyed"], audit["faults"]
        starts = [
            (fact["data"]["step"], fact["data"]["attempt"])
            for entry in audit["entries"]
            for fact in entry["facts"]
            if fact["kind"] == "step_started"
        ]
        assert len(starts) == len(set(starts))
        assert not self.terraforms()
        assert not processes_with(str(self.infra))
        assert not (self.infra / ".terraform.tfstate.lock.info").exists()
        statuses = {step["id"]: step["status"] for step in shown["steps"]}
        is_complete = self.resources() == dict.fromkeys(RESOURCES, "ok")
        assert statuses["apply"] != "Success" or is_complete, "an apply that was cut short counts as success"
        assert self.terraform_plan() == (0 if is_complete else 2)
        if statuses["apply"] == "Failed":
            assert statuses["after"] == "Skipped"
            assert shown["status"] in {"Error", "Failed", "Termination Failed"}
        return shown

    def resources(self) -> dict[str, str]:
        """What the state holds: each resource, `ok` or `tainted`."""
        path = self.infra / "terraform.tfstate"
        if not path.exists():
            return {}
        state = json.loads(path.read_text())
        return {item["name"]: item["instances"][0].get("status", "ok") for item in state["resources"]}

    def terraform_plan(self) -> int:
        """The detailed exit code of a plan of the same code: 0 nothing to do, 2 changes."""
        terraform = shutil.which("terraform")
        if terraform is None:
            return 0 if self.resources() == dict.fromkeys(RESOURCES, "ok") else 2
        command = [terraform, "plan", "-detailed-exitcode", "-input=false", "-no-color"]
        environment = {**os.environ, "CHECKPOINT_DISABLE": "1"}
        environment.pop("TF_CLI_CONFIG_FILE", None)
        return subprocess.run(command, cwd=self.infra, env=environment, capture_output=True).returncode
