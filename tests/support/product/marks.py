"""A pytest plugin: which tests show which rows, and, when asked to, the document of those that ran and passed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.product.document import Shown, document
from tests.support.product.rows import SURFACES, rows

OPTION = "--coverage-document"
_PROPERTY = "shows"


def add_option(parser: pytest.Parser) -> None:
    """The option that has the document written."""
    parser.addoption(
        OPTION,
        type=Path,
        help="write which rows of the product's tables the tests of this run have shown: the document into a .md, else "
        "the bare list; with --collect-only, what they would show",
    )


@dataclass
class Coverage:
    """Notes what was shown by tests that passed, in this process or in its helpers."""

    path: Path
    shown: list[Shown] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._note(report.nodeid, report.user_properties)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            for item in session.items:
                self._note(item.nodeid, item.user_properties)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        text, missing = document(self.shown)
        if self.path.suffix != ".md":
            text, missing = "".join(f"{one.row} {one.surface} {one.test}\n" for one in self.shown), []
        self.path.write_text(text, encoding="utf-8")
        if missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            assert isinstance(reporter, pytest.TerminalReporter)
            for words in missing:
                reporter.write_line(f"not shown: {words}", red=True)

    def _note(self, nodeid: str, properties: list[tuple[str, object]]) -> None:
        for name, value in properties:
            if name == _PROPERTY:
                row, _, surface = str(value).partition(" ")
                self.shown.append(Shown(row, surface, nodeid.partition("[")[0]))


def note_marks(items: list[pytest.Item]) -> None:
    """Write down at each test which rows it is marked to show.

    Raises:
        pytest.UsageError: a mark names a row or a surface that there is not.
    """
    for item in items:
        item.user_properties += [(_PROPERTY, value) for value in _marked(item)]


def _marked(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("shows"):
        surface = mark.kwargs.get("on", "cli")
        for row in mark.args:
            if row not in rows() or surface not in SURFACES:
                raise pytest.UsageError(f"{item.nodeid} shows '{row}' on '{surface}', and there is no such row")
            yield f"{row} {surface}"
