"""The floor: Prefect flows as a person would write them by hand for the same work. Nothing of ours is imported here.

Tasks are called directly, the cheapest way Prefect has.
"""

import time
from collections.abc import Callable
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.flow_runs import pause_flow_run

DECISION_SECONDS = 600


@task
def nothing() -> None:
    """Does nothing."""


@flow(name="floor-chain")
def chain(size: int) -> None:
    for _ in range(size):
        nothing()


@task
def shell(script: str) -> None:
    from prefect_shell import ShellOperation

    ShellOperation(commands=[script]).run()


@flow(name="floor-shell")
def shell_chain(size: int, script: str = "true") -> None:
    for _ in range(size):
        shell(script)


@task
def log_lines(size: int) -> None:
    logger = get_run_logger()
    for number in range(1, size + 1):
        logger.info("line %d", number)


@flow(name="floor-lines")
def lines(size: int) -> None:
    log_lines(size)


@task
def stamp() -> float:
    return time.time()


@flow(name="floor-gates")
def gates(size: int) -> list[float]:
    """Pauses as Prefect has them, at their own polling."""
    moments = []
    for _ in range(size):
        pause_flow_run(timeout=DECISION_SECONDS)
        moments.append(stamp())
    return moments


FLOWS: dict[str, Callable[..., Any]] = {
    "chain": chain,
    "shell_chain": shell_chain,
    "lines": lines,
    "gates": gates,
}
