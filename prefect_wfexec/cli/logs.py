"""`logs`: printed, followed, searched or written into a file."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from prefect_wfexec.cli.output import DONE, note, say_json_line
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.progress import phase_title
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.find import caught_up, find_run, read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.log_search import LogSearch
from prefect_wfexec.views.logs import Line, LineText, LogReader, require_phase, require_step

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

FOLLOW_SECONDS = 1.0


async def logs(arguments: argparse.Namespace) -> int:
    """Print the log of a run, step by step."""
    async with reachable():
        async with connected() as client:
            if arguments.download:
                await _download(client, arguments)
            else:
                await _print(client, arguments)
    return DONE


async def _download(client: "PrefectClient", arguments: argparse.Namespace) -> None:
    with _opened(Path(arguments.download)) as file:
        lines = Lines(file, only_step=arguments.step)
        count = await _read(client, arguments, lines.take, lines.begin, lines.gap)
    note(f"{count} lines written to {arguments.download}")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", hint="name another file") from error


async def _print(client: "PrefectClient", arguments: argparse.Namespace) -> None:
    if arguments.json:
        await _read(client, arguments, lambda line: say_json_line(line.as_json()))
        return
    lines = Lines(sys.stdout, only_step=arguments.step, is_live=arguments.follow)
    await _read(client, arguments, lines.take, lines.begin, lines.gap)


async def _read(
    client: "PrefectClient",
    arguments: argparse.Namespace,
    take: Callable[[Line], object],
    begin: Callable[[Workflow], object] = lambda _workflow: None,
    gap: Callable[[], object] = lambda: None,
) -> int:
    """Read what is wanted of a run's log; how many lines that were.

    Args:
        client: A client that stays open.
        arguments: What is wanted.
        take: Given each line.
        begin: Told whose lines they are.
        gap: Told where lines were left out between those around two that were found.
    """
    flow_run = await find_run(client, arguments.run)
    journal = await read_journal(client, flow_run)
    reader = LogReader.of(client, journal)
    search = LogSearch(arguments.stream, arguments.search, arguments.context)
    count, is_noted = 0, False
    while True:
        is_noted = is_noted or note_if_unchecked(journal)
        execution = await load_execution(client, flow_run, journal)
        if execution.workflow is not None:
            require_step(execution.workflow, arguments.step)
            require_phase(execution.workflow, arguments.phase)
            begin(execution.workflow)
            async for line in reader.new_lines(execution.workflow, journal.state, arguments.step, arguments.phase):
                wanted = search.take(line)
                if wanted and search.has_gap and search.context:
                    gap()
                for found in wanted:
                    take(found)
                    count += not found.continued
        if not arguments.follow or execution.status.is_final or execution.lost:
            return count
        await asyncio.sleep(FOLLOW_SECONDS)
        known, journal = journal, await caught_up(client, flow_run, journal)
        if journal is not known:
            reader = LogReader.of(client, journal)  # with the right key; there was nothing to read until now
        flow_run = await client.read_flow_run(flow_run.id)


class Lines:
    """Writes lines as text; where a phase of a pipeline begins, its name stands above them."""

    def __init__(self, file: TextIO, *, only_step: str | None, is_live: bool = False) -> None:
        self._file = file
        self._text = LineText(only_step)
        self._is_live = is_live
        self._has_names = only_step is None
        self._phases: dict[str, str] = {}
        self._phase: str | None = None

    def begin(self, workflow: Workflow) -> None:
        """Lines of this workflow come now."""
        self._phases = {step.id: step.phase for step in workflow.steps if step.phase} if self._has_names else {}

    def gap(self) -> None:
        """Lines were left out here."""
        self._file.write("--\n")

    def take(self, line: Line) -> None:
        """Write a line, or a piece of one."""
        phase = self._phases.get(line.step)
        if phase is not None and phase != self._phase:
            self._file.write(f"── {phase_title(phase)} ──\n")
            self._phase = phase
        self._file.write(self._text.of(line))
        if self._is_live and not line.continued:
            self._file.flush()
