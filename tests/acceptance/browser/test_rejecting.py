"""A run rejected in Prefect's form."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.workflows import traces
from tests.support.browser import PrefectPages
from tests.support.deployed import Site


@pytest.mark.shows("approval.reject", "status.approval-rejected", "flow.comment", on="prefect")
def test_a_rejection_needs_a_comment_and_shows_it(site: Site, pages: PrefectPages) -> None:
    run_id = pages.start("question")
    pages.expect_run("Approval Pending")
    form = pages.open_form()
    expect(form.get_by_text("Shall we go on?")).to_be_in_viewport()
    pages.choose(pages.field("Decision", form), "reject")
    pages.submit(form)
    expect(pages.page.get_by_text("Validation failed for field 'comment'").first).to_be_visible()
    expect(form).to_be_visible()
    assert pages.ask(f"/flow_runs/{run_id}")["state"]["name"] == "Approval Pending"

    pages.field("Your name", form).locator("textarea").fill("Jane Doe")
    pages.field("Comment", form).locator("textarea").fill("not on a Friday")
    pages.send(form)

    pages.expect_run("Approval Rejected")
    pages.open_run(run_id, "Details")
    expect(pages.page.get_by_text("not on a Friday").first).to_be_visible()
    expect(pages.artifact(run_id, "progress")).to_contain_text("rejected by Jane Doe: not on a Friday")
    pages.expect_task_runs(run_id, {"before": "Success", "ask": "Failed", "after": "Skipped"})
    assert (traces(site, "before"), traces(site, "after")) == (["before"], [])
