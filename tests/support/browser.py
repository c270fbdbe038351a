"""Prefect's own pages in a real browser, worked as a person works them."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
from playwright.sync_api import Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.support.server import PrefectServer

ACTION_SECONDS = 90.0
"""Longer than the minute for which a server on SQLite may stand still when one writer waits for another."""

RUN_SECONDS = 180.0
"""What no run of these tests takes, on a busy machine with a worker that has just started."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = "the browser tests need chromium: apt-get install -y --no-install-recommends chromium"

SCREENSHOTS = "WFEXEC_SCREENSHOTS"
"""The folder that gets a picture of each page the documentation shows; unset, none is made."""


class BrowserMissing(Exception):
    """There is no browser on this machine."""


def browser_program() -> str:
    """The browser's path.

    Raises:
        BrowserMissing: none is installed.
    """
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            return found
    raise BrowserMissing(MISSING)


@contextlib.contextmanager
def opened_page(width: int = 1280, height: int = 720) -> Iterator[Page]:
    """An empty page of a browser that keeps nothing."""
    program = browser_program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(ARGUMENTS))
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, timezone_id="UTC")
            page = context.new_page()
            page.set_default_timeout(ACTION_SECONDS * 1000)
            expect.set_options(timeout=ACTION_SECONDS * 1000)
            yield page
        finally:
            browser.close()


class PrefectPages:
    """What a person does on Prefect's pages, and what they see there."""

    def __init__(self, server: PrefectServer, page: Page) -> None:
        self.page = page
        self.root = server.url.removesuffix("/api")
        self._api = httpx.Client(base_url=server.url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._api.close()

    def ask(self, path: str, body: Any = None) -> Any:
        """What Prefect's API answers: for what the pages only draw."""
        response = self._api.get(path) if body is None else self._api.post(path, json=body)
        response.raise_for_status()
        return response.json()

    def open_deployment(self, name: str) -> None:
        """The page of a deployment."""
        deployment = self.ask(f"/deployments/name/{name}/{name}")
        self.page.goto(f"{self.root}/deployments/deployment/{deployment['id']}")

    def choose_run(self, how: str) -> None:
        """*Run*, and one of the two entries it opens; again when the page, drawn anew, closed them."""
        entry = self.page.get_by_text(how, exact=True)
        for _ in range(5):
            self.page.get_by_role("button", name="Run", exact=True).click()
            with contextlib.suppress(PlaywrightTimeout):
                entry.click(timeout=5000)
                return
        entry.click()

    def started_by(self, click: Callable[[], None]) -> UUID:
        """Start a run, again when a busy server refuses, and go to the run's page.

        By its address, not from the list of runs this leads to: a busy server may leave that list empty.
        """
        for _ in range(5):
            with self.page.expect_response(re.compile("/create_flow_run$"), timeout=RUN_SECONDS * 1000) as answer:
                click()
            if answer.value.ok:
                break
        run_id = UUID(answer.value.json()["id"])
        self.page.wait_for_url(re.compile("/deployments/deployment/[^/]+$"))
        self.open_run(run_id)
        return run_id

    def open_run(self, run_id: UUID, tab: str = "") -> None:
        """The page of a run, on one of its tabs."""
        self.page.goto(f"{self.root}/runs/flow-run/{run_id}")
        if tab:
            self.page.get_by_role("tablist").get_by_text(tab, exact=True).click()

    def expect_run(self, words: str) -> None:
        """Wait until the run's badge says this; loaded again meanwhile, for the page looks but twice a minute."""
        badge = self.page.locator(".page-heading .state-badge")
        until = time.monotonic() + RUN_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(AssertionError):
                expect(badge).to_have_text(words, timeout=3000)
                return
            self.page.reload()
        expect(badge).to_have_text(words)

    def start(self, name: str) -> UUID:
        """*Quick run*, then the page of the run."""
        self.open_deployment(name)
        return self.started_by(lambda: self.choose_run("Quick run"))

    def field(self, title: str, within: Locator | None = None) -> Locator:
        """The field of a form by its title."""
        label = self.page.locator(".schema-form-property__label", has_text=re.compile(rf"^{title}( \(Optional\))?$"))
        return (within or self.page.locator("body")).locator(".schema-form-property").filter(has=label)

    def choices(self, field: Locator) -> list[str]:
        """What a field offers to choose from; its list stays open."""
        field.locator(".p-select-button__icon").click()
        expect(self.page.get_by_role("option").first).to_be_visible()
        return self.page.get_by_role("option").all_inner_texts()

    def choose(self, field: Locator, value: str) -> None:
        """Choose from a field's list."""
        assert value in self.choices(field)
        self.page.get_by_role("option", name=value, exact=True).click()
        expect(field.locator(".p-select-button__value")).to_have_text(value)

    def open_form(self) -> Locator:
        """*Resume*: the form of the gate."""
        self.page.get_by_role("button", name="Resume").click()
        form = self.page.get_by_role("dialog")
        expect(self.field("Decision", form)).to_be_visible()
        return form

    def send(self, form: Locator) -> None:
        """Submit a form that is filled in; again, as a person would, when a busy server did not take it."""
        for _ in range(5):
            self.submit(form)
            with contextlib.suppress(AssertionError):
                expect(form).to_be_hidden(timeout=10_000)
                return
        expect(form).to_be_hidden()

    def submit(self, form: Locator) -> None:
        form.get_by_role("button", name="Submit").click()

    def expect_task_runs(self, run_id: UUID, words: dict[str, str]) -> None:
        """Wait until the page shows these task runs and no other: their states reach the server as events."""
        self.open_run(run_id, "Task Runs")
        rows = self.page.locator(".task-run-list-item")
        for name, word in words.items():
            link = self.page.get_by_role("link", name=name, exact=True)
            expect(rows.filter(has=link).locator(".state-badge")).to_have_text(word)
        expect(rows).to_have_count(len(words))

    def badge_color(self, words: str) -> tuple[int, ...]:
        """The red, green and blue of a task run's badge."""
        badge = self.page.locator(".task-run-list-item .state-badge", has_text=words).first
        color = str(badge.evaluate("element => getComputedStyle(element).backgroundColor"))
        return tuple(int(number) for number in re.findall(r"\d+", color)[:3])

    def graph(self, run_id: UUID) -> dict[str, Sequence[str]]:
        """What the page draws, as the page asks for it: each node, and the nodes its arrows come from."""
        nodes = [node for _, node in self.ask(f"/flow_runs/{run_id}/graph-v2")["nodes"]]
        labels = {node["id"]: node["label"] for node in nodes}
        assert len(set(labels.values())) == len(nodes), labels
        # Below a node with two parents Prefect tells the same arrow twice.
        return {node["label"]: sorted({labels[parent["id"]] for parent in node["parents"]}) for node in nodes}

    def artifact(self, run_id: UUID, name: str) -> Locator:
        """Open one of the run's artifacts, of which there is one; its text."""
        self.open_run(run_id, "Artifacts")
        card = self.page.locator(".artifact-card__title", has_text=re.compile(rf"^wfr-[0-9a-z]+-{name}$"))
        expect(card).to_have_count(1)
        card.click()
        text = self.page.locator(".artifact-data-markdown")
        expect(text).to_be_visible()
        return text

    def picture(self, name: str, run_id: UUID | None = None) -> None:
        """Keep a picture of the page for the documentation, when somebody asked for pictures.

        Args:
            name: The picture's name.
            run_id: The run to open first, so that its graph is drawn as a whole.
        """
        folder = os.environ.get(SCREENSHOTS)
        if not folder:
            return
        if run_id is not None:
            self.open_run(run_id)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(3000)  # the graph moves into place; no element tells when it is there
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
