"""Gates of named people on the command line: codes by mail, quorum, who may not, and what Slack shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_wfexec.blocks import ApprovalPolicy, Mailer, SlackBot, TargetEnvironment
from tests.support.mailbox import Mailbox, codes_in, text_of
from tests.support.processes import wait_until
from tests.support.slack_stub import SlackStub
from tests.support.wfexec import Wfexec

ANN, BOB, CY = "ann@example.com", "bob@example.com", "cy@example.com"
KEY = "a key that only the engine has"
TWO_OF_THREE = """
    version: 1
    name: two-of-three
    steps:
      - id: ask
        name: Ask the Team
        uses: approval
        with:
          message: "Shall **we** <go>?"
          approvers: [ann@example.com, bob@example.com, cy@example.com]
          quorum: 2
          expires: 4h
          fields:
            ticket: {description: The change.}
            window: {type: choice, enum: [day, night], default: night}
          notify:
            - {mail: ops@example.com, block: MAILER}
            - {slack: "#deploys", block: SLACK}
      - id: go
        run: echo "$TICKET in the $WINDOW"
        env: {TICKET: "${{ steps.ask.outputs.ticket }}", WINDOW: "${{ steps.ask.outputs.window }}"}
    outputs: {by: "${{ steps.ask.outputs.by }}", said: "${{ steps.go.outputs.stdout }}"}
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackStub]:
    with SlackStub() as slack:
        yield slack


@pytest.fixture
async def blocks(mailbox: Mailbox, slack: SlackStub, api: object) -> None:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, security="none", sender="deploys@example.com")
    await mailer.asave("for-codes", overwrite=True)
    await SlackBot(token=slack.token, base_url=slack.base_url).asave("for-codes", overwrite=True)


def definition(text: str) -> str:
    return text.replace("MAILER", "for-codes").replace("SLACK", "for-codes")


@pytest.mark.shows("approval.pauses")
async def test_two_of_three_people_prove_who_they_are(
    wfexec: Wfexec, mailbox: Mailbox, slack: SlackStub, blocks: None
) -> None:
    path = wfexec.write("two.yaml", definition(TWO_OF_THREE))
    refused = wfexec.json("run", path, "--yes", code=2)
    assert refused["error"]["code"] == "yes-refused"
    going = wfexec.start("run", path, "--json")
    run = going.run

    ann, bob = mailbox.codes(ANN, run), mailbox.codes(BOB, run)
    assert {*ann, *bob} == {"approve", "reject"}
    assert len({*ann.values(), *bob.values()}) == 4
    mail = mailbox.to(ANN, run)[0]
    assert mail["Subject"] == f"Approval wanted: two-of-three: Ask the Team ({run})"
    assert "Shall **we** <go>?" in text_of(mail)
    assert f"wfexec approve {run} --step ask --code CODE" in text_of(mail)
    assert codes_in(mailbox.to("ops@example.com", run)[0]) == {}

    (waiting,) = [row for row in wfexec.json("approvals") if row["run"] == run]
    assert (waiting["needs"], waiting["waits_for"]) == (2, [ANN, BOB, CY])

    assert wfexec.json("approve", run, code=2)["error"]["code"] == "no-code"
    wrong = wfexec.json("approve", run, "--code", "0000-0000-0000", "--field", "ticket=OPS-1", code=2)
    assert "not valid" in wrong["error"]["message"]
    other = wfexec.json("approve", run, "--code", ann["reject"], "--field", "ticket=OPS-1", code=2)
    assert "the code is for 'reject'" in other["error"]["message"]
    missing = wfexec.json("approve", run, "--code", ann["approve"], code=2)
    assert "'ticket' is empty" in missing["error"]["message"]
    first = wfexec.json("approve", run, "--code", ann["approve"], "--field", "ticket=OPS-1")
    assert first["outcome"] == "counted"
    again = wfexec.json("approve", run, "--code", ann["approve"], "--field", "ticket=OPS-1", code=2)
    assert f"{ANN} has decided so already" in again["error"]["message"]
    (waiting,) = [row for row in wfexec.json("approvals") if row["run"] == run]
    assert (waiting["needs"], waiting["waits_for"]) == (1, [BOB, CY])
    sloppy = bob["approve"].lower().replace("-", " ")
    assert wfexec.json("approve", run, "--code", sloppy, "--field", "ticket=OPS-2")["outcome"] == "approved"

    ended = going.end()
    assert ended.code == 0, ended.err
    view = ended.json()
    assert view["outputs"] == {"by": BOB, "said": "OPS-2 in the night\n"}
    (gate,) = view["gates"]
    decisions = [(one["by"], one["verified_by"], one["decision"]) for one in gate["decisions"]]
    assert decisions == [(ANN, "code", "approve"), (BOB, "code", "approve")]
    assert all(notice["error"] is None for notice in gate["notices"])

    posted, *changed = [call for call in slack.calls if run in call.arguments["text"]]
    assert (posted.method, [call.method for call in changed]) == ("chat.postMessage", ["chat.update"] * len(changed))
    blocks = json.loads(posted.arguments["blocks"])
    buttons = next(block for block in blocks if block["type"] == "actions")["elements"]
    assert [button["text"]["text"] for button in buttons] == ["Approve", "Reject"]
    assert all(button["url"].endswith(f"/runs/flow-run/{view['id']}") for button in buttons)
    assert "&lt;go&gt;" in posted.arguments["blocks"]
    last = changed[-1].arguments
    assert last["ts"]
    assert last["text"].startswith(f"Approved by {ANN}, {BOB}")
    assert '"actions"' not in last["blocks"]

    journal = json.dumps(wfexec.json("audit", run))
    assert wfexec.json("audit", run)["verified"]
    shown = journal + ended.out + ended.err + json.dumps([call.arguments for call in slack.calls])
    for code in (*ann.values(), *bob.values()):
        assert code not in shown
        assert code.replace("-", "") not in shown


async def test_who_started_it_may_only_reject(wfexec: Wfexec, mailbox: Mailbox, blocks: None) -> None:
    path = wfexec.write("self.yaml", definition(TWO_OF_THREE))
    going = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_USER="Ann").start("run", path, "--json")
    run = going.run
    codes = mailbox.codes(ANN, run)
    refused = wfexec.json("approve", run, "--code", codes["approve"], "--field", "ticket=x", code=2)
    assert "who started the run may not approve it" in refused["error"]["message"]
    wfexec.json("reject", run, "--code", codes["reject"], "--comment", "I was wrong")
    ended = going.end()
    assert ended.code == 3
    assert ended.json()["gates"][0]["decisions"][0]["by"] == ANN


@pytest.mark.shows("trouble.approval")
async def test_a_message_that_can_not_be_sent_is_shown_and_stops_nothing(
    wfexec: Wfexec, mailbox: Mailbox, blocks: None
) -> None:
    mailbox.refused.add("nobody@example.com")
    text = """
    version: 1
    name: unheard
    steps:
      - id: ask
        uses: approval
        with:
          notify:
            - {mail: nobody@example.com, block: MAILER}
            - {slack: "#gone", block: SLACK}
            - {mail: x@example.com, block: nowhere}
      - {id: go, run: "true"}
    """
    path = wfexec.write("unheard.yaml", definition(text))
    going = wfexec.start("run", path, "--json")
    run = going.run

    def errors() -> dict[str, str]:
        gates = wfexec.json("show", run)["gates"]
        return {one["notice"]: one["error"] for gate in gates for one in gate["notices"]}

    wait_until(lambda: len(errors()) == 3, "the three messages")
    found = errors()
    assert "refused the address" in found["asked:mail:nobody@example.com"]
    assert "channel_not_found" in found["asked:slack:#gone"]
    assert "no Mailer (wfexec) block 'nowhere' is saved" in found["asked:mail:x@example.com"]
    shown = wfexec("show", run).out
    assert all(words in shown for words in found.values())
    wfexec.json("approve", run)
    ended = going.end()
    assert (ended.code, ended.json()["status"]) == (0, "Succeeded")


async def test_no_message_in_slack_offers_what_can_not_be_decided_any_more(
    wfexec: Wfexec, slack: SlackStub, blocks: None
) -> None:
    text = """
    version: 1
    name: late
    steps:
      - {id: ask, uses: approval, with: {expires: 30s, notify: {slack: "#deploys", block: SLACK}}}
    """
    going = wfexec.start("run", wfexec.write("late.yaml", definition(text)), "--json")
    run = going.run

    def shown() -> list[dict[str, str]]:
        return [message for message in list(slack.shown.values()) if run in message["text"]]

    wait_until(lambda: len(shown()) == 2, "the reminder")
    asked, reminder = shown()
    assert asked["text"].startswith("Approval wanted")
    assert reminder["text"].startswith("Still waiting, open until")
    assert all('"actions"' in message["blocks"] for message in shown())
    ended = going.end()
    assert ended.code == 3
    assert [message["text"].partition(":")[0] for message in shown()] == ["Expired", "Expired"]
    assert not any('"actions"' in message["blocks"] for message in shown())
    assert all(notice["error"] is None for notice in ended.json()["gates"][0]["notices"])


async def test_a_protected_environment_asks_for_gates_people_and_a_key(
    wfexec: Wfexec, mailbox: Mailbox, blocks: None, tmp_path: Path
) -> None:
    rules = ApprovalPolicy(
        approvers=[ANN, BOB, CY], quorum=2, notify=[{"mail": ["ops@example.com"], "block": "for-codes"}]
    )
    await rules.asave("two-people", overwrite=True)
    await TargetEnvironment(protected=True, policy=rules).asave("guarded", overwrite=True)
    await TargetEnvironment(protected=True, policy="two-people").asave("guarded-by-name", overwrite=True)
    wfexec.write("infra/main.tf", 'resource "terraform_data" "a" { input = "x" }\noutput "a" { value = "y" }\n')
    plan = "{id: plan, uses: terraform.plan, with: {dir: infra}}"
    apply = '{id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}'
    ask = '{id: ask, uses: approval, with: {subject: "${{ steps.plan.outputs.SUBJECT }}", WITH}}'
    head = "version: 1\nname: guarded\nenvironment: ENVIRONMENT\nsteps:\n"

    def write(*steps: str, environment: str = "guarded") -> Path:
        lines = "".join(f"  - {step}\n" for step in steps)
        return wfexec.write("guarded.yaml", head.replace("ENVIRONMENT", environment) + lines)

    keyed = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY=KEY)
    asks = ask.replace("SUBJECT", "plan")
    for steps, words in (
        ((plan, apply), "step 'apply' needs an approval of what 'plan' gives"),
        ((plan, ask.replace("SUBJECT", "summary").replace("WITH", "quorum: 2"), apply), "needs an approval of what"),
        ((plan, asks.replace("WITH", "approvers: [eve@example.com]"), apply), "nobody twice"),
    ):
        view = keyed.json("run", write(*steps), code=1)
        assert words in keyed("show", view["name"]).out
        assert view["steps"][0]["status"] == "Pending"
    good = write(plan, asks.replace("WITH", "quorum: 1, allow_self: true"), apply, environment="guarded-by-name")
    view = wfexec.json("run", good, code=1)
    assert "PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY" in wfexec("show", view["name"]).out
    assert keyed.json("run", good, "--yes", code=2)["error"]["code"] == "yes-refused"

    going = keyed.start("run", good, "--json")
    run = going.run
    for person in (ANN, BOB):
        code = mailbox.codes(person, run)["approve"]
        wfexec.json("approve", run, "--code", code)
    ended = going.end()
    assert ended.code == 0, ended.err
    assert [step["status"] for step in ended.json()["steps"]] == ["Success", "Success", "Success"]


async def test_a_gate_that_its_own_condition_skipped_protects_all_the_same(wfexec: Wfexec, blocks: None) -> None:
    rules = ApprovalPolicy(approvers=[ANN])
    await TargetEnvironment(protected=True, policy=rules).asave("guarded-alone", overwrite=True)
    wfexec.write("skipped/main.tf", 'resource "terraform_data" "a" { input = "x" }\n')
    path = wfexec.write(
        "skipped.yaml",
        """
        version: 1
        name: skipped-gate
        environment: guarded-alone
        steps:
          - {id: plan, uses: terraform.plan, with: {dir: skipped}}
          - {id: ask, uses: approval, if: "false", with: {subject: "${{ steps.plan.outputs.plan }}"}}
          - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
        """,
    )
    keyed = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY=KEY)
    view = keyed.json("run", path, code=1)
    steps = {step["id"]: step for step in view["steps"]}
    assert (steps["plan"]["status"], steps["ask"]["status"]) == ("Success", "Skipped")
    assert steps["apply"]["error"]["type"] == "not_approved"
    assert not (wfexec.folder / "skipped" / "terraform.tfstate").exists()
