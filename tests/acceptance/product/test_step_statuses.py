"""The seven words for a step, each with its icon, as the list of steps shows them."""

from collections.abc import Iterator

import pytest

from prefect_wfexec.status import StepStatus
from tests.support.processes import wait_until
from tests.support.wfexec import Going, Wfexec

EVERY = """
    version: 1
    name: every-status
    steps:
      - {id: good, name: Good, run: "true"}
      - {id: left, name: Left Out, if: "1 == 2", run: "true"}
      - {id: bad, name: Bad, needs: [good], run: exit 3, on_failure: continue}
      - {id: works, name: Works, needs: [bad], run: "touch works; until test -e over; do sleep 0.1; done"}
      - {id: waits, name: Waits, needs: [works], run: "true"}
      - {id: later, name: Later, needs: [waits], run: "true"}
"""


@pytest.fixture(scope="module")
def going(wfexec: Wfexec) -> Iterator[Going]:
    """A run in the middle of its steps."""
    going = wfexec.start("run", wfexec.write("every.yaml", EVERY))
    wait_until((wfexec.folder / "works").exists, "the step in the middle")
    yield going
    wfexec.write("over", "")
    going.end()


def line_of(wfexec: Wfexec, run: str, name: str) -> str:
    lines = wfexec("show", run).out.splitlines()
    return next(line for line in lines if line.partition(". ")[2].startswith(name))


def expect(wfexec: Wfexec, going: Going, step: str, name: str, status: StepStatus, icon: str) -> None:
    view = wfexec.json("show", going.run)
    assert {one["id"]: one["status"] for one in view["steps"]}[step] == status.value
    assert f" {icon} " in f"{line_of(wfexec, going.run, name)} "


@pytest.mark.shows("step.pending")
def test_pending(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "later", "Later", StepStatus.PENDING, "○")


@pytest.mark.shows("step.waiting")
def test_waiting(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "waits", "Waits", StepStatus.WAITING, "⏳")


@pytest.mark.shows("step.running")
def test_running(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "works", "Works", StepStatus.RUNNING, "▶")


@pytest.mark.shows("step.success")
def test_success(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "good", "Good", StepStatus.SUCCESS, "✓")


@pytest.mark.shows("step.failed")
def test_failed(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "bad", "Bad", StepStatus.FAILED, "✗")


@pytest.mark.shows("step.skipped")
def test_skipped(wfexec: Wfexec, going: Going) -> None:
    expect(wfexec, going, "left", "Left Out", StepStatus.SKIPPED, "⊘")


@pytest.mark.shows("step.cancelled")
def test_cancelled(wfexec: Wfexec) -> None:
    going = wfexec.start("run", wfexec.write("stopped.yaml", EVERY.replace("touch works; ", "touch stops; ")))
    wait_until((wfexec.folder / "stops").exists, "the step in the middle")
    wfexec("cancel", going.run)
    assert going.end().code == 4
    expect(wfexec, going, "works", "Works", StepStatus.CANCELLED, "⊗")
