"""Gates of named people outlive the process, the worker and the server: codes that were mailed still count."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prefect_wfexec.blocks import Mailer
from tests.support.deployed import Api, Site, api_of, kill_flow
from tests.support.mailbox import Mailbox
from tests.support.processes import processes_with, wait_until
from tests.support.server import PrefectServer, prefect_server
from tests.support.wfexec import Wfexec

ANN, BOB, OPS = "ann@example.com", "bob@example.com", "ops@example.com"
DEFINITION = """
version: 1
name: outlives
steps:
  - {id: before, run: "echo x >> $PLACE/before", env: {PLACE: "THE_FOLDER"}}
  - id: ask
    uses: approval
    with:
      message: "Shall we?"
      approvers: [ann@example.com, bob@example.com]
      quorum: 2
      expires: 4h
      notify: {mail: ops@example.com, block: outlives-mail}
  - {id: after, run: "echo x >> $PLACE/after", env: {PLACE: "THE_FOLDER"}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PrefectServer]:
    """A server of this module's own: one of the tests stops it."""
    with prefect_server() as started:
        yield started


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
async def site(server: PrefectServer, tmp_path: Path, mailbox: Mailbox, api: object) -> Site:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    await mailer.asave("outlives-mail", overwrite=True)
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("outlives", DEFINITION.replace("THE_FOLDER", str(tmp_path)))
    site.deploy()
    return site


def waiting_for(hold: str) -> dict[str, str]:
    """A worker whose runs stay for so long when they only wait; only workers have the key."""
    return {
        "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY": "a key that only the workers have",
        "PREFECT_INTEGRATIONS_WFEXEC_HOLD": hold,
    }


IN_ITS_PROCESS, SUSPENDED = waiting_for("600s"), waiting_for("0s")


async def test_codes_from_before_a_kill_decide_after_a_retry(site: Site, mailbox: Mailbox) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with site.worker(IN_ITS_PROCESS):
            run_id, ann, bob = await start_and_mail(api, wfexec, mailbox)
            kill_flow(run_id)
            await api.until_named(run_id, "Crashed")
            await api.retry(run_id)
            run = await until_it_asks(api, run_id)
            assert "0 of 2 approved" in await question(api, run)
            assert (await api.resume(run_id, decision="approve", code=ann))["status"] == "ACCEPT"
            await decide_second(api, wfexec, run_id, bob, answered=run)
    check(site, mailbox, wfexec, run_id)


async def test_a_code_given_to_a_dead_run_counts_when_another_worker_takes_it_up(site: Site, mailbox: Mailbox) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with site.worker(IN_ITS_PROCESS) as worker:
            run_id, ann, bob = await start_and_mail(api, wfexec, mailbox)
            # The worker first: it can't tell anybody that the run's process has died.
            worker.kill()
            kill_flow(run_id)
        run = await api.run(run_id)
        assert (await api.resume(run_id, decision="approve", code=ann))["status"] == "ACCEPT"
        assert (await api.run(run_id))["state"]["name"] == "Running"
        with site.worker(IN_ITS_PROCESS):
            take_up_again(site, run_id)
            await decide_second(api, wfexec, run_id, bob, answered=run)
    check(site, mailbox, wfexec, run_id)


async def start_and_mail(api: Api, wfexec: Wfexec, mailbox: Mailbox) -> tuple[UUID, str, str]:
    """A run that waits in its process, and the codes by which Ann and Bob approve."""
    run_id = await api.start("outlives/outlives")
    run = await until_it_asks(api, run_id)
    await asyncio.to_thread(wait_until, lambda: are_mailed(wfexec, run_id), "the mails")
    ann, bob = (mailbox.codes(person, run["name"])["approve"] for person in (ANN, BOB))
    return run_id, ann, bob


def take_up_again(site: Site, run_id: UUID) -> None:
    """What docs/troubleshooting.md gives for a run without a process: Prefect's pages offer no Retry for it."""
    state = '{"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}'
    ended = site.prefect("api", "POST", f"/flow_runs/{run_id}/set_state", "--data", state)
    assert '"ACCEPT"' in ended.stdout, ended.stdout + ended.stderr


async def decide_second(api: Api, wfexec: Wfexec, run_id: UUID, bob: str, answered: dict[str, Any]) -> None:
    """Bob decides at a command line, once a new form says that Ann did."""
    run = await until_it_asks(api, run_id, answered=keys_of(answered["state"])["response"])
    assert f"1 of 2 approved by {ANN}" in await question(api, run)
    assert wfexec.json("approve", str(run_id), "--code", bob)["outcome"] in {"requested", "approved"}
    await api.until_named(run_id, "Succeeded")


async def test_codes_decide_on_a_suspended_run_when_the_server_was_away(site: Site, mailbox: Mailbox) -> None:
    wfexec = Wfexec(site.server.environment, site.folder)
    async with api_of(site.server) as api:
        with site.worker(SUSPENDED):
            run_id = await api.start("outlives/outlives")
            run = await until_it_asks(api, run_id, suspended=True)
            gone = f"PREFECT__FLOW_RUN_ID={run_id}"
            await asyncio.to_thread(wait_until, lambda: not processes_with(gone), "the end of the run's process")
            site.server.stop()
            await asyncio.to_thread(site.server.start)
            for person in (ANN, BOB):
                code = mailbox.codes(person, run["name"])["approve"]
                answer = wfexec.json("approve", str(run_id), "--code", code)
                assert answer["outcome"] in {"requested", "counted", "approved"}
            await api.until_named(run_id, "Succeeded")
    check(site, mailbox, wfexec, run_id)


async def until_it_asks(api: Api, run_id: UUID, *, suspended: bool = False, answered: str = "") -> dict[str, Any]:
    """The run once it shows a form, and another than the one that was answered."""
    return await api.until(
        run_id,
        lambda state: (
            state["name"] == "Approval Pending"
            and keys_of(state)["response"] != answered
            and state["state_details"]["pause_reschedule"] in {suspended, True}
        ),
    )


def keys_of(state: dict[str, Any]) -> dict[str, str]:
    """Where the parts of the shown form are kept."""
    found: dict[str, str] = state["state_details"]["run_input_keyset"]
    return found


def are_mailed(wfexec: Wfexec, run_id: UUID) -> bool:
    """Whether it is on record that everybody was written to; a process killed before that writes once more."""
    (gate,) = wfexec.json("show", str(run_id))["gates"]
    return len(gate["notices"]) == len((ANN, BOB, OPS))


async def question(api: Api, run: dict[str, Any]) -> str:
    schema = await api.get(f"/flow_runs/{run['id']}/input/{keys_of(run['state'])['schema']}")
    return str(schema["properties"]["decision"]["description"])


def check(site: Site, mailbox: Mailbox, wfexec: Wfexec, run_id: UUID) -> None:
    """One gate with one outcome, everything once, and no mail but the first to anybody."""
    view = wfexec.json("show", str(run_id))
    assert [(step["status"], step["attempt"]) for step in view["steps"]] == [("Success", 1)] * 3
    (gate,) = view["gates"]
    assert gate["status"] == "approved"
    decisions = [(one["decision"], one["by"], one["verified_by"]) for one in gate["decisions"]]
    assert decisions == [("approve", ANN, "code"), ("approve", BOB, "code")]
    facts = [fact["kind"] for entry in wfexec.json("audit", str(run_id))["entries"] for fact in entry["facts"]]
    assert (facts.count("approval_opened"), facts.count("approval_closed")) == (1, 1)
    assert [len(mailbox.to(address, view["name"])) for address in (ANN, BOB, OPS)] == [1, 1, 1]
    for step in ("before", "after"):
        assert (site.folder / step).read_text().split() == ["x"]
