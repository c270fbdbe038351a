"""Where a run meets its form: an answer that was given before the process came is found, whatever fails meanwhile."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from prefect.client.schemas.objects import State, StateType

from prefect_wfexec.engine.approvals.forms import current_form
from prefect_wfexec.engine.approvals.gate_desk import GateDesk
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import RUN, entered, folded, gate_opened, opened, started

WORKFLOW = workflow(step("gate", uses="approval"))
STATE = folded(opened(), entered("e1"), started("gate"), gate_opened("gate"))
FORM = current_form(WORKFLOW, STATE)


class Server:
    """Prefect's API, which shows the run paused and has perhaps an answer."""

    def __init__(self, answer: str = "") -> None:
        self.answer = answer
        self.is_away = False
        self.looked_for_answer = 0

    async def read_flow_run(self, run_id: UUID) -> Any:
        if self.is_away:
            raise httpx.ConnectError("away")
        return SimpleNamespace(state=State(type=StateType.PAUSED, name="Approval Pending"))

    async def request(self, method: str, path: str, path_params: dict[str, Any]) -> httpx.Response:
        self.looked_for_answer += 1
        request = httpx.Request(method, "http://127.0.0.1/")
        response = httpx.Response(200 if self.answer else 404, text=self.answer, request=request)
        return response.raise_for_status()


@pytest.fixture
def picture() -> SimpleNamespace:
    return SimpleNamespace(shown_form="")


def desk_at(server: Server, picture: SimpleNamespace) -> GateDesk:
    parts: tuple[Any, ...] = (server, SimpleNamespace(id=UUID(RUN)), SimpleNamespace(state=STATE), picture, None)
    return GateDesk("e1", *cast("Any", parts))


async def test_an_answer_from_before_is_found_though_the_first_look_failed(picture: SimpleNamespace) -> None:
    server = Server('{"decision": "approve"}')
    desk = desk_at(server, picture)
    server.is_away = True
    await desk.look(WORKFLOW)
    assert FORM is not None
    server.is_away, picture.shown_form = False, FORM.base
    await desk.look(WORKFLOW)
    assert [answer.values for answer in desk.answers] == [{"decision": "approve"}]


async def test_a_form_that_is_shown_without_an_answer_is_asked_for_once(picture: SimpleNamespace) -> None:
    server = Server()
    desk = desk_at(server, picture)
    assert FORM is not None
    picture.shown_form = FORM.base
    for _ in range(3):
        await desk.look(WORKFLOW)
    assert (desk.answers, server.looked_for_answer) == ([], 1)
