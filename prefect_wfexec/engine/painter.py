"""Keeps Prefect's picture of a run up to date in the background, so that no step waits for it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.approvals.forms import current_form
from prefect_wfexec.engine.flow_run import REPORTS_LABEL, FlowRunPicture
from prefect_wfexec.engine.progress import run_status
from prefect_wfexec.engine.progress_page import progress_markdown
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.steps.base import Artifact

PROGRESS_EVERY_SECONDS = 2.0
PROGRESS_REST = 400.0
"""The page of a long run takes a while to make: the painter rests this many times as long after it."""
AGAIN_SECONDS = 1.0
"""How long until pages that could not be written are tried again when the run is over."""
MOST_TRIES = 10
"""How often they are tried then: a page that Prefect takes never must not hold up the end of every run."""
LONGEST_GOODBYE_SECONDS = 30.0


class Painter:
    """Writes states and pages in order, and the progress page at most every two seconds.

    Args:
        picture: What Prefect shows of the run.
        console: The run's page in the console; empty when nobody says where that is.
    """

    def __init__(self, picture: FlowRunPicture, console: str = "") -> None:
        self._picture = picture
        self._console = console
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._latest: tuple[Workflow, ExecutionState] | None = None
        self._painted: ExecutionState | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_shown = True
        self._pages: dict[str, Artifact] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    def changed(self, workflow: Workflow, state: ExecutionState) -> None:
        """The run moved on."""
        self._latest = (workflow, state)
        self._jobs.put_nowait(self._show_status)

    def again(self) -> None:
        """Somebody else has set the run's state: show ours again."""
        self._picture.forget_status()
        self._jobs.put_nowait(self._show_status)

    def stop_showing(self) -> None:
        """The run is another process's now, and so is how Prefect shows it."""
        self._latest = None
        self._is_shown = True

    async def caught_up(self) -> None:
        """Until everything asked for so far is written."""
        done = asyncio.Event()

        async def mark() -> None:
            done.set()

        self._jobs.put_nowait(mark)
        await done.wait()

    async def _show_status(self) -> None:
        if self._latest is not None:
            workflow, state = self._latest
            self._is_shown = await self._picture.show_status(run_status(state), current_form(workflow, state))

    def page(self, page: Artifact) -> None:
        """Show a page; one that can't be written now is tried again."""
        self._pages[page.key] = page
        self._jobs.put_nowait(self._write_pages)

    def count_reports(self, count: int) -> None:
        """Show in lists how many reports the run has."""
        self._jobs.put_nowait(lambda: self._picture.label({REPORTS_LABEL: count}))

    def job(self, make: Callable[[], Awaitable[None]]) -> None:
        self._jobs.put_nowait(make)

    async def finish(self) -> None:
        """Write what is still to be written, within a bound: a picture never keeps a run from ending."""
        if self._task is None:
            return
        self._jobs.put_nowait(None)
        task, self._task = self._task, None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, LONGEST_GOODBYE_SECONDS)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        next_progress = loop.time()
        while True:
            is_behind = self._is_stale or self._pages or not self._is_shown
            wait = max(0.0, next_progress - loop.time()) if is_behind else None
            try:
                job = await asyncio.wait_for(self._jobs.get(), wait)
            except TimeoutError:
                started = time.thread_time()
                if not self._is_shown:
                    await self._show_status()
                await self._write_pages()
                await self._paint_progress()
                spent = time.thread_time() - started
                next_progress = loop.time() + max(PROGRESS_EVERY_SECONDS, PROGRESS_REST * spent)
                continue
            if job is None:
                break
            await job()
        await self._complete()

    @property
    def _is_stale(self) -> bool:
        return self._latest is not None and self._latest[1] is not self._painted

    async def _complete(self) -> None:
        """Write what is left, until nothing is or Prefect has refused it often enough."""
        for _ in range(MOST_TRIES):
            await self._write_pages()
            await self._paint_progress()
            if not self._pages and not self._is_stale:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _write_pages(self) -> None:
        for key, page in list(self._pages.items()):
            if await self._picture.artifact(page.key, page.markdown, page.description) and self._pages[key] is page:
                del self._pages[key]

    async def _paint_progress(self) -> None:
        if self._latest is None or not self._is_stale:
            return
        workflow, state = self._latest
        page = progress_markdown(workflow, state, self._console)
        if await self._picture.artifact("progress", page, "How far the run is"):
            self._painted = state
