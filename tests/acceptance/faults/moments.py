"""Moments drawn at random, the same in every process of one test run."""

import os
import random
import signal
import time

import pytest

from tests.acceptance.faults.slow_apply import PAUSE_SECONDS, RESOURCES, SlowApply

APPLY_SECONDS = PAUSE_SECONDS * len(RESOURCES)
SAMPLE, FULL = 2, 20
# The processes of one pytest-xdist run have to draw the same moments: each collects the tests by itself.
_drawn = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or random.SystemRandom().random())


def moments(count: int) -> list[pytest.param]:
    """Moments drawn uniformly over the apply; the seed is in the test's name."""
    seeds = [_drawn.randrange(1_000_000) for _ in range(count)] if count == SAMPLE else range(count)
    return [pytest.param(random.Random(seed).uniform(0, APPLY_SECONDS), id=f"seed{seed}") for seed in seeds]


def pause(seconds: float) -> None:
    """Let the apply go on until the moment that was drawn: the one wait here that is no condition."""
    time.sleep(seconds)


def kill_flow_process(slow_apply: SlowApply, moment: float) -> str:
    """Kill the flow's process in mid-apply; the run's name, once nothing of it is left."""
    going = slow_apply.start()
    pause(moment)
    supervisors = slow_apply.supervisors()
    going.process.send_signal(signal.SIGKILL)
    going.process.wait()
    slow_apply.wait_until_gone(*supervisors)
    return going.run
