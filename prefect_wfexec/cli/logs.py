"""`logs`: printed, followed, searched or written into a file."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from prefect_wfexec.cli.output import DONE, note, say_json_line
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.errors import UsageError
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.find import caught_up, find_run, read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.logs import Line, LineText, LogReader, require_step

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
                await _read(client, arguments, _printer(arguments))
    return DONE


async def _download(client: "PrefectClient", arguments: argparse.Namespace) -> None:
    with _opened(Path(arguments.download)) as file:
        count = await _read(client, arguments, Lines(file, only_step=arguments.step).take)
    note(f"{count} lines written to {arguments.download}")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", hint="name another file") from error


async def _read(client: "PrefectClient", arguments: argparse.Namespace, take: Callable[[Line], object]) -> int:
    flow_run = await find_run(client, arguments.run)
    journal = await read_journal(client, flow_run)
    reader = LogReader.of(client, journal)
    count, is_noted = 0, False
    while True:
        is_noted = is_noted or note_if_unchecked(journal)
        execution = await load_execution(client, flow_run, journal)
        if execution.workflow is not None:
            require_step(execution.workflow, arguments.step)
            async for line in reader.new_lines(execution.workflow, journal.state, arguments.step):
                if line.is_wanted(arguments.stream, arguments.search):
                    take(line)
                    count += not line.continued
        if not arguments.follow or execution.status.is_final or execution.lost:
            return count
        await asyncio.sleep(FOLLOW_SECONDS)
        known, journal = journal, await caught_up(client, flow_run, journal)
        if journal is not known:
            reader = LogReader.of(client, journal)  # with the right key; there was nothing to read until now
        flow_run = await client.read_flow_run(flow_run.id)


def _printer(arguments: argparse.Namespace) -> Callable[[Line], object]:
    if arguments.json:
        return lambda line: say_json_line(line.as_json())
    return Lines(sys.stdout, only_step=arguments.step, is_live=arguments.follow).take


class Lines:
    """Writes lines as text."""

    def __init__(self, file: TextIO, *, only_step: str | None, is_live: bool = False) -> None:
        self._file = file
        self._text = LineText(only_step)
        self._is_live = is_live

    def take(self, line: Line) -> None:
        """Write a line, or a piece of one."""
        self._file.write(self._text.of(line))
        if self._is_live and not line.continued:
            self._file.flush()
