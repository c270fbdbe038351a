"""Gates of named people on a deployed run, decided in Prefect's form; and what is tried by who has Prefect's API."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from prefect_wfexec.blocks import ApprovalPolicy, Mailer, TargetEnvironment
from prefect_wfexec.journal.entries import read_entry, write_entry
from prefect_wfexec.journal.facts import Actor, Fact, Kind, new_id
from prefect_wfexec.journal.journal import KEY_PREFIX
from prefect_wfexec.journal.keys import Keys
from tests.support.deployed import Api, Site, api_of
from tests.support.mailbox import Mailbox
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
KEY = "a key that only the workers have"
GUARDED = """
version: 1
name: guarded
environment: guarded-site
steps:
  - {id: before, run: "echo x >> $PLACE/before", env: {PLACE: "THE_FOLDER"}}
  - {id: ask, uses: approval, with: {message: "Shall we?", fields: {ticket: {type: string}}}}
  - {id: after, run: "echo x >> $PLACE/after", env: {PLACE: "THE_FOLDER"}}
outputs: {ticket: "${{ steps.ask.outputs.ticket }}"}
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
async def site(server: PrefectServer, tmp_path: Path, mailbox: Mailbox, api: object) -> Site:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    await mailer.asave("site-mail", overwrite=True)
    notify = [{"mail": ["ops@example.com"], "block": "site-mail"}]
    rules = ApprovalPolicy(approvers=[ANN, BOB], quorum=2, hold="0s", expires="4h", notify=notify)
    await TargetEnvironment(protected=True, policy=rules).asave("guarded-site", overwrite=True)
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("guarded", GUARDED.replace("THE_FOLDER", str(tmp_path)))
    site.deploy()
    return site


WORKER = {"PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": KEY}


def count(site: Site, name: str) -> int:
    path = site.folder / name
    return len(path.read_text().splitlines()) if path.exists() else 0


async def until_suspended(api: Api, run_id: UUID, known: str = "") -> dict:
    def waits(state: dict) -> bool:
        is_form = state["name"] == "Approval Pending" and state["state_details"]["pause_reschedule"]
        return bool(is_form and state["state_details"]["run_input_keyset"]["response"] != known)

    return await api.until(run_id, waits)


def response_key(run: dict) -> str:
    return str(run["state"]["state_details"]["run_input_keyset"]["response"])


async def question(api: Api, run: dict) -> str:
    keys = run["state"]["state_details"]["run_input_keyset"]
    schema = await api.get(f"/flow_runs/{run['id']}/input/{keys['schema']}")
    return str(schema["properties"]["decision"]["description"])


async def test_two_people_prove_who_they_are_in_the_form_of_a_suspended_run(site: Site, mailbox: Mailbox) -> None:
    async with api_of(site.server) as api:
        with site.worker(WORKER):
            run_id = await api.start("guarded/guarded")
            run = await until_suspended(api, run_id)
            ann, bob = (mailbox.codes(person, run["name"]) for person in (ANN, BOB))
            assert (await api.resume(run_id, decision="approve", ticket="OPS-1"))["status"] == "REJECT"
            accepted = await api.resume(run_id, decision="approve", code=bob["reject"], ticket="OPS-1")
            assert accepted["status"] == "ACCEPT"
            run = await until_suspended(api, run_id, response_key(run))
            assert "Not counted: the code is for 'reject'" in await question(api, run)
            await api.resume(run_id, decision="approve", code=ann["approve"], ticket="OPS-1")
            run = await until_suspended(api, run_id, response_key(run))
            assert f"1 of 2 approved by {ANN}" in await question(api, run)
            assert count(site, "after") == 0
            # Bob's codes were seen by whoever reads the form's input: he has new ones.
            fresh = mailbox.codes(BOB, run["name"], count=2)
            assert not {*fresh.values()} & {*bob.values()}
            await api.resume(run_id, decision="approve", code=bob["approve"], ticket="OPS-1")
            run = await until_suspended(api, run_id, response_key(run))
            assert "not valid" in await question(api, run)
            await api.resume(run_id, decision="approve", code=fresh["approve"], ticket="OPS-2")
            run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
            assert run["state"]["name"] == "Succeeded", site.worker_logs()
    assert (count(site, "before"), count(site, "after")) == (1, 1)
    view = Wfexec(site.server.environment, site.folder).json("show", str(run_id))
    decisions = [(one["by"], one["verified_by"]) for one in view["gates"][0]["decisions"]]
    assert decisions == [(ANN, "code"), (BOB, "code")]
    assert view["outputs"] == {"ticket": "OPS-2"}


async def test_who_has_the_api_but_not_the_key_gets_no_step_past_the_gate(site: Site, mailbox: Mailbox) -> None:
    async with api_of(site.server) as api:
        with site.worker(WORKER):
            run_id = await api.start("guarded/guarded")
            run = await until_suspended(api, run_id)
            forged = await write_journal(api, run)
            for attack in (write_response, set_states, delete_form):
                await attack(api, run)
            # The gate still stands: it takes the decision of who may give it.
            run = await until_suspended(api, run_id)
            assert count(site, "after") == 0
            code = mailbox.codes(ANN, run["name"])["reject"]
            # Who has no key can't tell forged entries from true ones, and is told so.
            wfexec = Wfexec(site.server.environment, site.folder)
            assert "signatures were not checked" in wfexec("show", str(run_id)).err
            keyed = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY=KEY)
            keyed.json("reject", str(run_id), "--code", code, "--comment", "no")
            await api.until_named(run_id, "Approval Rejected")
    assert (count(site, "before"), count(site, "after")) == (1, 0)
    audit = keyed.json("audit", str(run_id), code=1)
    assert audit["faults"] == [f"entry {number} says what only a holder of the key may say" for number in forged]
    refused = [
        fact["data"]["reason"]
        for entry in audit["entries"]
        if entry["keyed"]
        for fact in entry["facts"]
        if fact["kind"] == "refused"
    ]
    assert any("personal code" in reason for reason in refused)
    assert any("not valid" in reason for reason in refused)


async def write_journal(api: Api, run: dict) -> list[int]:
    """Forged decisions and ends, unsigned and signed with a key of one's own; and requests without and with a proof."""
    gate = {"step": "ask", "generation": 1}
    asked = {"what": "decision", "step": "ask", "decision": "approve", "fields": {"ticket": "x"}}
    forged = [
        Fact(Kind.DECIDED, {**gate, "decision": "approve"}, Actor(ANN, "code")),
        Fact(Kind.DECIDED, {**gate, "decision": "approve"}, Actor(BOB, "code")),
        Fact(Kind.APPROVAL_CLOSED, {**gate, "outcome": "approved"}),
        Fact(Kind.REQUESTED, asked, Actor(ANN, "code")),
        Fact(Kind.REQUESTED, {**asked, "proof": "0" * 64}, Actor(BOB)),
    ]
    return [await append_forged(api, run, forged, keys) for keys in (None, Keys("the attacker's own secret"))]


async def append_forged(api: Api, run: dict, facts: list[Fact], keys: Keys | None) -> int:
    """Append an entry that follows the last one; its number."""
    while True:
        rows = await api.post(f"/flow_runs/{run['id']}/input/filter", {"prefix": KEY_PREFIX, "limit": 1000})
        last = max(rows, key=lambda row: row["key"])
        number = int(last["key"].removeprefix(KEY_PREFIX)) + 1
        prev = read_entry(run["id"], number - 1, last["value"], None).digest
        text = write_entry(run["id"], number, new_id(), prev, facts, keys)
        with contextlib.suppress(httpx.HTTPStatusError):  # the engine was first
            await api.post(f"/flow_runs/{run['id']}/input", {"key": f"{KEY_PREFIX}{number:08d}", "value": text})
            return number


async def write_response(api: Api, run: dict) -> None:
    """An answer written where Prefect keeps it, past its checks; and one with what Prefect would resolve."""
    for values in (
        {"decision": "approve", "approver": ANN, "code": "", "ticket": "x"},
        {"decision": "approve", "code": {"__prefect_kind": "json", "value": '"x"'}, "ticket": {"$ref": "x"}},
    ):
        current = await until_suspended(api, UUID(run["id"]))
        body = {"key": response_key(current), "value": json.dumps(values)}
        await api.post(f"/flow_runs/{run['id']}/input", body)
        state = {"type": "SCHEDULED", "name": "Resuming"}
        await api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        await until_suspended(api, UUID(run["id"]), response_key(current))


async def set_states(api: Api, run: dict) -> None:
    """The run set going without a word."""
    for state in ({"type": "SCHEDULED", "name": "Resuming"}, {"type": "SCHEDULED", "name": "AwaitingRetry"}):
        before = (await until_suspended(api, UUID(run["id"])))["state"]["id"]
        await api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        await api.until(
            UUID(run["id"]),
            lambda state, before=before: (
                state["id"] != before
                and state["name"] == "Approval Pending"
                and state["state_details"]["pause_reschedule"]
            ),
        )


async def delete_form(api: Api, run: dict) -> None:
    """The stored form taken away."""
    current = await until_suspended(api, UUID(run["id"]))
    for key in current["state"]["state_details"]["run_input_keyset"].values():
        await api.delete(f"/flow_runs/{run['id']}/input/{key}")
