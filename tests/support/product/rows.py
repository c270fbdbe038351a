"""The rows of the product's tables, read from rows.yaml."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SURFACES = {"prefect": "Prefect's UI", "console": "Console", "cli": "Command line", "api": "API"}
"""Where a row may be found: by the word a test is marked with, what the document calls it."""
_FILE = Path(__file__).with_name("rows.yaml")
_KEYS = {"id", "row", "at", "noop", "note"}


@dataclass(frozen=True, slots=True)
class Noop:
    """What takes a row's feature away: one text in one file, replaced by another.

    Attributes:
        file: The file, below the project's folder.
        old: Stands there exactly once.
        new: Stands there instead.
        surface: Whose test has to notice.
    """

    file: str
    old: str
    new: str
    surface: str

    def apply(self, root: Path) -> None:
        """Change the file below another folder."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.file} has the text {found} times: {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        id: What tests are marked with.
        row: What the product calls it.
        at: Where it is found, in words, by surface.
        noop: What takes it away.
        note: Where and why it is not as the product's pages say; empty mostly.
    """

    id: str
    row: str
    at: Mapping[str, str]
    noop: Noop
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that stand together on one of the product's pages."""

    page: str
    table: str
    rows: tuple[Row, ...]


@cache
def tables() -> tuple[Table, ...]:
    """All of them, in the order of the pages."""
    found = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(Table(one["page"], one["table"], tuple(map(_row, one["rows"]))) for one in found)


@cache
def rows() -> Mapping[str, Row]:
    """All rows by their ids."""
    found: dict[str, Row] = {}
    for row in _all():
        if row.id in found:
            raise ValueError(f"two rows are called {row.id}")
        found[row.id] = row
    return found


def _all() -> Iterator[Row]:
    for table in tables():
        yield from table.rows


def _row(values: Mapping[str, Any]) -> Row:
    odd = sorted({*values} - _KEYS) + sorted({*values["at"]} - {*SURFACES})
    if odd:
        raise ValueError(f"row {values['id']} has keys nobody knows: {', '.join(odd)}")
    noop = Noop(**({"surface": "cli"} | values["noop"]))
    return Row(values["id"], values["row"], values["at"], noop, values.get("note", ""))
