"""`reports`: listed, or written into a folder."""

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_wfexec.cli.lists import table
from prefect_wfexec.cli.output import DONE, note, say_json
from prefect_wfexec.cli.signatures import note_if_unchecked
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.views.find import find_run, read_journal
from prefect_wfexec.views.load import load_execution
from prefect_wfexec.views.reports import read_report

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from prefect_wfexec.journal.journal import Journal

_ODD = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


async def reports(arguments: argparse.Namespace) -> int:
    """List the reports of a run's steps, or write each into a file."""
    async with reachable():
        async with connected() as client:
            flow_run = await find_run(client, arguments.run)
            journal = await read_journal(client, flow_run)
            note_if_unchecked(journal)
            rows = (await load_execution(client, flow_run, journal)).reports_json()
            if arguments.download is not None:
                await _download(client, journal, rows, Path(arguments.download))
    if arguments.json:
        say_json(rows)
    elif arguments.download is None:
        table(
            ("Step", "Report", "Kind", "Size"), [(row["step"], row["name"], row["kind"], row["size"]) for row in rows]
        )
    return DONE


def file_name(step: str, name: str) -> str:
    """The file that a report is written into, in whatever folder: never a path, never hidden, no option."""
    return re.sub("-{2,}", "-", _ODD.sub("-", f"{step}-{name}")).strip("-.")


async def _download(client: "PrefectClient", journal: "Journal", rows: list[dict[str, Any]], folder: Path) -> None:
    names = [file_name(row["step"], row["name"]) for row in rows]
    _refuse_to_overwrite(folder, names)
    for row, name in zip(rows, names, strict=True):
        _write(folder / name, await read_report(client, journal, row["step"], row["name"]))
        row["file"] = str(folder / name)
    note(f"{len(rows)} {'report' if len(rows) == 1 else 'reports'} written to {folder}")


def _refuse_to_overwrite(folder: Path, names: list[str]) -> None:
    """Before anything is written: a file that is there stays as it is."""
    there = sorted({name for name in names if os.path.lexists(folder / name) or names.count(name) > 1})
    if there:
        words = f"{join_names(there)} would be overwritten in {folder}"
        raise UsageError(words, hint="name another folder, or remove them", code="file-exists")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}", hint="name another folder") from error


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", hint="name another folder") from error
