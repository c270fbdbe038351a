"""Deployments to a protected environment: the people named there are told, and prove who they are."""

from collections.abc import Iterator

import pytest

from prefect_wfexec.blocks import ApprovalPolicy, Mailer, TargetEnvironment
from tests.support.mailbox import Mailbox, codes_in, text_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

ANN, BOB = "ann@example.com", "bob@example.com"
KEY = "a key that only the engine has"
DEFINITION = """
    version: 1
    name: guarded-deployment
    phases:
      build:
        - {id: image, run: 'echo "ref=app:7" >> "$WFEXEC_OUTPUT"'}
      deploy:
        - id: release
          uses: deploy.script
          environments: [calm, guarded-live]
          with: {image: "${{ steps.image.outputs.ref }}"}
          run: echo "$IMAGE to $WFEXEC_ENVIRONMENT" >> released
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
async def keyed(wfexec: Wfexec, mailbox: Mailbox, api: PrefectServer) -> Wfexec:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    await mailer.asave("for-deployments", overwrite=True)
    rules = ApprovalPolicy(
        approvers=[ANN, BOB], quorum=2, notify=[{"mail": ["ops@example.com"], "block": "for-deployments"}]
    )
    await rules.asave("two-for-deployments", overwrite=True)
    await TargetEnvironment().asave("calm", overwrite=True)
    guarded = TargetEnvironment(deployment="manual", protected=True, policy="two-for-deployments")
    await guarded.asave("guarded-live", overwrite=True)
    return wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY=KEY)


async def test_two_people_let_a_deployment_go_on(keyed: Wfexec, mailbox: Mailbox) -> None:
    path = keyed.write("guarded.yaml", DEFINITION)
    going = keyed.start("run", path, "--json")
    run = going.run
    codes = {person: mailbox.codes(person, run) for person in (ANN, BOB)}
    released = keyed.folder / "released"
    assert released.read_text() == "app:7 to calm\n"
    assert keyed.json("show", run)["status"] == "Approval Pending"
    mail = text_of(mailbox.to(ANN, run)[0])
    assert "Deploy to **guarded-live**?" in mail
    assert "--step 'release[guarded-live]' --code CODE" in mail
    assert codes_in(mailbox.to("ops@example.com", run)[0]) == {}
    assert keyed.json("approve", run, code=2)["error"]["code"] == "no-code"
    assert keyed.json("approve", run, "--code", codes[ANN]["approve"])["outcome"] == "counted"
    assert keyed.json("approve", run, "--code", codes[BOB]["approve"])["outcome"] == "approved"
    ended = going.end()
    assert ended.code == 0, ended.err
    assert released.read_text() == "app:7 to calm\napp:7 to guarded-live\n"
    [gate] = ended.json()["gates"]
    decided = [(one["by"], one["verified_by"]) for one in gate["decisions"]]
    assert decided == [(ANN, "code"), (BOB, "code")]
    assert all(notice["error"] is None for notice in gate["notices"])
