"""The console in a real browser: how soon an execution is on the screen, and a line of its log."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.benchmarks.measuring import Measure
from tests.support.browser import opened_page
from tests.support.gateway import Gateway, gateway
from tests.support.signin import token_of, write_tokens
from tests.support.wfexec import Wfexec

TIMES = 5
LINES = 20
LOG_LINES = 100_000
RUN_SECONDS = 600.0
_PERSON = "ann@example.com"
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_MANY = "version: 1\nname: many-steps\nsteps:\n" + "".join(
    f"  - {{id: s{number}, uses: wait, with: {{for: 0s}}}}\n" for number in range(999)
)
_FLOOD = f"  - {{id: flood, run: seq -f 'line %.0f of the log' 1 {LOG_LINES}}}\n"
_TICKS = f"""
version: 1
name: ticks
steps:
  - {{id: tick, run: 'for n in $(seq {LINES}); do echo "tick $(date +%s.%N) "; sleep 0.7; done'}}
"""


@contextmanager
def _console(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[Gateway, Page]]:
    """A gateway, and a browser that has signed in to it."""
    tokens = write_tokens(folder / "tokens.yaml", {_PERSON: ["operator", "approver"]})
    environment = {**environment, "PREFECT_INTEGRATIONS_WFEXEC_TOKENS_FILE": str(tokens)}
    with gateway(environment, folder) as serving, opened_page(1440, 900) as page:
        page.goto(f"{serving.url}/")
        page.get_by_label("Your token").fill(token_of(_PERSON))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console*")
        yield serving, page


def painted(environment: Mapping[str, str], folder: Path) -> Measure:
    """Seconds until the page of a run of 1,000 steps is painted; noted, until 100,000 lines of its log are there."""
    wfexec = Wfexec({**os.environ, **environment}, folder)
    wfexec.write("many.yaml", _MANY + _FLOOD)
    going = wfexec.start("run", "many.yaml")
    ended = going.end(RUN_SECONDS)
    if ended.code != 0:
        raise RuntimeError(ended.out[-2000:] + ended.err[-2000:])
    paints: list[float] = []
    logs: list[float] = []
    with _console(environment, folder) as (serving, page):
        for _ in range(TIMES):
            began = time.perf_counter()
            page.goto(f"{serving.url}/console/executions/{going.run}", wait_until="commit")
            page.wait_for_function(_PAINT)
            paints.append(float(page.evaluate(_PAINT)) / 1000)
            page.wait_for_function(
                "wanted => document.getElementById('log-count')?.textContent.replace(/\\D/g, '') === wanted",
                arg=str(LOG_LINES),
            )
            logs.append(time.perf_counter() - began)
        heap = page.evaluate("() => performance.memory.usedJSHeapSize") / 2**20
    return Measure(tuple(paints), heap, {"whole_log_s": round(sorted(logs)[TIMES // 2], 2)})


def told(environment: Mapping[str, str], folder: Path) -> Measure:
    """Seconds from a line's being printed until the page shows it."""
    wfexec = Wfexec({**os.environ, **environment}, folder)
    wfexec.write("ticks.yaml", _TICKS)
    waits: list[float] = []
    with _console(environment, folder) as (serving, page):
        going = wfexec.start("run", "ticks.yaml")
        page.goto(f"{serving.url}/console/executions/{going.run}")
        for number in range(1, LINES + 1):
            row = page.locator("#log-lines .row .text").nth(number - 1)
            text = row.inner_text()
            waits.append(time.time() - float(text.split()[1]))
        ended = going.end()
    if ended.code != 0:
        raise RuntimeError(ended.out[-2000:])
    return Measure(tuple(waits), 0.0)
