"""A gateway that sets right what no process does any more."""

import os
import signal
from pathlib import Path

import httpx

from tests.support.gateway import Gateway, until
from tests.support.processes import is_alive, wait_until
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment

SLEEPS = """
    version: 1
    name: left-behind
    steps:
      - {id: sleep, run: "touch asleep; sleep 600"}
"""


def reconcilers(parent: int) -> list[int]:
    """The pids of `reconcile` processes that a gateway has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"reconcile" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_run_that_nobody_goes_on_with_is_shown_as_ended(server: PrefectServer, tmp_path: Path) -> None:
    wfexec = Wfexec(user_environment(server.environment, "jane"), tmp_path)
    wfexec.write("sleeps.yaml", SLEEPS)
    gateway = Gateway(server.environment, tmp_path, "--reconcile")
    gateway.start()
    try:
        wait_until(lambda: reconcilers(gateway.pid), "reconcile beside the gateway")
        going = wfexec.start("run", "sleeps.yaml")
        wait_until((tmp_path / "asleep").exists, "the step")
        going.signal(signal.SIGKILL)
        going.end()
        run = wfexec.json("show", going.run)["id"]
        until(lambda: httpx.get(f"{server.url}/flow_runs/{run}", timeout=60).json()["state"]["type"] == "CRASHED")
        (pid,) = reconcilers(gateway.pid)
        gateway.stop()
        assert not is_alive(pid)
    finally:
        wfexec.stop_all()
        gateway.kill()


def test_it_does_not_outlive_a_gateway_that_was_killed(server: PrefectServer, tmp_path: Path) -> None:
    gateway = Gateway(server.environment, tmp_path, "--reconcile")
    gateway.start()
    wait_until(lambda: reconcilers(gateway.pid), "reconcile beside the gateway")
    (pid,) = reconcilers(gateway.pid)
    gateway.kill()
    try:
        wait_until(lambda: not is_alive(pid), "its end")
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
