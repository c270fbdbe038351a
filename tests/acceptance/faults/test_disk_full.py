"""The disk of the machine that runs a workflow is full: its folder, its scratch space and Prefect's home."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import PrefectServer
from tests.support.small_disk import small_disk
from tests.support.wfexec import Wfexec

FILLS = """
    version: 1
    name: fills
    steps:
      - {id: before, run: echo before}
      - {id: fill, run: "test -e room || cat /dev/zero > filler"}
      - {id: after, run: 'echo "said=yes" >> $WFEXEC_OUTPUT'}
    outputs: {said: "${{ steps.after.outputs.said }}"}
"""
APPLIES = """
    version: 1
    name: applies-on-a-full-disk
    steps:
      - {id: plan, uses: terraform.plan, with: {dir: infra}}
      - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
      - {id: after, run: echo after}
"""
CONFIGURATION = """
resource "terraform_data" "made" {
  input = "what must not be forgotten"
  provisioner "local-exec" { command = "cat /dev/zero > ../filler || true" }
}
"""


@pytest.fixture
def place(server: PrefectServer, tmp_path: Path) -> Iterator[Wfexec]:
    """Commands for which all that they write to is one small disk."""
    with small_disk(tmp_path / "disk", 8) as disk:
        environment = dict(server.environment)
        for variable, name in (("HOME", "home"), ("TMPDIR", "tmp"), ("PREFECT_HOME", "prefect")):
            (disk / name).mkdir()
            environment[variable] = str(disk / name)
        (disk / "work").mkdir()
        wfexec = Wfexec(environment, disk / "work")
        yield wfexec
        wfexec.stop_all()


def test_a_script_that_finds_no_room_has_failed_and_runs_again_where_there_is(place: Wfexec) -> None:
    ended = place("run", place.write("fills.yaml", FILLS), "--json")
    assert (ended.code, ended.json()["status"]) == (1, "Failed"), ended.err
    view = place.json("show", ended.run)
    assert [step["status"] for step in view["steps"]] == ["Success", "Failed", "Skipped"]
    assert "No space left on device" in view["steps"][1]["error"]["message"]
    assert place.json("audit", ended.run)["verified"]
    (place.folder / "filler").unlink()
    place.write("room", "")
    again = place("retry", ended.run, "--json")
    assert (again.code, again.json()["status"], again.json()["outputs"]) == (0, "Succeeded", {"said": "yes"})


def test_the_last_copy_of_a_state_that_can_not_be_saved_is_kept(place: Wfexec) -> None:
    place.write("infra/main.tf", CONFIGURATION)
    ended = place("run", place.write("applies.yaml", APPLIES), "--json")
    assert ended.code == 1, ended.err
    view = place.json("show", ended.run)
    assert view["status"] in {"Failed", "Error"}
    assert [step["status"] for step in view["steps"]] == ["Success", "Failed", "Skipped"]
    message = view["steps"][1]["error"]["message"]
    assert "no space left on device" in message
    assert place.json("audit", ended.run)["verified"]
    # Nothing of it could be written here: it stands in the log, which Prefect's database holds, and in a blob.
    log = place("logs", ended.run, "--step", "apply").out
    assert "what must not be forgotten" in log and '"lineage"' in log
    blob = message.partition("it is kept, encrypted, as blob ")[2].split()[0]
    assert blob in blobs_of(place, view["id"])


def blobs_of(place: Wfexec, run_id: str) -> str:
    """The keys of what is stored with a run, as one text."""
    with httpx.Client(base_url=place.environment["PREFECT_API_URL"], timeout=60, trust_env=False) as client:
        body = {"prefix": "wfexec-blob-", "limit": 100}
        rows = client.post(f"/flow_runs/{run_id}/input/filter", json=body).json()
    return " ".join(row["key"] for row in rows)
