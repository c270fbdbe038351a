"""What a person sees of a run that failed, and that what is offered there is accepted."""

import shlex
from pathlib import Path

import pytest

from tests.support.wfexec import Wfexec

MANY = """
    resource "terraform_data" "ok" {
      count = 4
    }
    resource "terraform_data" "bad" {
      for_each   = toset(["one", "two"])
      depends_on = [terraform_data.ok]
      provisioner "local-exec" { command = "echo the database said no; exit 3" }
    }
"""

DEPLOY = """
    version: 1
    name: deploy
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra}}
      - id: apply
        uses: terraform.apply
        with: {plan: "${{ steps.plan.outputs.plan }}"}
        cleanup: {uses: terraform.destroy}
        allow_skip: true
      - {id: after, run: "true"}
"""

NOISY = """
    version: 1
    name: noisy
    steps:
      - id: build
        run: for i in $(seq 400); do echo "module $i"; done; echo it does not compile >&2; exit 2
"""


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Wfexec:
    """The same commands in a folder of the test's own."""
    return Wfexec(wfexec.environment, tmp_path)


def test_an_apply_that_failed_in_some_of_many_resources(place: Wfexec) -> None:
    place.write("infra/main.tf", MANY)
    place.write("deploy.yaml", DEPLOY)
    ran = place("run", "deploy.yaml")
    assert ran.code == 1
    shown = place("show", ran.run).out
    card = shown[shown.index("Error Details") :].splitlines()
    assert card[1:3] == ["Step: Apply (apply)", "Status: Failed"]
    assert "Exit Code: 1" in card
    assert "Done Until Then: 4 added" in card
    assert '  with terraform_data.bad["one"]' in card
    assert '  with terraform_data.bad["two"]' in card
    assert sum(line.startswith("  on main.tf line ") for line in card) == 2
    assert "Last output:" not in card
    view = place.json("show", ran.run)
    assert {action["action"] for action in view["actions"]} == {
        "errors",
        "logs",
        "retry",
        "retry_from",
        "skip",
        "cleanup",
    }
    for action in view["actions"]:
        program, *arguments = shlex.split(action["command"])
        assert program == "wfexec"
        assert action["command"] in shown
        if action["action"] == "cleanup":
            continue  # it has no way to be tried first
        is_reading = action["action"] in {"errors", "logs"}
        done = place(*arguments) if is_reading else place(*arguments, "--dry-run")
        assert done.code == 0, (action, done.err)


def test_of_much_output_the_end_is_shown_once(place: Wfexec) -> None:
    place.write("noisy.yaml", NOISY)
    ran = place("run", "noisy.yaml")
    card = ran.out[ran.out.index("Error Details") :].splitlines()
    assert card.count("  it does not compile") == 1
    assert "  module 400" in card
    assert len(card) < 30
