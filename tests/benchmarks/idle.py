"""Waiting until the server has worked off what came before: events are recorded after the flow has ended."""

import os
import time
from pathlib import Path

from tests.support.server import PrefectServer

IDLE_SHARE = 0.15
WINDOW_SECONDS = 1.0
LONGEST_SECONDS = 300.0


def wait_until_idle(server: PrefectServer) -> None:
    """Until the server has used little processor time for a while; not for ever, on a machine that is never idle."""
    process = server._process
    assert process is not None, "the server runs"
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        before = _cpu_seconds(process.pid)
        time.sleep(WINDOW_SECONDS)
        if _cpu_seconds(process.pid) - before < IDLE_SHARE * WINDOW_SECONDS:
            return


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
