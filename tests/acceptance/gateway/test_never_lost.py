"""Deliveries that come while things break: each starts exactly one run."""

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.acceptance.gateway.conftest import SECRET, TRIGGERED, save_secrets
from tests.acceptance.gateway.payloads import push
from tests.support.deployed import Site
from tests.support.gateway import Gateway, from_github, gateway, until
from tests.support.server import PrefectServer, prefect_server

AT_ONCE = 8


class Sender:
    """A service that delivers each event several times, and again until it is taken."""

    def __init__(self, serving: Gateway, workflow: str) -> None:
        self.serving = serving
        self.workflow = workflow
        self.taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def deliver(self, number: int) -> None:
        body, headers = from_github(SECRET, "push", push(commit=commit_of(number)), delivery=f"delivery-{number}")
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                answer = self.serving.hook(self.workflow, "push", body, headers)
            except httpx.TransportError:
                time.sleep(0.3)
                continue
            assert answer.status_code in {202, 503}, answer.text
            if answer.status_code == 202:
                with self._lock:
                    self.taken[number] += 1
                return
            time.sleep(0.3)
        raise AssertionError(f"delivery {number} was never taken")


def commit_of(number: int) -> str:
    """A commit's name; no commit is called by zeros alone, which stand for a deleted branch."""
    return f"{number + 1:040x}"


def runs_of(server: PrefectServer, workflow: str) -> list[str]:
    """The commits that runs were started for."""
    found: list[str] = []
    while True:
        wanted = {"flows": {"name": {"any_": [workflow]}}, "limit": 200, "offset": len(found)}
        page = httpx.post(f"{server.url}/flow_runs/filter", json=wanted, timeout=60).raise_for_status().json()
        found += [run["parameters"]["commit"] for run in page]
        if len(page) < 200:
            return found


@pytest.mark.parametrize(
    ("events", "seconds_away"),
    [pytest.param(40, 5.0, id="some"), pytest.param(1000, 30.0, id="many", marks=pytest.mark.slow)],
)
def test_each_delivery_starts_one_run(tmp_path: Path, events: int, seconds_away: float) -> None:
    seed = int(os.environ.get("WFEXEC_SEED", random.randrange(10**6)))
    print(f"WFEXEC_SEED={seed}")
    numbers = [number for number in range(events) for _ in range(5)]
    random.Random(seed).shuffle(numbers)
    with prefect_server() as server:
        site = Site(server, tmp_path)
        save_secrets(site)
        site.workflow("never-lost", TRIGGERED.format(name="never-lost"))
        site.deploy()
        with gateway(server.environment, tmp_path) as serving:
            sender = Sender(serving, "never-lost")
            third = len(numbers) // 3
            with ThreadPoolExecutor(AT_ONCE) as pool:
                first = [pool.submit(sender.deliver, number) for number in numbers[:third]]
                serving.kill()
                serving.start()
                server.kill()
                second = [pool.submit(sender.deliver, number) for number in numbers[third : 2 * third]]
                time.sleep(seconds_away)
                server.start()
                serving.stop()
                third_part = [pool.submit(sender.deliver, number) for number in numbers[2 * third :]]
                serving.start()
                for one in (*first, *second, *third_part):
                    one.result()
            assert sum(sender.taken.values()) == 5 * events
            until(lambda: not [row for row in serving.deliveries() if row["outcome"] == "accepted"], 900)
            once = [row for row in serving.deliveries() if row["outcome"] != "duplicate"]
            assert [row for row in once if row["outcome"] != "started"] == []
            assert len(once) == events
            commits = runs_of(server, "never-lost")
            assert Counter(commits) == Counter(commit_of(number) for number in range(events))
