"""One command under the supervisor, from its start until nothing of it is left."""

import os
import time
from collections.abc import Callable
from typing import Any

from prefect_wfexec.runtime.supervision.processes import Process, find_process, ignores_interrupt
from prefect_wfexec.runtime.supervision.spawning import Spawned
from prefect_wfexec.runtime.supervision.stopping import GroupSignals, StopSequence
from prefect_wfexec.runtime.supervision.sweeping import GIVE_UP_SECONDS, Sweep

LOOK_SECONDS = 0.02
"""How often what is left of a command is looked at."""


class SupervisedCommand:
    """A process group, its stop and its leftovers.

    The leader's exit status is read at once but the leader stays a zombie until its group is gone: so its pid can't
    come to mean another process, and a signal to the group can't go astray.

    Attributes:
        request: What the flow process asked for.
        ended: Whether nothing of it is left.
    """

    def __init__(
        self, request: dict[str, Any], spawned: Spawned, announce: Callable[["SupervisedCommand", str], None]
    ) -> None:
        self.request = request
        self.id: str = request["id"]
        self.pid = spawned.pid
        self.pipes = {"stdout": spawned.stdout, "stderr": spawned.stderr}
        self.started_at = time.time()
        self.ended = False
        self.stopped: str | None = None
        self.exit_code: int | None = None
        self.signal: int | None = None
        process = find_process(spawned.pid)
        self.started = process.started if process else 0
        self._began = time.monotonic()
        self._exited: float | None = None
        limit = request["deadline_seconds"]
        self._deadline = float("inf") if limit is None else self._began + limit
        self._sweep: Sweep | None = None
        self._killed: float | None = None
        self._signals = GroupSignals(self.pid, may_terminate=request["terminate_seconds"] is not None)
        self._stop = StopSequence(
            request["interrupt_seconds"],
            request["terminate_seconds"],
            send=self._signals.send,
            announce=lambda number: announce(self, number.name),
        )

    @property
    def due(self) -> float:
        """When it wants to be looked at again, on the monotonic clock."""
        if self._exited is not None:
            return time.monotonic() + LOOK_SECONDS
        return min(self._deadline if self.stopped is None else float("inf"), self._stop.due)

    def stop(self, reason: str) -> None:
        """Stop it, unless it is being stopped or has ended by itself."""
        if self._exited is None and self.stopped is None and not self._see_exit():
            self.stopped = reason
            self._stop.begin(time.monotonic())

    def advance(self, left_of: Callable[[str], list[Process]]) -> None:
        """Do what is due.

        Args:
            left_of: Gives the living processes, the leader aside, that are the named command's alone.
        """
        now = time.monotonic()
        if self._exited is None and not self._see_exit():
            if now >= self._deadline:
                self.stop("timeout")
            self._stop.advance(now)
            return
        remaining = left_of(self.id)
        if self._stops_group(remaining, now):
            return
        if not remaining or self._sweeps_in_vain(remaining, now):
            os.waitpid(self.pid, 0)
            self.ended = True

    def _see_exit(self) -> bool:
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is None:
            return False
        self._exited = time.monotonic()
        if status.si_code == os.CLD_EXITED:
            self.exit_code = status.si_status
        else:
            self.signal = status.si_status
        return True

    def _stops_group(self, remaining: list[Process], now: float) -> bool:
        """Go on with a stop while there is somebody in the group: a wrapper may be gone before what it wraps."""
        group = [process for process in remaining if process.group == self.pid]
        if not group or not self._stop.has_begun:
            return False
        self._signals.leader_ended()
        if all(ignores_interrupt(process.pid) for process in group):
            self._stop.hurry(now)
        self._stop.advance(now)
        if not self._stop.has_killed:
            return True
        self._killed = self._killed or now
        return now < self._killed + GIVE_UP_SECONDS

    def _sweeps_in_vain(self, remaining: list[Process], now: float) -> bool:
        if self._sweep is None:
            self._sweep = Sweep(now, may_terminate=self.request["terminate_seconds"] is not None)
        self._sweep.advance(remaining, now)
        return self._sweep.is_hopeless(now)

    def report(self) -> dict[str, Any]:
        """How it ended, as the flow process and the outcome file are told."""
        return {
            "id": self.id,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "stopped": self.stopped,
            "signals_sent": self._stop.sent,
            "leftovers": self._sweep.stopped if self._sweep else 0,
            "duration_seconds": (self._exited or time.monotonic()) - self._began,
        }

    def close(self) -> None:
        """Close the pipes."""
        for fd in self.pipes.values():
            os.close(fd)
        self.pipes = {}
