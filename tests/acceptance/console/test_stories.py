"""The product's two stories, from the console's pages alone."""

import shutil

import pytest
from playwright.sync_api import expect

from tests.support.console import RUN_MILLISECONDS, Console

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")


def approve(console: Console, comment: str = "") -> None:
    """From the execution's page to its gate, to the plan and back, and approve."""
    page = console.page
    page.get_by_role("link", name="Review").click(timeout=RUN_MILLISECONDS)
    page.get_by_role("link", name="View plan").click()
    expect(page.locator("pre.plan")).to_contain_text("terraform_data.database")
    page.get_by_role("link", name="Back to the decision").first.click()
    if comment:
        page.get_by_label("Comment").fill(comment)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()


@pytest.mark.shows(
    "executing.now",
    "view.dag",
    "view.steps",
    "view.header",
    "status.approval-pending",
    "status.succeeded",
    "column.run-id",
    "column.status",
    "column.run-status",
    "column.user",
    "filter.status",
    "viewing.all",
    "flow.review",
    "flow.plan",
    "flow.comment",
    "flow.decide",
    "approval.approve",
    "outputs.tab",
    "good.summary",
    "good.steps",
    "step.waiting",
    "step.success",
    on="console",
)
def test_a_successful_deployment(console: Console) -> None:
    page = console.page
    run = console.execute("production-deploy/production-deploy", password="long-enough-0", place="first")
    console.expect_run("Approval Pending")
    console.expect_steps(Plan="Success", Approval="Waiting")
    console.picture("waiting")
    console.page.get_by_role("link", name="Approvals", exact=True).first.click()
    expect(page.get_by_text("Apply to production?")).to_be_visible()
    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_label("Counts")).to_contain_text("2 added")
    expect(page.get_by_role("row", name="added terraform_data.network")).to_be_visible()
    console.picture("gate")
    console.open(run)
    approve(console, "looks right")
    console.open(run)
    console.expect_run("Succeeded")
    console.expect_steps(Plan="Success", Approval="Success", Apply="Success", Health_Check="Success", Notify="Success")
    expect(console.step("Plan")).to_contain_text("2 to add")
    expect(console.step("Approval")).to_contain_text("ann@example.com")
    expect(console.step("Health Check")).to_contain_text("HTTP 200 OK")
    outputs = page.locator("#tab pre")
    expect(outputs).to_contain_text('"vpc_id": "vpc-network"')
    expect(outputs).to_contain_text('"add": 2')
    page.get_by_role("link", name="Approvals", exact=True).last.click()
    expect(page.locator("#tab")).to_contain_text("looks right")
    page.get_by_role("link", name="Audit").click()
    expect(page.locator("#tab")).to_contain_text("The journal is verified")
    console.picture("succeeded")
    console.open("/console?status=Succeeded&workflow=production-deploy")
    row = page.get_by_role("row", name="production-deploy")
    expect(row.first).to_contain_text("Succeeded")
    expect(row.first).to_contain_text("ann@example.com")
    console.picture("executions")
    console.expect_no_faults()


@pytest.mark.shows(
    "failure.details",
    "retry.step",
    "failed.state",
    "failed.details",
    "failed.actions",
    "failed.resolution",
    "failed.after",
    "status.failed",
    "step.failed",
    "step.skipped",
    on="console",
)
def test_a_failed_deployment_is_mended_and_retried(console: Console) -> None:
    page = console.page
    run = console.execute("production-deploy/production-deploy", password="short", place="second")
    approve(console)
    console.open(run)
    console.expect_run("Failed")
    console.expect_steps(Plan="Success", Approval="Success", Apply="Failed", Health_Check="Skipped", Notify="Skipped")
    card = page.get_by_role("region", name="What went wrong")
    expect(card).to_contain_text("Step: Apply")
    expect(card).to_contain_text("Exit code")
    expect(card).to_contain_text("Password must be at least 8 characters.")
    console.picture("failed")
    card.get_by_role("link", name="View full log").click()
    expect(page.locator("#log-step")).to_have_value("apply")
    expect(console.log_lines().filter(has_text="Password must be at least 8 characters").first).to_be_visible()
    page.get_by_role("region", name="What went wrong").get_by_role("link", name="Retry step").click()
    expect(page.get_by_role("heading", name="What runs again")).to_be_visible()
    for step in ("Plan", "Apply", "Health Check", "Notify"):
        expect(page.get_by_role("cell", name=step, exact=True)).to_be_visible()
    console.picture("retry")
    page.get_by_label("password").fill("long-enough-1")
    page.get_by_label("Reason").fill("the password was too short")
    page.get_by_role("button", name="Retry").click()
    approve(console)
    console.open(run)
    console.expect_run("Succeeded")
    expect(console.step("Apply")).to_contain_text("attempt 2")
    page.get_by_role("link", name="Attempts").click()
    expect(page.locator("#tab").get_by_role("row").filter(has_text="Apply")).to_have_count(2)
    console.expect_no_faults()


@pytest.mark.shows("cancel.cleanup", "terminating.command", "terminating.confirm", "status.terminated", on="console")
def test_a_cancel_with_cleanup_takes_away_what_was_applied(console: Console) -> None:
    page = console.page
    inputs = {"password": "long-enough-2", "environment": "staging", "place": "third"}
    console.execute("production-deploy/production-deploy", **inputs)
    console.expect_run("Approval Pending")
    page.get_by_role("link", name="Cancel with cleanup").click()
    expect(page.get_by_role("heading", name="What is taken away then")).to_be_visible()
    expect(page.get_by_text("Nothing: no step that has begun says how it is undone.")).to_be_visible()
    page.get_by_label("Reason").fill("not today")
    page.get_by_role("button", name="Cancel with cleanup").click()
    console.expect_run("Terminated")
    expect(page.locator("#head")).to_contain_text("not today")
    console.expect_no_faults()
