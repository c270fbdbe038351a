"""The pages one by one: the log panel, filters, analytics, deliveries, workflows, and who may do what."""

import re
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.acceptance.console.workflows import SECRET
from tests.acceptance.gateway.payloads import push
from tests.support.console import RUN_MILLISECONDS, Console
from tests.support.deployed import Site
from tests.support.gateway import Gateway, from_github
from tests.support.signin import token_of


@pytest.mark.shows(
    "view.log",
    "log.step",
    "log.pause",
    "log.resume",
    "log.download",
    "log.search",
    "log.all",
    "log.output",
    "log.errors",
    "logs.live",
    "logs.stored",
    "retry.skip",
    on="console",
)
def test_the_log_is_live_and_filtered_and_kept_still(site: Site, console: Console) -> None:
    page, lines = console.page, console.log_lines()
    run = console.execute("talking/talking")
    expect(lines.filter(has_text="line 300")).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.locator("#log-count")).to_have_text("302 lines")
    page.get_by_role("button", name="Errors").click()
    expect(page.locator("#log-count")).to_have_text("1 line")
    expect(lines).to_contain_text("a warning")
    page.get_by_role("button", name="Output").click()
    expect(page.locator("#log-count")).to_have_text("301 lines")
    page.get_by_role("button", name="All", exact=True).click()
    page.locator("#log-search").fill("GREEN")
    expect(page.locator("#log-count")).to_have_text("1 line")
    green = lines.locator("span.c2")
    expect(green).to_have_text("green words")
    expect(lines.first).to_contain_text("<b>not bold</b>")
    console.picture("log")
    page.locator("#log-search").fill("")
    expect(page.locator("#log-count")).to_have_text("302 lines")
    page.get_by_role("button", name="Pause").click()
    page.locator("#log-view").evaluate("one => one.scrollTop = 0")
    site.write("enough", "")
    expect(page.locator("#log-count")).to_have_text(re.compile("30[3-9] lines"), timeout=RUN_MILLISECONDS)
    expect(lines.first).to_contain_text("green words")
    page.get_by_role("button", name="Resume").click()
    expect(lines.filter(has_text="the last words")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    text = download.value.path().read_text()
    assert text.count("the last words") == text.count("line 300") == 1
    page.locator("#log-step").select_option(label="Talk")
    expect(page.locator("#log-count")).to_have_text("303 lines")
    console.expect_run("Failed")
    page.get_by_role("link", name="Skip step").click()
    page.get_by_role("button", name="Skip step").click()
    assert page.locator("#reason").evaluate("one => one.validity.valueMissing"), "a reason is needed"
    page.get_by_label("Reason").fill("known to fail")
    page.get_by_role("button", name="Skip step").click()
    page.wait_for_url(f"**{run}")
    console.expect_run("Succeeded")
    console.expect_steps(Talk="Success", After="Skipped", Last="Success")
    console.expect_no_faults()


def test_a_page_goes_on_after_the_gateway_was_started_again(site: Site, serving: Gateway, console: Console) -> None:
    (site.folder / "enough").unlink(missing_ok=True)
    page = console.page
    console.execute("talking/talking")
    expect(page.locator("#log-count")).to_have_text("302 lines", timeout=RUN_MILLISECONDS)
    serving.stop()
    expect(page.locator("#connection")).to_contain_text("Out of date")
    # One that has just started may answer that it has not reached Prefect yet, at which browsers give up.
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        path = route.request.url.partition("?")[0]
        if path in refused:
            route.fallback()
        else:
            refused.append(path)
            route.fulfill(status=503, body="{}")

    page.route(re.compile(r"/console/executions/[^/]+/(live|log)"), refuse_once)
    serving.start()
    expect(page.locator("#connection")).to_have_text("Live")
    assert any(path.endswith("/live") for path in refused)
    site.write("enough", "")
    console.expect_run("Failed")
    page.locator("#log-step").select_option(label="Talk")
    expect(page.locator("#log-count")).to_have_text("303 lines")


@pytest.mark.shows("filter.date", "filter.status", on="console")
def test_filters_stand_in_the_address(console: Console) -> None:
    page = console.page
    page.get_by_label("Workflow", exact=True).fill("no-such-workflow")
    page.get_by_label("Status").select_option("Failed")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile(r"status=Failed.*workflow=no-such-workflow|workflow=no-such-workflow.*status=Failed"))
    expect(page.get_by_text("No executions.")).to_be_visible()
    expect(page.get_by_label("Status")).to_have_value("Failed")
    console.open("/console?range=24h")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert download.value.path().read_text().startswith("id,name,workflow,status")
    console.expect_no_faults()
    console.open("/console?range=custom&since=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("is no date")


@pytest.mark.shows("analytics.time", on="console")
def test_analytics_counts_by_status(console: Console) -> None:
    page = console.page
    page.get_by_role("link", name="Analytics").click()
    for period in ("Last 7 days", "Last 14 days", "Last 30 days", "Last 12 months"):
        page.get_by_label("Period").select_option(label=period)
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".chart svg")).to_have_attribute("aria-label", f"Executions, {period.lower()}")
    page.get_by_label("Time zone").fill("Nowhere/Land")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("there is no time zone")
    console.picture("analytics")


@pytest.mark.shows(
    "trouble.webhook", "executing.on-push", "column.triggered-by", "column.trigger", "view.header", on="console"
)
def test_deliveries_say_why_and_are_carried_out_again(serving: Gateway, console: Console) -> None:
    def push_to(branch: str, secret: str = SECRET) -> None:
        body, headers = from_github(secret, "push", push(branch, message=str(uuid4())))
        answer = serving.hook("answering", "push", body, headers)
        assert answer.status_code == (202 if secret == SECRET else 401), answer.text

    page = console.page
    push_to("main", "what somebody else knows")
    push_to("dev")
    push_to("main")
    page.get_by_role("link", name="Deliveries").click()
    rows = page.locator("#rows tbody tr")
    started = rows.filter(has_text="started run")
    expect(started).to_have_count(1, timeout=RUN_MILLISECONDS)
    expect(rows.filter(has_text="refused").filter(has_text="signature")).to_have_count(1)
    left_out = rows.filter(has_text="ignored").filter(has_text="'dev'")
    expect(left_out).to_have_count(1)
    expect(rows.filter(has_text="refused").get_by_role("button", name="Redeliver")).to_have_count(0)
    console.picture("deliveries")
    left_out.get_by_role("button", name="Redeliver").click()
    expect(left_out).to_have_count(2)
    started.get_by_role("button", name="Redeliver").click()
    expect(started).to_have_count(2, timeout=RUN_MILLISECONDS)
    started.last.get_by_role("link", name="wfr_").click()
    console.expect_run("Succeeded")
    expect(page.locator("#head")).to_contain_text("Git Push (main @ abc1234)")
    expect(page.locator("#head")).to_contain_text("abc1234def56")
    expect(page.locator("#head")).to_contain_text("jane")
    console.expect_no_faults()


@pytest.mark.shows("executing.page", "viewing.workflow", on="console")
def test_a_workflow_is_paused_and_activated(console: Console) -> None:
    page = console.page
    page.get_by_role("link", name="Workflows").click()
    page.get_by_role("link", name="talking/talking").click()
    expect(page.locator("pre").last).to_contain_text("name: talking")
    expect(page.locator("svg g.node")).to_have_count(3)
    console.picture("workflow")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Paused")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Active")
    console.expect_no_faults()


def test_who_may_only_look_finds_no_button(serving: Gateway, browser_page: Page) -> None:
    console = Console(serving, browser_page)
    console.sign_in(token_of("vera@example.com"))
    page = console.page
    console.open("/console/workflows/talking/talking")
    expect(page.get_by_role("heading", name="Definition")).to_be_visible()
    for name in ("Execute Now", "Pause"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    console.open("/console/executions/wfr_nothing")
    expect(page.get_by_role("alert")).to_contain_text("there is no run 'wfr_nothing'")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your token")).to_be_visible()
    console.open("/console/deliveries")
    expect(page.get_by_label("Your token")).to_be_visible()


def test_nothing_is_shown_or_done_without_a_sign_in_or_from_another_page(serving: Gateway) -> None:
    paths = (
        "",
        "/live",
        "/approvals",
        "/analytics",
        "/deliveries",
        "/workflows",
        "/executions/wfr_x",
        "/executions.csv",
    )
    for path in paths:
        answer = httpx.get(f"{serving.url}/console{path}", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), path
    vera = {"authorization": f"Bearer {token_of('vera@example.com')}", "accept": "text/html"}
    refused = httpx.post(f"{serving.url}/console/workflows/talking/talking/pause", headers=vera)
    assert refused.status_code == 403
    with httpx.Client(base_url=serving.url) as browser:
        signed = {"sec-fetch-site": "same-origin"}
        browser.post("/sign-in", data={"token": token_of("ann@example.com")}, headers=signed)
        page = browser.get("/console")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        forged = browser.post("/console/workflows/talking/talking/pause", headers=signed)
        assert forged.status_code == 403, "the page's token is missing"
        foreign = browser.post("/console/workflows/talking/talking/pause", headers={"sec-fetch-site": "cross-site"})
        assert foreign.status_code == 403
