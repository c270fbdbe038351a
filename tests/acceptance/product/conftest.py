"""Commands against the shared server, and the runs that several rows are shown with."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from prefect_wfexec.journal.facts import utc_now
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec, user_environment

GOOD = """
    version: 1
    name: good-one
    steps:
      - {id: own, uses: scan.script, run: 'echo "[]" > "$WFEXEC_REPORT"'}
      - id: talk
        name: Talk A Little
        run: 'echo to output; echo to errors >&2; echo "count=7" >> $WFEXEC_OUTPUT'
    outputs: {count: "${{ steps.talk.outputs.count }}"}
"""
BAD = """
    version: 1
    name: bad-one
    inputs: {code: {type: integer, default: 17}}
    steps:
      - {id: before, run: echo x >> before}
      - {id: breaks, name: Break It, run: 'echo "the disk is full" >&2; exit $CODE', env: {CODE: "${{ inputs.code }}"}}
      - {id: after, run: echo x >> after}
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended, what was printed about it, and between which moments it ran."""

    view: dict[str, Any]
    shown: str
    began: datetime
    ended: datetime

    @property
    def name(self) -> str:
        return str(self.view["name"])


@pytest.fixture(scope="module")
def wfexec(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wfexec]:
    """`wfexec` as jane, at the shared server."""
    runner = Wfexec(user_environment(server.environment, "jane"), tmp_path_factory.mktemp("product"))
    yield runner
    runner.stop_all()


@pytest.fixture(scope="module")
def good(wfexec: Wfexec) -> Ran:
    """A run that went well, with a report and an output."""
    return ran(wfexec, "good.yaml", GOOD, 0)


@pytest.fixture(scope="module")
def bad(wfexec: Wfexec) -> Ran:
    """A run whose second step failed."""
    return ran(wfexec, "bad.yaml", BAD, 1)


def ran(wfexec: Wfexec, file: str, text: str, code: int) -> Ran:
    """Run a definition to its end."""
    began = utc_now()
    view = wfexec.json("run", wfexec.write(file, text), code=code)
    return Ran(view, wfexec("show", view["name"]).out, began, utc_now())
