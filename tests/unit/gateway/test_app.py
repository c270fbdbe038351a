"""The whole application, as it is served: nothing answers without a sign-in but what is listed."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.app import create_app
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.signin.guard import OPEN_PATHS
from prefect_wfexec.settings import KEEP_DELIVERIES, LARGEST_DELIVERY, TOKENS_FILE
from tests.support.signin import KEYS, URL, access_of, answering_without_sign_in, browser, every_route

NOBODY: Any = None


def made() -> FastAPI:
    database = sa.URL.create("sqlite+aiosqlite", database=":memory:")
    return create_app(NOBODY, database, URL, lambda _words: None)


async def test_nothing_answers_without_a_sign_in_but_what_is_listed() -> None:
    app = made()
    app.state.services = Services(NOBODY, KEYS, URL, access_of({}))
    assert await answering_without_sign_in(app, but=OPEN_PATHS) == set()
    paths = {path for _method, path in every_route(app)}
    assert {"/hooks/{workflow}/{trigger}", "/approve/{token}", "/api/v1/deliveries", "/api/v1/analytics"} <= paths


async def test_people_are_told_when_prefect_was_not_reached_yet() -> None:
    async with browser(made()) as client:
        answer = await client.get("/api/v1/executions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unreachable")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (LARGEST_DELIVERY, "26MiB"),
        (LARGEST_DELIVERY, "much"),
        (KEEP_DELIVERIES, "6d"),
        (KEEP_DELIVERIES, "long"),
        (TOKENS_FILE, "/nowhere/tokens.yaml"),
    ],
)
def test_a_setting_without_use_is_told_before_anything_is_served(
    setting: Any, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(setting.variable, value)
    with pytest.raises(UsageError):
        made()
