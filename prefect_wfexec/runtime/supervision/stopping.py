"""How a process group is stopped: one SIGINT, a wait, SIGTERM unless it is forbidden, a wait, SIGKILL."""

import signal
from collections.abc import Callable, Iterable

from prefect_wfexec.runtime.supervision.processes import (
    Process,
    find_process,
    interrupt_members,
    signal_group,
    signal_process,
)


class GroupSignals:
    """Sends the signals of one stop to a process group.

    Args:
        group: The process group.
        may_terminate: Whether SIGTERM is among the signals of this stop. Where it is not, a second SIGINT would do as
            much harm, and each process gets its one by itself.
    """

    def __init__(self, group: int, *, may_terminate: bool) -> None:
        self._group = group
        self._may_terminate = may_terminate
        self._passed_over: list[Process] = []

    def send(self, number: signal.Signals) -> None:
        """Send one signal."""
        if number is signal.SIGINT and not self._may_terminate:
            self._passed_over = interrupt_members(self._group)
        else:
            signal_group(self._group, number)

    def leader_ended(self) -> None:
        """Nobody is left to stop those that were passed over: they get their SIGINT now."""
        passed_over, self._passed_over = self._passed_over, []
        for process in passed_over:
            if (found := find_process(process.pid)) and found.started == process.started:
                signal_process(process.pid, signal.SIGINT)


class StopSequence:
    """The signals of one stop and when they are due; each is sent at most once, in order, whatever is asked.

    Args:
        interrupt_seconds: How long the group has after SIGINT.
        terminate_seconds: How long it has after SIGTERM; None: SIGTERM is never sent.
        send: Sends one signal to the group.
        announce: Told of a signal before it is sent, so that who takes over never sends it a second time.
    """

    def __init__(
        self,
        interrupt_seconds: float,
        terminate_seconds: float | None,
        send: Callable[[signal.Signals], None],
        announce: Callable[[signal.Signals], None] = lambda number: None,
    ) -> None:
        self._steps = [(signal.SIGINT, interrupt_seconds)]
        if terminate_seconds is not None:
            self._steps.append((signal.SIGTERM, terminate_seconds))
        self._steps.append((signal.SIGKILL, float("inf")))
        self._send = send
        self._announce = announce
        self.due = float("inf")
        self.sent: list[str] = []

    @property
    def has_begun(self) -> bool:
        return self.due != float("inf") or not self._steps

    @property
    def has_killed(self) -> bool:
        return not self._steps

    def begin(self, now: float) -> bool:
        """Send SIGINT, unless the stop has begun already; True when this call began it."""
        if self.has_begun:
            return False
        self._next(now)
        return True

    def continue_from(self, sent: Iterable[str], since: float) -> None:
        """Take over a stop that another process began at `since`: nothing it sent is sent again."""
        self.sent = list(sent)
        wait = 0.0
        names = set(self.sent) | {"SIGINT"}
        while self._steps and self._steps[0][0].name in names:
            wait = self._steps.pop(0)[1]
        self.due = since + wait

    def advance(self, now: float) -> None:
        """Send the next signal if its time has come."""
        if self._steps and now >= self.due:
            self._next(now)

    def hurry(self, now: float) -> None:
        """Don't wait for an answer to SIGINT: nobody who is left hears it."""
        if self.sent == ["SIGINT"]:
            self.due = min(self.due, now)

    def _next(self, now: float) -> None:
        number, wait = self._steps.pop(0)
        self.due = now + wait
        self.sent.append(number.name)
        self._announce(number)
        self._send(number)
