"""docs/coverage.md: every row, where it is found, and the tests that showed it there. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.support.product.rows import SURFACES, Row, tables

_HEAD = """\
# Coverage

Made by `just coverage` from the tests that ran and passed; do not edit it by hand.

Each row of what the product promises, where it is found, and the test that shows it there: a place with a ✓ has one of
its own. Tests stand below each table, by row. `python -m tests.support.product.trial` takes features of rows drawn at
random away, and sees to it that the row's test fails then.
"""


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """That a test showed a row somewhere."""

    row: str
    surface: str
    test: str


def document(shown: Iterable[Shown]) -> tuple[str, list[str]]:
    """The document, and what no test showed: rows, and the places where their features are tried away."""
    by_row: dict[str, list[Shown]] = {}
    for one in sorted(set(shown)):
        by_row.setdefault(one.row, []).append(one)
    lines = [_HEAD]
    missing: list[str] = []
    page = ""
    for table in tables():
        if table.page != page:
            page = table.page
            lines += [f"## {page}", ""]
        lines += [f"### {table.table}", "", *_table(table.rows, by_row), ""]
        lines += [*_tests(table.rows, by_row), ""]
        missing += [words for row in table.rows for words in _missing(row, by_row.get(row.id, []))]
    return "\n".join([*lines, *_deviations()]), missing


def _table(rows: Iterable[Row], by_row: dict[str, list[Shown]]) -> Iterator[str]:
    yield f"| Row | {' | '.join(SURFACES.values())} |"
    yield f"| --- | {' | '.join('---' for _ in SURFACES)} |"
    for row in rows:
        surfaces = {one.surface for one in by_row.get(row.id, [])}
        cells = [_cell(row.at.get(name, ""), is_shown=name in surfaces) for name in SURFACES]
        mark = " (see below)" if row.note else ""
        yield f"| {row.row}{mark} | {' | '.join(cells)} |"


def _cell(words: str, *, is_shown: bool) -> str:
    return f"{'✓ ' if is_shown else ''}{words or '-'}"


def _tests(rows: Iterable[Row], by_row: dict[str, list[Shown]]) -> Iterator[str]:
    for row in rows:
        found = by_row.get(row.id, [])
        yield f"- {row.row}: " + ("; ".join(map(_link, found)) if found else "**no test**")


def _link(shown: Shown) -> str:
    file, _, test = shown.test.partition("::")
    words = test.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"[{words}](../{file}) ({SURFACES[shown.surface]})"


def _missing(row: Row, found: Iterable[Shown]) -> Iterator[str]:
    surfaces = {one.surface for one in found}
    if not surfaces:
        yield f"{row.id}: {row.row}"
    elif row.noop.surface not in surfaces:
        yield f"{row.id}: {row.row}, on {SURFACES[row.noop.surface]}, where it is tried away"
    for surface in sorted(surfaces - {*row.at}):
        yield f"{row.id}: {row.row} is shown on {SURFACES[surface]}, and its row does not say that it is there"


def _deviations() -> Iterator[str]:
    yield "## Where it is not as the product's pages say"
    yield ""
    for table in tables():
        for row in table.rows:
            if row.note:
                yield f"- **{row.row}** ({table.table}): {row.note}"
    yield ""
