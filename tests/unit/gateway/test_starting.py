"""Starting the runs of deliveries."""

import asyncio
from typing import Any

import pytest

from prefect_wfexec.gateway import starting
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.facts import utc_now


class Silent:
    """What is deployed, as a server knows it that takes requests and answers none."""

    async def find(self, _workflow: str, _trigger: str) -> Any:
        await asyncio.Event().wait()


class PutOff:
    """A store that remembers what is tried again later."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def put_off(self, _delivery: Delivery, _until: object, reason: str) -> None:
        self.reasons.append(reason)


async def test_a_server_that_answers_nothing_holds_up_a_delivery_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "LONGEST_TRY_SECONDS", 0.01)
    nobody: Any = None
    silent: Any = Silent()
    store: Any = PutOff()
    delivery = Delivery(workflow="release", trigger="push", received=utc_now(), outcome=Outcome.ACCEPTED)
    async with asyncio.timeout(60):
        await Starter(nobody, store, silent).start(delivery)
    assert store.reasons == ["tried again soon: prefect did not answer within 0.01 seconds"]
