"""A run started from Prefect's run form, approved in its form, and looked at afterwards: with real Terraform."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.acceptance.browser.workflows import traces
from tests.support.browser import PrefectPages
from tests.support.deployed import Site

IN_THE_END = {
    "plan": "Success",
    "lint": "Success",
    "approval": "Success",
    "apply": "Success",
    "smoke_test": "Skipped",
    "report": "Success",
}
ARROWS = {
    "plan": [],
    "lint": [],
    "approval": ["lint", "plan"],
    "apply": ["approval"],
    "smoke_test": ["apply"],
    "report": ["smoke_test"],
}


@pytest.mark.shows(
    "executing.now",
    "status.approval-pending",
    "status.succeeded",
    "view.dag",
    "view.steps",
    "step.waiting",
    "step.success",
    "step.skipped",
    "approval.approve",
    "flow.review",
    "flow.plan",
    "flow.decide",
    "outputs.tab",
    on="prefect",
)
def test_a_change_is_started_approved_and_applied(site: Site, pages: PrefectPages) -> None:
    pages.open_deployment("network")
    pages.choose_run("Custom run")
    fill_in_the_run_form(pages)
    run_id = pages.started_by(lambda: pages.submit(pages.page.locator("form")))

    pages.expect_run("Approval Pending")
    assert pages.ask(f"/flow_runs/{run_id}")["parameters"]["environment"] == "production"
    pages.expect_task_runs(run_id, {"plan": "Success", "lint": "Success", "approval": "Waiting"})
    assert traces(site, "report") == []
    waiting = pages.graph(run_id)
    assert waiting == {name: ARROWS[name] for name in ("plan", "lint", "approval")}
    pages.picture("approval-pending", run_id)

    pages.open_run(run_id)
    form = pages.open_form()
    expect_what_is_asked(pages, form)
    pages.submit(form)
    expect(form.get_by_text("'decision' is a required property")).to_be_visible()
    pages.choose(pages.field("Decision", form), "approve")
    pages.field("Your name", form).locator("textarea").fill("Jane Doe")
    pages.send(form)

    pages.expect_run("Succeeded")
    pages.expect_task_runs(run_id, IN_THE_END)
    assert is_grey(pages.badge_color("Skipped"))
    assert not is_grey(pages.badge_color("Success"))
    assert pages.graph(run_id) == ARROWS
    assert (traces(site, "lint"), traces(site, "report")) == (["linted"], ["vpc-production"])
    expect_what_did_no_work_is_drawn_as_long_as_it_took(pages, str(run_id))

    progress = pages.artifact(run_id, "progress")
    expect(progress).to_contain_text("network: Succeeded")
    expect(progress).to_contain_text("Approved by Jane Doe")
    to_console = progress.get_by_role("link", name="Open in the console")
    expect(to_console).to_have_attribute("href", re.compile(r"/console/executions/[0-9a-f-]{36}$"))
    pages.picture("progress")
    plan = pages.artifact(run_id, "plan")
    expect(plan.get_by_role("heading", name="Plan: 3 to add")).to_be_visible()
    expect(plan.locator("td", has_text="terraform_data.vpc")).to_be_visible()
    expect(pages.artifact(run_id, "outputs")).to_contain_text('"vpc": "vpc-production"')
    pages.picture("succeeded", run_id)
    pages.page.goto(f"{pages.root}/runs")
    expect(pages.page.get_by_text("trigger:manual").first).to_be_visible()
    pages.page.keyboard.press("End")
    pages.picture("runs")


def fill_in_the_run_form(pages: PrefectPages) -> None:
    environment, subnets, reason = (pages.field(name) for name in ("environment", "subnets", "reason"))
    expect(environment.get_by_text("Where to apply.")).to_be_visible()
    expect(environment.locator(".p-select-button__value")).to_have_text("staging")
    expect(subnets.get_by_text("How many subnets.")).to_be_visible()
    expect(subnets.locator("input[type=number]")).to_have_value("2")
    pages.submit(pages.page.locator("form"))
    expect(reason.get_by_text("'reason' is a required property")).to_be_visible()
    reason.locator("textarea").fill("a second network")
    assert pages.choices(environment) == ["staging", "production"]
    pages.page.get_by_role("option", name="production").click()
    expect(environment.locator(".p-select-button__value")).to_have_text("production")
    pages.page.get_by_text("Run Name").scroll_into_view_if_needed()
    pages.picture("run-form")


def expect_what_is_asked(pages: PrefectPages, form: Locator) -> None:
    """All of it, with the message in sight on a small screen."""
    question = pages.field("Decision", form).locator(".schema-form-property__description")
    message = question.get_by_text("Apply this to production? Reason: a second network")
    expect(message).to_be_in_viewport()
    expect(question.get_by_text("3 to add", exact=True)).to_be_in_viewport()
    rows = question.get_by_role("row")
    expect(rows).to_have_count(4)
    for resource in ("terraform_data.vpc", "terraform_data.subnet[0]", "terraform_data.subnet[1]"):
        expect(rows.filter(has_text=resource)).to_contain_text("create")
    expect(question.locator("pre")).to_contain_text("Plan: 3 to add, 0 to change, 0 to destroy.")
    assert len(question.locator("pre").inner_text().splitlines()) > 20, "the plan's lines run together"
    expect(question.get_by_text("Open until")).to_contain_text("UTC")
    pages.picture("approval-form")


def expect_what_did_no_work_is_drawn_as_long_as_it_took(pages: PrefectPages, run_id: str) -> None:
    nodes = {node["label"]: node for _, node in pages.ask(f"/flow_runs/{run_id}/graph-v2")["nodes"]}
    assert all(node["end_time"] for node in nodes.values()), "a bar without an end grows for ever"
    assert nodes["approval"]["start_time"] < nodes["apply"]["start_time"]
    found = pages.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    gate = next(run for run in found if run["name"] == "approval")
    states = sorted(pages.ask(f"/task_run_states/?task_run_id={gate['id']}"), key=lambda state: state["timestamp"])
    waits = next(state for state in states if state["name"] == "Waiting")
    assert gate["start_time"] <= waits["timestamp"] < gate["end_time"]


def is_grey(color: tuple[int, ...]) -> bool:
    return max(color) - min(color) < 25
