"""An approver opens the link in their mail, looks at the plan, and approves it on the gateway's page."""

import re
from uuid import UUID

from playwright.sync_api import Page, expect

from tests.acceptance.browser.workflows import traces
from tests.support.browser import PrefectPages
from tests.support.deployed import Site
from tests.support.mailbox import Mailbox, text_of

ANN = "ann@example.com"


def test_a_plan_is_approved_behind_a_link(site: Site, pages: PrefectPages, mailbox: Mailbox) -> None:
    run_id = start(pages, "linked")
    name = pages.ask(f"/flow_runs/{run_id}")["name"]
    found = re.search(r"https?://\S+/approve/\S+", text_of(mailbox.to(ANN, name)[0]))
    assert found is not None
    page, complaints = pages.page, []
    page.on("console", lambda message: complaints.append((message.text, message.location["url"])))
    page.set_viewport_size({"width": 900, "height": 1250})
    page.goto(found.group())
    expect_what_is_asked(page)
    pages.picture("approval-link")

    page.get_by_label("Ticket").press("Enter")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_contain_text("a rejection needs a comment")
    page.get_by_label("Ticket").fill("OPS-7")
    page.get_by_label("Comment").fill("looks right")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile("Approved|Recorded"))
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    # Browsers ask for an icon by themselves, and of a form that lacked something they show the status.
    ours = [(text, url) for text, url in complaints if url.startswith(found.group())]
    assert [text for text, _ in ours if "422" not in text] == []

    pages.open_run(run_id)
    pages.expect_run("Succeeded")
    assert traces(site, "linked") == ["OPS-7"]
    page.goto(found.group())
    expect(page.get_by_role("status")).to_contain_text("Approved")
    expect(page.get_by_text(f"{ANN} approved on")).to_be_visible()


def start(pages: PrefectPages, name: str) -> UUID:
    run_id = pages.start(name)
    pages.expect_run("Approval Pending")
    return run_id


def expect_what_is_asked(page: Page) -> None:
    expect(page.get_by_role("heading", name="Approve the network")).to_be_visible()
    expect(page.get_by_text("Apply this to staging?")).to_be_visible()
    counts = page.get_by_role("list", name="Counts").get_by_role("listitem")
    expect(counts).to_have_text([re.compile("3 added"), re.compile("1 changed"), re.compile("2 destroyed")])
    rows = page.get_by_role("table").get_by_role("row")
    for what, address in (
        ("added", "subnet[0]"),
        ("changed", "network"),
        ("replaced", "gateway"),
        ("destroyed", "legacy"),
    ):
        expect(rows.filter(has_text=f"terraform_data.{address}")).to_contain_text(what)
    colours = {color_of(page, look) for look in ("added", "changed", "destroyed")}
    assert len(colours) == 3
    page.get_by_role("link", name="The whole plan").click()
    expect(page.locator("pre")).to_contain_text('resource "terraform_data" "legacy"')
    page.get_by_role("link", name="Back to the decision").first.click()


def color_of(page: Page, look: str) -> str:
    return str(page.locator(f"td .{look}").first.evaluate("element => getComputedStyle(element).backgroundColor"))
