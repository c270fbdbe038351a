"""A failed run done again with Prefect's *Retry*."""

from playwright.sync_api import expect

from tests.acceptance.browser.workflows import traces
from tests.support.browser import PrefectPages
from tests.support.deployed import Site

ARROWS = {"prepare": [], "check": ["prepare"], "deploy": ["check"], "tell": ["deploy"]}


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


def task_run_ids(pages: PrefectPages, run_id: str) -> set[str]:
    found = pages.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    return {run["id"] for run in found}
