"""Stops what a command leaves behind: a while to end by itself, SIGTERM unless it is forbidden, SIGKILL."""

import signal
from collections.abc import Iterable

from prefect_wfexec.runtime.supervision.processes import Process, signal_process

NATURAL_SECONDS = 0.3
"""How long what is left may take to end by itself: a `tee` still has to write what it read."""

TERMINATE_SECONDS = 2.0
GIVE_UP_SECONDS = 5.0
"""After SIGKILL; only another user's process, or one stuck in the kernel, is still there then."""


class Sweep:
    """One command's leftovers, seen again and again until none is left.

    Args:
        began: When the sweep began, on the monotonic clock.
        may_terminate: Whether SIGTERM may be sent before SIGKILL.
    """

    def __init__(self, began: float, *, may_terminate: bool) -> None:
        self._began = began
        self._terminates = began + NATURAL_SECONDS
        self._kills = self._terminates + (TERMINATE_SECONDS if may_terminate else 0.0)
        self._signalled: dict[tuple[int, int], int] = {}

    @property
    def stopped(self) -> int:
        """How many processes got a signal."""
        return len(self._signalled)

    def is_hopeless(self, now: float) -> bool:
        return now >= self._kills + GIVE_UP_SECONDS

    def advance(self, left: Iterable[Process], now: float) -> None:
        """Send each process that is left the signal whose time has come, once."""
        if now < self._terminates:
            return
        number = signal.SIGKILL if now >= self._kills else signal.SIGTERM
        for process in left:
            key = (process.pid, process.started)
            if self._signalled.get(key) != number:
                self._signalled[key] = number
                signal_process(process.pid, number)
