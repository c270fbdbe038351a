"""A failed run done again with Prefect's *Retry*."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.workflows import traces, write_password_length
from tests.support.browser import PrefectPages
from tests.support.deployed import Site
from tests.support.wfexec import Wfexec

ARROWS = {"prepare": [], "check": ["prepare"], "deploy": ["check"], "tell": ["deploy"]}


@pytest.mark.shows("retry.step", "failure.details", "status.failed", "step.failed", "failed.state", on="prefect")
def test_retry_does_anew_what_failed_and_nothing_else(site: Site, pages: PrefectPages) -> None:
    run_id = pages.start("flaky")
    pages.expect_run("Failed")
    pages.expect_task_runs(run_id, {"prepare": "Success", "check": "Failed", "deploy": "Skipped", "tell": "Success"})
    first = task_run_ids(pages, str(run_id))
    assert pages.graph(run_id) == ARROWS
    expect(pages.artifact(run_id, "progress")).to_contain_text("the script ended with exit code 3")
    pages.open_run(run_id)
    expect(pages.page.get_by_text("the database does not answer")).to_be_visible()
    pages.picture("failed", run_id)

    site.write("database", "")
    pages.open_run(run_id)
    pages.page.get_by_role("button", name="Retry").click()
    pages.page.get_by_role("dialog").get_by_role("button", name="Retry").click()

    pages.expect_run("Succeeded")
    pages.expect_task_runs(run_id, dict.fromkeys(ARROWS, "Success"))
    assert task_run_ids(pages, str(run_id)) == first
    assert pages.graph(run_id) == ARROWS
    counts = {name: len(traces(site, name)) for name in ARROWS}
    assert counts == {"prepare": 1, "check": 2, "deploy": 1, "tell": 2}
    expect(pages.artifact(run_id, "progress")).to_contain_text("Retry succeeded")


@pytest.mark.shows("failed.resolution", "failed.after", on="prefect")
def test_a_failed_apply_is_planned_approved_and_applied_anew(site: Site, pages: PrefectPages) -> None:
    run_id = pages.start("database")
    approve(pages)
    pages.expect_run("Failed")
    words = {
        "plan": "Success",
        "approval": "Success",
        "apply": "Failed",
        "health_check": "Skipped",
        "notify": "Skipped",
    }
    pages.expect_task_runs(run_id, words)
    expect(pages.artifact(run_id, "progress")).to_contain_text("Apply")
    assert (
        "Password must be at least 8 characters"
        in Wfexec(site.server.environment, site.folder)("show", str(run_id)).out
    )

    write_password_length(site, 12)
    pages.open_run(run_id)
    pages.page.get_by_role("button", name="Retry").click()
    pages.page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    approve(pages)
    pages.expect_run("Succeeded")
    pages.expect_task_runs(run_id, dict.fromkeys(words, "Success"))
    assert traces(site, "told") == ["told"]
    summary = Wfexec(site.server.environment, site.folder)("show", str(run_id)).out
    assert "← Retry succeeded" in summary and "Completed ✓" in summary


def approve(pages: PrefectPages) -> None:
    """Approve what the run waits for, in its form."""
    pages.expect_run("Approval Pending")
    form = pages.open_form()
    pages.choose(pages.field("Decision", form), "approve")
    pages.field("Your name", form).locator("textarea").fill("Jane Doe")
    pages.send(form)


def task_run_ids(pages: PrefectPages, run_id: str) -> set[str]:
    found = pages.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    return {run["id"] for run in found}
