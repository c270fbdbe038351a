"""Prefect's picture of a run is as it should be at the end, also when Prefect did not take it at first."""

from typing import Any, cast

import pytest

from prefect_wfexec.engine import painter as painting
from prefect_wfexec.engine.flow_run import FlowRunPicture
from prefect_wfexec.engine.painter import Painter
from prefect_wfexec.steps.base import Artifact
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, finished, folded, opened, started


class Picture:
    """Takes nothing the first times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.pages: dict[str, str] = {}

    async def show_status(self, *_: Any) -> bool:
        return True

    async def artifact(self, key: str, markdown: str, _description: str) -> bool:
        if self.refusals:
            self.refusals -= 1
            return False
        self.pages[key] = markdown
        return True


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "AGAIN_SECONDS", 0.0)


@pytest.mark.parametrize("refusals", [0, 1, 2, 7])
async def test_the_last_page_is_written_however_often_it_was_refused(refusals: int) -> None:
    picture = Picture(refusals)
    painter = Painter(cast("FlowRunPicture", picture))
    painter.start()
    one = workflow(step("a"))
    going = (opened(), entered(), started("a"))
    painter.changed(one, folded(*going))
    await painter.caught_up()
    painter.page(Artifact("outputs", "# Outputs"))
    painter.changed(one, folded(*going, finished("a"), closed()))
    await painter.finish()
    assert picture.pages["outputs"] == "# Outputs"
    assert "Succeeded" in picture.pages["progress"]


async def test_a_picture_that_is_never_taken_keeps_no_run_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "LONGEST_GOODBYE_SECONDS", 0.05)
    picture = Picture(1_000_000_000)
    painter = Painter(cast("FlowRunPicture", picture))
    painter.start()
    painter.changed(workflow(step("a")), folded(opened(), entered()))
    await painter.finish()
    assert picture.pages == {}
