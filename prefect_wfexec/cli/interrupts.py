"""Ctrl-C while a run goes on: the first cancels, the second leaves the run to the supervisor."""

import asyncio
import os
import signal
from collections.abc import Sequence
from types import TracebackType

from prefect_wfexec.cli.output import CANCELLED, note
from prefect_wfexec.cli.watching import Watcher
from prefect_wfexec.journal.facts import Actor
from prefect_wfexec.operations.cancel import request_cancel


class Interrupts:
    """Handles signals while it is entered, in a running event loop."""

    def __init__(self, watcher: Watcher, signals: Sequence[signal.Signals]) -> None:
        self._watcher = watcher
        self._signals = signals
        self._count = 0
        self._cancelling: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def __enter__(self) -> "Interrupts":
        # Whoever started the process with a signal ignored, as nohup does, wants it ignored.
        self._signals = [number for number in self._signals if signal.getsignal(number) is not signal.SIG_IGN]
        self._listen()
        self._listening = asyncio.get_running_loop().create_task(self._listen_again())
        return self

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self._interrupted)

    async def _listen_again(self) -> None:
        """Prefect takes SIGTERM over when it begins a flow, and would end this process in the middle of a step."""
        await self._watcher.session.is_open.wait()
        self._listen()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)

    def _interrupted(self) -> None:
        self._count += 1
        if self._count == 1:
            note("cancelling: running steps are stopped and given the time they need; once more leaves them to it")
            self._cancelling = asyncio.get_running_loop().create_task(self._cancel())
        else:
            note("leaving: the supervisor stops what still runs; `wfexec show` tells what became of it")
            # At once, with nothing cleaned up here: the supervisor does that, and sends no second signal.
            os._exit(CANCELLED)

    async def _cancel(self) -> None:
        session = self._watcher.session
        await session.is_open.wait()
        if session.journal is not None:
            await request_cancel(session.journal, Actor(self._watcher.user))
        session.wake()
