"""The API on a real server with a worker: people start, decide, look and stop, each as far as their roles go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prefect.client.orchestration import get_client

from prefect_wfexec.gateway.api import routing
from prefect_wfexec.gateway.api.router import router
from prefect_wfexec.journal.keys import load_keys
from tests.support.deployed import DEADLINE_SECONDS, Site
from tests.support.server import PrefectServer
from tests.support.shapes import APPROVAL, HISTORY_ROW, LOG_LINE, assert_execution, assert_shape
from tests.support.signin import access_of, bearer, browser, guarded, settings, write_tokens
from tests.support.wfexec import Wfexec

ANNA = "anna@example.com"
GOVERNED = f"""
version: 1
name: governed
inputs: {{count: {{type: integer, default: 7}}, note: {{type: string, default: none}}}}
steps:
  - {{id: before, run: 'seq -f "line %.0f" $COUNT; echo oops >&2', env: {{COUNT: "${{{{ inputs.count }}}}"}}}}
  - id: ask
    uses: approval
    with: {{message: Shall we?, approvers: [{ANNA}, another@example.com], fields: {{ticket: {{type: integer}}}}}}
  - {{id: after, run: echo after}}
outputs: {{ticket: "${{{{ steps.ask.outputs.ticket }}}}"}}
"""
FAILING = """
version: 1
name: failing
inputs: {works: {type: boolean, default: false}}
steps:
  - {id: deploy, run: 'test "$WORKS" = true', env: {WORKS: "${{ inputs.works }}"}}
"""


SCANNED = """
version: 1
name: scanned
steps:
  - id: own
    uses: scan.script
    run: echo '[{"severity":"low","rule":"r","message":"<script>alert(1)</script>"}]' > "$WFEXEC_REPORT"
"""


@pytest.fixture(scope="module")
def site(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("api")
    site = Site(server, folder, pool="pool-of-the-api")
    site.workflow("governed", GOVERNED)
    site.workflow("failing", FAILING)
    site.workflow("scanned", SCANNED)
    site.deploy()
    with site.worker():
        yield site


@pytest.fixture
async def app(site: Site, api: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    # A server on SQLite may stand still for a minute when one writer waits for another.
    monkeypatch.setattr(routing, "LONGEST_SECONDS", 240.0)
    tokens = write_tokens(tmp_path / "tokens.yaml")
    async with get_client() as client:
        app = guarded(access_of(settings(file=tokens), keys=await load_keys(client)), client)
        app.include_router(router)
        yield app


class Person:
    """Somebody with a token."""

    def __init__(self, app: FastAPI, name: str) -> None:
        self._client = browser(app, **bearer(name))

    async def get(self, path: str, expected: int = 200, /, **query: Any) -> Any:
        return self._body(await self.raw(path, **query), expected)

    async def post(self, path: str, expected: int = 202, /, **body: Any) -> Any:
        return self._body(await self._client.post(f"/api/v1{path}", json=body), expected)

    async def raw(self, path: str, /, **query: Any) -> httpx.Response:
        return await self._client.get(f"/api/v1{path}", params=query or None)

    def _body(self, answer: httpx.Response, expected: int) -> Any:
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def until(self, run: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The run once it fulfils the condition."""
        view: dict[str, Any] = {}
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not (view and condition(view)):
                    view = await self.get(f"/executions/{run}")
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"the run is {view}") from None
        return view

    async def until_ended(self, run: str) -> dict[str, Any]:
        return await self.until(run, lambda view: view["ended"] is not None)


def people(app: FastAPI) -> tuple[Person, Person, Person, Person]:
    return tuple(Person(app, name) for name in ("vera", "olga", ANNA, "both@example.com"))  # type: ignore[return-value]


async def refused(person: Person, path: str, status: int, code: str, /, **body: Any) -> str:
    error = (await person.post(path, status, **body))["error"]
    assert error["code"] == code, error
    return str(error["message"])


@pytest.mark.shows(
    "executing.now",
    "approval.approve",
    "status.approval-pending",
    "status.succeeded",
    "outputs.tab",
    "view.steps",
    "view.header",
    "flow.review",
    "flow.comment",
    "flow.decide",
    on="api",
)
async def test_a_run_is_started_approved_and_looked_at(app: FastAPI, site: Site) -> None:
    viewer, operator, approver, both = people(app)
    await refused(viewer, "/executions", 403, "not-allowed", deployment="governed")
    await refused(operator, "/executions", 404, "no-deployment", deployment="nothing")
    await refused(operator, "/executions", 422, "unknown-input", deployment="governed", inputs={"x": 1})
    for count in ("7", 7.5, 2**70):
        await refused(operator, "/executions", 422, "bad-input", deployment="governed", inputs={"count": count})
    reference = {"__prefect_kind": "workspace_variable", "variable_name": "x"}
    await refused(operator, "/executions", 422, "refused-key", deployment="governed", inputs={"count": reference})
    large = {"note": "x" * 600_000}
    assert "bytes" in await refused(operator, "/executions", 422, "bad-input", deployment="governed", inputs=large)
    started = await operator.post("/executions", 201, deployment="governed/governed", inputs={"count": 12})
    run = started["name"]
    assert (started["user"], started["triggered_by"], started["inputs"]["count"]) == ("olga", "Manual", 12)
    view = await viewer.until(run, lambda view: view["gates"] and view["status"] == "Approval Pending")
    assert_execution(view)
    row = next(row for row in await viewer.get("/approvals") if row["run"] == run)
    assert_shape(row, APPROVAL)

    path, seen = f"/executions/{run}/decisions", {"generation": 1, "subject_digest": row["subject_digest"]}
    approve = {"decision": "approve", "fields": {"ticket": 5}}
    for person in (viewer, operator):
        await refused(person, path, 403, "not-allowed", **approve)
    assert ANNA in await refused(both, path, 403, "not-listed", **approve)
    await refused(approver, path, 409, "other-gate", **approve, subject_digest="another")
    await refused(approver, path, 422, "bad-field", decision="approve", fields={"ticket": "five"})
    done = await approver.post(path, **approve, **seen, comment="go on")
    assert (done["by"], done["verified_by"], done["outcome"]) == (ANNA, "token", "approved")
    await refused(approver, path, 409, "decided", **approve)

    view = await viewer.until_ended(run)
    assert (view["status"], view["outputs"]) == ("Succeeded", {"ticket": 5}), site.worker_logs()
    decision = view["gates"][0]["decisions"][0]
    assert (decision["by"], decision["verified_by"], decision["comment"]) == (ANNA, "token", "go on")
    wfexec = Wfexec(site.server.environment, site.folder)
    assert await viewer.get(f"/executions/{run}") == wfexec.json("show", run)
    audit = await viewer.get(f"/executions/{run}/audit")
    assert audit == wfexec.json("audit", run)
    assert (audit["verified"], audit["keyed"], audit["faults"]) == (True, True, [])
    assert await viewer.get(f"/executions/{run}/outputs") == wfexec.json("outputs", run)
    assert await viewer.get(f"/executions/{run}/steps") == view["steps"]
    assert await viewer.get(f"/executions/{run}/gates") == view["gates"]
    assert await viewer.get(f"/executions/{run}/reports") == []
    assert (await viewer.get(f"/executions/{run}/failure"))["error"] is None
    # Other tests on this server leave locks of their own.
    assert run not in [name for lock in await viewer.get("/locks") for name in (lock["holder"], *lock["queue"])]


@pytest.mark.shows("column.report", on="api")
async def test_reports_are_files_and_never_pages(app: FastAPI, site: Site) -> None:
    viewer, operator, _, _ = people(app)
    run = (await operator.post("/executions", 201, deployment="scanned"))["name"]
    view = await viewer.until_ended(run)
    assert view["status"] == "Succeeded", site.worker_logs()
    reports = await viewer.get(f"/executions/{run}/reports")
    assert [(one["step"], one["name"], one["kind"]) for one in reports] == [
        ("own", "own.json", "json"),
        ("own", "own.sarif", "sarif"),
    ]
    assert reports == view["reports"] == Wfexec(site.server.environment, site.folder).json("reports", run)
    for one in reports:
        answer = await viewer.raw(f"/executions/{run}/reports/{one['step']}/{one['name']}")
        assert (answer.status_code, len(answer.content)) == (200, one["size"])
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == f'attachment; filename="{one["name"]}"'
        assert b"<script>" in answer.content
    for path in ("own/none.json", "none/own.json", "own/%2e%2e%2fown.json"):
        assert (await viewer.raw(f"/executions/{run}/reports/{path}")).status_code == 404
    nobody = await browser(app).get(f"/api/v1/executions/{run}/reports/own/own.json")
    assert nobody.status_code == 401


@pytest.mark.shows("cancel.stop", "terminating.command", "status.terminated", on="api")
async def test_who_starts_a_run_does_not_approve_it(app: FastAPI) -> None:
    viewer, _, approver, _ = people(app)
    write_tokens(Path(app.state.services.access.tokens._path), {ANNA: ["operator", "approver"], "vera": ["viewer"]})
    run = (await approver.post("/executions", 201, deployment="governed"))["name"]
    await viewer.until(run, lambda view: view["status"] == "Approval Pending")
    path = f"/executions/{run}/decisions"
    message = await refused(approver, path, 409, "refused", decision="approve", fields={"ticket": 5})
    assert "who started the run may not approve it" in message
    done = await approver.post(f"/executions/{run}/cancel", reason="not today")
    assert done["outcome"] in {"requested", "ended"}
    view = await viewer.until_ended(run)
    assert view["status"] == "Terminated"
    entries = (await viewer.get(f"/executions/{run}/audit"))["entries"]
    asked = [fact for entry in entries for fact in entry["facts"] if fact["data"].get("what") == "cancel"]
    assert (asked[0]["actor"], asked[0]["data"]["reason"]) == ({"name": ANNA, "verified_by": "token"}, "not today")
    await refused(approver, f"/executions/{run}/cancel", 409, "ended")


async def test_the_lifetime_token_opens_no_gate_of_named_people(app: FastAPI) -> None:
    access = access_of({}, keys=app.state.services.keys)
    nobody = guarded(access, app.state.services.client)
    nobody.include_router(router)
    viewer = Person(nobody, "x")
    viewer._client.headers["authorization"] = f"Bearer {access.lifetime_token}"
    run = (await viewer.post("/executions", 201, deployment="governed"))["name"]
    await viewer.until(run, lambda view: view["status"] == "Approval Pending")
    path = f"/executions/{run}/decisions"
    await refused(viewer, path, 403, "no-code", decision="approve", fields={"ticket": 5})
    message = await refused(viewer, path, 409, "refused", decision="approve", fields={"ticket": 5}, code="7" * 12)
    assert "code is not valid" in message
    await viewer.post(f"/executions/{run}/cancel")
    assert (await viewer.until_ended(run))["status"] == "Terminated"


@pytest.mark.shows(
    "failure.details",
    "retry.step",
    "failed.state",
    "failed.details",
    "failed.actions",
    "failed.resolution",
    "status.failed",
    on="api",
)
async def test_what_failed_is_told_and_done_again(app: FastAPI) -> None:
    viewer, operator, _, _ = people(app)
    run = (await operator.post("/executions", 201, deployment="failing"))["name"]
    assert (await viewer.until_ended(run))["status"] == "Failed"
    failure = await viewer.get(f"/executions/{run}/failure")
    assert [card["step"] for card in failure["cards"]] == ["deploy"]
    assert any(action["action"] == "retry" for action in failure["actions"])
    path = f"/executions/{run}/retry"
    await refused(viewer, path, 403, "not-allowed")
    await refused(operator, path, 422, "bad-input", step="deploy", from_step="deploy")
    await refused(operator, path, 422, "unknown-step", step="nothing")
    await refused(operator, f"/executions/{run}/skip", 409, "no-skip", step="deploy", reason="why not")
    planned = await operator.post(path, 200, dry_run=True)
    assert (planned["kind"], [row["step"] for row in planned["reset"]]) == ("retry", ["deploy"])
    await operator.post(path, inputs={"works": True}, reason="it works now")
    view = await viewer.until(run, lambda view: view["status"] == "Succeeded")
    assert (view["inputs"], view["steps"][0]["attempt"]) == ({"works": True}, 2)


async def test_a_run_of_somebodys_machine_is_retried_there(app: FastAPI, site: Site) -> None:
    viewer, operator, _, _ = people(app)
    wfexec = Wfexec(site.server.environment, site.folder)
    run = wfexec("run", "flows/failing_flow.yaml").run
    path = f"/executions/{run}/retry"
    assert [row["step"] for row in (await operator.post(path, 200, dry_run=True))["reset"]] == ["deploy"]
    for body in ({}, {"latest": True, "dry_run": True}):
        assert "no worker can take it up" in await refused(operator, path, 409, "not-deployed", **body)
    await refused(operator, f"/executions/{run}/cancel", 409, "ended")
    assert (await viewer.get(f"/executions/{run}"))["status"] == "Failed"


@pytest.mark.shows("viewing.all", "viewing.workflow", on="api")
async def test_history_is_filtered_and_paged(app: FastAPI) -> None:
    viewer, operator, _, _ = people(app)
    names = [(await operator.post("/executions", 201, deployment="failing"))["name"] for _ in range(3)]
    found = await viewer.get("/executions", workflow="failing", user="olga", since="24h")
    assert {*names} <= {row["name"] for row in found}
    assert_shape(found[0], HISTORY_ROW)
    assert await viewer.get("/executions", user="nobody") == []
    listed, path = [], "/executions?workflow=failing&limit=1&search=wfr_"
    while path:
        page = await viewer.raw(path)
        assert len(page.json()) == 1
        listed += page.json()
        path = page.links["next"]["url"].removeprefix("/api/v1") if page.links else ""
    assert [row["name"] for row in listed] == [
        row["name"] for row in await viewer.get("/executions", workflow="failing")
    ]
    for query in ({"limit": 0}, {"limit": 501}, {"offset": -1}, {"status": "Nope"}, {"since": "yesterday"}):
        assert (await viewer.get("/executions", 422, **query))["error"]["hint"]


@pytest.mark.shows("logs.live", "log.download", on="api")
async def test_a_log_is_read_page_by_page_while_it_grows_and_as_a_file(app: FastAPI, site: Site) -> None:
    viewer, operator, approver, _ = people(app)
    run = (await operator.post("/executions", 201, deployment="governed", inputs={"count": 25}))["name"]
    path, lines, page = f"/executions/{run}/logs", [], {"cursor": "", "complete": False}
    decided = False
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not page["complete"]:
            page = await viewer.get(path, cursor=page["cursor"], limit=7)
            assert len(page["lines"]) <= 7
            lines += page["lines"]
            if not decided and (await viewer.get(f"/executions/{run}"))["status"] == "Approval Pending":
                await approver.post(f"/executions/{run}/decisions", decision="approve", fields={"ticket": 1})
                decided = True
            await asyncio.sleep(0 if page["lines"] else 0.1)
    out = [line["message"] for line in lines if line["step"] == "before" and line["stream"] == "stdout"]
    assert out == [f"line {number}" for number in range(1, 26)]
    for line in lines:
        assert_shape(line, LOG_LINE)
    whole = (await viewer.get(path))["lines"]
    assert sorted(map(str, lines)) == sorted(map(str, whole))
    assert [line["message"] for line in (await viewer.get(path, stream="errors"))["lines"]] == ["oops"]
    assert [line["message"] for line in (await viewer.get(path, search="LINE 2", step="before"))["lines"]] == [
        f"line {number}" for number in (2, 20, 21, 22, 23, 24, 25)
    ]
    first = await viewer.get(path, limit=1)
    for query in ({"cursor": first["cursor"], "search": "x"}, {"cursor": "x"}, {"cursor": first["cursor"][:-3]}):
        assert (await viewer.get(path, 422, **query))["error"]["code"] == "bad-cursor"
    assert (await viewer.get(path, 422, step="nothing"))["error"]["code"] == "unknown-step"

    file = await viewer.raw(f"{path}/download", step="before")
    assert file.headers["content-type"].startswith("text/plain")
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"].startswith("attachment;")
    wfexec = Wfexec(site.server.environment, site.folder)
    assert file.text == wfexec("logs", run, "--step", "before").out
    rows = await viewer.raw(f"{path}/download", format="jsonl")
    assert rows.text == wfexec("logs", run, "--json").out


@pytest.mark.shows("executing.page", on="api")
async def test_workflows_are_listed_paused_and_activated(app: FastAPI) -> None:
    viewer, operator, _, _ = people(app)
    rows = {row["deployment"]: row for row in await viewer.get("/workflows")}
    row = rows["governed/governed"]
    assert (row["active"], row["problem"], row["inputs"][0]["name"]) == (True, None, "count")
    assert "Shall we?" in row["definition"]
    await refused(viewer, "/workflows/governed/pause", 403, "not-allowed")
    await refused(operator, "/workflows/nothing/pause", 404, "no-deployment")
    await refused(operator, "/workflows/governed/pause?deployment=nothing", 404, "no-deployment")
    assert (await operator.post("/workflows/governed/pause", 200))["active"] is False
    assert (await operator.post("/workflows/governed/activate?deployment=governed", 200))["active"] is True


@pytest.mark.parametrize("run", ["nothing", "wfr_nothing", "00000000-0000-4000-8000-000000000000", "%7B%7D", "..%2f"])
async def test_a_run_that_is_not_there_is_not_found(app: FastAPI, run: str) -> None:
    viewer, operator, _, _ = people(app)
    for path in ("", "/steps", "/logs", "/outputs", "/reports", "/gates", "/audit", "/failure", "/logs/download"):
        assert (await viewer.get(f"/executions/{run}{path}", 404))["error"]["code"] in {"unknown-run", "not-served"}
    for path in ("retry", "cancel"):
        await operator.post(f"/executions/{run}/{path}", 404)
