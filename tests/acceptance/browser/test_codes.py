"""Two people decide with their codes in Prefect's form, of a run that is suspended meanwhile."""

from uuid import UUID

from playwright.sync_api import Locator, expect

from tests.acceptance.browser.workflows import traces
from tests.support.browser import PrefectPages
from tests.support.deployed import Site
from tests.support.mailbox import Mailbox
from tests.support.processes import wait_until


def test_two_people_prove_who_they_are(site: Site, pages: PrefectPages, mailbox: Mailbox) -> None:
    run_id = pages.start("guarded")
    pages.expect_run("Approval Pending")
    name = pages.ask(f"/flow_runs/{run_id}")["name"]
    ann, bob = mailbox.codes("ann@example.com", name), mailbox.codes("bob@example.com", name)

    form = pages.open_form()
    expect(form.get_by_text("0 of 2 approved.")).to_be_visible()
    fill_in(pages, form, code="0000-0000-0000")
    pages.picture("approval-form-code")
    form = answered(pages, run_id, form)
    expect(form.get_by_text("Not counted: the code is not valid for this decision")).to_be_visible()
    pages.picture("approval-form-refused")

    fill_in(pages, form, code=ann["approve"])
    form = answered(pages, run_id, form)
    expect(form.get_by_text("1 of 2 approved by ann@example.com")).to_be_visible()
    pages.picture("approval-form-quorum")
    assert traces(site, "ticket") == []

    fill_in(pages, form, code=bob["approve"])
    pages.send(form)
    pages.expect_run("Succeeded")
    assert traces(site, "ticket") == ["OPS-7"]


def fill_in(pages: PrefectPages, form: Locator, code: str) -> None:
    pages.choose(pages.field("Decision", form), "approve")
    pages.field("Ticket", form).locator("textarea").fill("OPS-7")
    pages.field("Your code", form).locator("textarea").fill(code)


def answered(pages: PrefectPages, run_id: UUID, form: Locator) -> Locator:
    """Send the form; the next one, once the run asks again."""
    before = keyset(pages, run_id)
    pages.send(form)
    wait_until(lambda: keyset(pages, run_id) not in (None, before), "the form to come again")
    pages.open_run(run_id)
    pages.expect_run("Approval Pending")
    return pages.open_form()


def keyset(pages: PrefectPages, run_id: UUID) -> str | None:
    state = pages.ask(f"/flow_runs/{run_id}")["state"]
    keys = state["state_details"]["run_input_keyset"]
    return keys["response"] if keys and state["type"] == "PAUSED" else None
