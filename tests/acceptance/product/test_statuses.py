"""What a run is said to do, and how it ended: in `show` and in `history` alike."""

import os
import signal

import pytest

from tests.acceptance.product.conftest import Ran
from tests.support.processes import supervisors_of, wait_until
from tests.support.wfexec import Wfexec

HOLDS = """
    version: 1
    name: holds
    concurrency: {key: product/holds}
    steps:
      - {id: wait, run: "touch waiting; until test -e go; do sleep 0.1; done"}
"""
STUBBORN = """
    version: 1
    name: stubborn
    steps:
      - {id: dig, run: "trap '' INT TERM; touch digging; until test -e enough; do sleep 0.1; done"}
      - {id: fill, run: echo filled}
"""


def status_of(wfexec: Wfexec, run: str) -> str:
    """The status of a run, which `show` and `history` agree on."""
    view = wfexec.json("show", run)
    rows = {row["name"]: row["status"] for row in wfexec.json("history", "--workflow", view["workflow"])}
    assert rows[run] == view["status"]
    return str(view["status"])


@pytest.mark.shows("status.succeeded")
def test_succeeded(wfexec: Wfexec, good: Ran) -> None:
    assert status_of(wfexec, good.name) == "Succeeded"


@pytest.mark.shows("status.failed")
def test_failed(wfexec: Wfexec, bad: Ran) -> None:
    assert status_of(wfexec, bad.name) == "Failed"


@pytest.mark.shows("status.error")
def test_error(wfexec: Wfexec) -> None:
    going = wfexec.start("run", wfexec.write("stubborn.yaml", STUBBORN.replace("digging", "dug")))
    wait_until((wfexec.folder / "dug").exists, "the first step")
    for pid in supervisors_of(going.process.pid):
        os.kill(pid, signal.SIGKILL)
    assert going.end().code == 1
    assert status_of(wfexec, going.run) == "Error"


@pytest.mark.shows("status.pending", "status.running")
def test_running_and_pending(wfexec: Wfexec) -> None:
    path = wfexec.write("holds.yaml", HOLDS)
    first = wfexec.start("run", path)
    wait_until((wfexec.folder / "waiting").exists, "the first step")
    second = wfexec.start("run", path)
    second.until("waits for lock 'product/holds'")
    assert status_of(wfexec, first.run) == "Running"
    assert status_of(wfexec, second.run) == "Pending"
    wfexec.write("go", "")
    assert (first.end().code, second.end().code) == (0, 0)


@pytest.mark.shows("status.terminating", "status.terminated", "terminating.states", "terminating.stops")
def test_terminating_and_terminated(wfexec: Wfexec) -> None:
    going = wfexec.start("run", wfexec.write("stubborn.yaml", STUBBORN))
    wait_until((wfexec.folder / "digging").exists, "the first step")
    assert wfexec("cancel", going.run).code == 0
    assert status_of(wfexec, going.run) == "Terminating"
    wfexec.write("enough", "")
    ended = going.end()
    assert ended.code == 4
    assert status_of(wfexec, going.run) == "Terminated"
    steps = wfexec.json("show", going.run)["steps"]
    assert [step["status"] for step in steps][1] == "Cancelled"
    assert "filled" not in wfexec("logs", going.run).out
