"""Whatever is sent to the API: no fault of ours, and answers as the OpenAPI document says."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import schemathesis
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from prefect_wfexec.gateway.api.router import router
from prefect_wfexec.gateway.catalog import Catalog
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.receiver import Receiver
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.keys import load_keys
from tests.support.deployed import Site
from tests.support.server import PrefectServer
from tests.support.signin import access_of, bearer, guarded, served, write_tokens
from tests.support.signin import settings as settings_of
from tests.support.wfexec import Wfexec

EXAMPLES = 15
DONE = """
version: 1
name: done
inputs: {count: {type: integer, default: 3}}
steps:
  - {id: count, run: 'seq "$COUNT"', env: {COUNT: "${{ inputs.count }}"}}
  - {id: fails, run: exit 3, allow_skip: true, on_failure: continue}
"""
FAILED = """
version: 1
name: failed
steps:
  - {id: fails, run: exit 3, allow_skip: true}
"""
EVERYBODY = {"root": ["viewer", "operator", "approver"]}
_SCHEMA_APP = guarded(access_of({}))
_SCHEMA_APP.include_router(router)
schema = schemathesis.openapi.from_dict(_SCHEMA_APP.openapi())


@pytest.fixture(scope="module")
def runs(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Runs of every kind that needs no worker: one that is done, one that failed, one that waits for a worker."""
    folder = tmp_path_factory.mktemp("runs")
    wfexec = Wfexec(server.environment, folder)
    ended = [wfexec("run", wfexec.write("done.yaml", DONE)), wfexec("run", wfexec.write("failed.yaml", FAILED))]
    site = Site(server, folder / "site", pool="pool-of-openapi")
    site.workflow("done", DONE)
    site.deploy()
    waiting = wfexec.json("start", "done/done")
    return [*(one.run for one in ended), waiting["id"]]


@pytest.fixture(scope="module")
def url(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("tokens")
    tokens = write_tokens(folder / "tokens.yaml", EVERYBODY)
    database = sa.URL.create("sqlite+aiosqlite", database=str(folder / "deliveries.db"))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: server.home}):
            async with get_client() as client, Store.opened(database) as store:
                catalog = Catalog(client)
                app.state.receiver = Receiver(store, catalog, Starter(client, store, catalog), 1 << 20)
                keys = await load_keys(client)
                access = access_of(settings_of(file=tokens), keys=keys)
                app.state.services = Services(client=client, keys=keys, public_url="http://127.0.0.1", access=access)
                yield

    app = guarded(access_of(settings_of(file=tokens)))
    app.include_router(router)
    with served(app, lifespan) as url:
        yield url


def answered(case: Case, url: str) -> None:
    response = case.call(base_url=url, headers=bearer("root"))
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            unsupported_method,
        ],
    )


hurried = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@schema.parametrize()
@hurried
def test_any_request_is_answered_as_the_document_says(case: Case, url: str, runs: list[str]) -> None:
    answered(case, url)


@schema.include(path_regex="/executions/").parametrize()
@hurried
def test_so_is_any_request_about_a_run_that_is_there(case: Case, url: str, runs: list[str]) -> None:
    if "run" in case.path_parameters:
        case.path_parameters["run"] = runs[len(f"{case.query}{case.body}") % len(runs)]
    answered(case, url)
