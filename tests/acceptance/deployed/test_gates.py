"""Deciding on a deployed run by what Prefect's UI sends, its process there or gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed import Api, Site, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

ASKS = """
version: 1
name: asks
inputs:
  place: {type: string, enum: [here, there], default: here, description: Where to.}
steps:
  - {id: before, run: "echo x >> $COUNTED/before", env: {COUNTED: "COUNTED_FOLDER"}}
  - {id: ask_me, name: Ask Me, uses: approval, with: {message: "Shall we go **${{ inputs.place }}**?"}}
  - {id: after, run: "echo x >> $COUNTED/after", env: {COUNTED: "COUNTED_FOLDER"}}
outputs: {by: "${{ steps.ask_me.outputs.by }}"}
"""


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("asks", ASKS.replace("COUNTED_FOLDER", str(tmp_path)))
    site.deploy()
    yield site


def count(site: Site, name: str) -> int:
    path = site.folder / name
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize("hold", ["600s", "0s"], ids=["in its process", "suspended"])
async def test_approve_goes_on_and_nothing_runs_twice(site: Site, hold: str) -> None:
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": hold}):
            run_id = await api.start("asks/asks", place="there")
            run = await until_it_asks(api, run_id, suspended=hold == "0s")
            assert run["name"].startswith("wfr_")
            keys = run["state"]["state_details"]["run_input_keyset"]
            schema = await api.get(f"/flow_runs/{run_id}/input/{keys['schema']}")
            assert "Shall we go **there**?" in schema["properties"]["decision"]["description"]
            refused = await api.resume(run_id)
            assert refused["status"] == "REJECT"
            refused = await api.resume(run_id, decision="reject", approver="jane")
            assert refused["status"] == "REJECT"
            refused = await api.resume(run_id, decision="approve", approver="jane", more="x")
            assert refused["status"] == "REJECT"
            accepted = await api.resume(run_id, decision="approve", approver="jane")
            assert accepted["status"] == "ACCEPT", accepted
            run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
            assert run["state"]["name"] == "Succeeded", run["state"]
            tasks = await api.task_runs(run_id)
    assert (count(site, "before"), count(site, "after")) == (1, 1)
    assert sorted(tasks) == ["after", "ask_me", "before"]
    view = Wfexec(site.server.environment, site.folder).json("show", str(run_id))
    assert view["outputs"] == {"by": "jane"}
    assert [(one["decision"], one["by"], one["verified_by"]) for one in view["gates"][0]["decisions"]] == [
        ("approve", "jane", None)
    ]


async def until_it_asks(api: Api, run_id, *, suspended: bool = False):
    return await api.until(
        run_id,
        lambda state: (
            state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"] in {suspended, True}
        ),
    )


async def test_reject_fails_the_run_with_the_comment(site: Site) -> None:
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("asks/asks")
            await until_it_asks(api, run_id)
            await api.resume(run_id, decision="reject", approver="jane", comment="not on a Friday")
            run = await api.until_named(run_id, "Approval Rejected")
            assert run["state"]["type"] == "FAILED"
            assert "not on a Friday" in run["state"]["message"]
    assert (count(site, "before"), count(site, "after")) == (1, 0)


@pytest.mark.parametrize("state", [{"type": "RUNNING"}, {"type": "SCHEDULED", "name": "Resuming"}, {"type": "PENDING"}])
async def test_a_run_that_is_just_set_going_is_not_approved(site: Site, state: dict[str, str]) -> None:
    async with api_of(site.server) as api:
        with site.worker():
            run_id = await api.start("asks/asks")
            first = await until_it_asks(api, run_id)
            await api.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})
            await api.until(
                run_id,
                lambda state: state["name"] == "Approval Pending" and state["id"] != first["state"]["id"],
            )
            await api.resume(run_id, decision="approve", approver="jane")
            await api.until_named(run_id, "Succeeded")
    assert (count(site, "before"), count(site, "after")) == (1, 1)


async def test_a_decision_on_the_command_line_wakes_a_suspended_run(site: Site) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await api.start("asks/asks")
            await until_it_asks(api, run_id, suspended=True)
            assert wfexec.json("approve", str(run_id))["outcome"] in {"requested", "approved"}
            await api.until_named(run_id, "Succeeded")
    assert (count(site, "before"), count(site, "after")) == (1, 1)


@pytest.mark.parametrize(("on_expire", "status"), [("reject", "Approval Rejected"), ("cancel", "Terminated")])
async def test_a_gate_expires_though_nobody_is_there(site: Site, on_expire: str, status: str) -> None:
    site.workflow(
        "expires",
        f"""
        version: 1
        name: expires
        steps:
          - {{id: ask, uses: approval, with: {{expires: 5s, on_expire: {on_expire}}}}}
          - {{id: after, run: "echo x >> $COUNTED/after", env: {{COUNTED: "{site.folder}"}}}}
        """,
    )
    site.deploy()
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with site.worker({"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
            run_id = await api.start("expires/expires")
            run = await until_it_asks(api, run_id, suspended=True)
            acts: list[dict[str, str]] = []
            while not acts:
                acts = [act for act in wfexec.json("reconcile") if act["run"] == run["name"]]
            assert acts == [{"run": run["name"], "act": "resumed", "reason": "gate 'ask' has expired"}]
            await api.until_named(run_id, status)
    assert count(site, "after") == 0
    view = wfexec.json("show", str(run_id))
    assert (view["status"], view["gates"][0]["status"]) == (status, "expired")
    late = wfexec.json("approve", str(run_id), code=2)
    assert "expired already" in late["error"]["message"]
