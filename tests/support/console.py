"""The console in a browser, worked as a person works it."""

import os
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import RUN_SECONDS, SCREENSHOTS
from tests.support.gateway import Gateway

RUN_MILLISECONDS = RUN_SECONDS * 1000


class Console:
    """What a person does on the console's pages, and what they see there.

    Attributes:
        page: The browser's page.
        faults: What its script or the policy it runs under has complained of.
    """

    def __init__(self, gateway: Gateway, page: Page) -> None:
        self.gateway = gateway
        self.page = page
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)

    def open(self, path: str = "/console") -> None:
        self.page.goto(f"{self.gateway.url}{path}")

    def sign_in(self, token: str) -> None:
        """Come from outside, and type a token."""
        self.open("/")
        self.page.get_by_label("Your token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Executions")).to_be_visible()

    def execute(self, deployment: str, **inputs: str) -> str:
        """Start a workflow with its form; the run's address."""
        self.page.get_by_role("link", name="Workflows").click()
        self.page.get_by_role("link", name=deployment, exact=True).click()
        for name, value in inputs.items():
            field = self.page.locator(f"[name='input.{name}']")
            if field.evaluate("one => one.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        self.page.get_by_role("button", name="Execute Now").click()
        self.page.wait_for_url("**/console/executions/*")
        return self.page.url.removeprefix(self.gateway.url).partition("?")[0]

    def expect_run(self, status: str) -> None:
        """Wait until the head of the execution says so."""
        expect(self.page.locator("#head h1 .status")).to_contain_text(status, timeout=RUN_MILLISECONDS)

    def step(self, name: str) -> Locator:
        """A step's row."""
        return self.page.locator("table.steps tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def expect_steps(self, **statuses: str) -> None:
        """Wait until each step, by its name with underscores, has this status, in the list and in the graph."""
        for name, status in statuses.items():
            words = name.replace("_", " ")
            expect(self.step(words).locator(".status")).to_contain_text(status, timeout=RUN_MILLISECONDS)
            expect(self.page.locator(f"svg g.node:has(title:text-matches('^{words} .*: {status}'))")).to_have_count(1)

    def log_lines(self) -> Locator:
        """The lines of the log that are in sight."""
        return self.page.locator("#log-lines .row")

    def picture(self, name: str) -> None:
        """Keep a picture of the page for the documentation, when somebody makes those."""
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            self.page.screenshot(path=Path(folder) / f"console-{name}.png", full_page=True)

    def expect_no_faults(self) -> None:
        assert self.faults == []
