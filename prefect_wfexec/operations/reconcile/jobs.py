"""What takes long, beside the looks at the other runs: a cleanup may wait for its lock, or for its approval."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from prefect_wfexec.errors import WfexecError, one_line
from prefect_wfexec.views.live import PassedOver


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done for a run."""

    run: str
    act: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"run": self.run, "act": self.act, "reason": self.reason}


Job = Coroutine[Any, Any, Act | None]


class Jobs:
    """One job for each run at most, in this process."""

    def __init__(self) -> None:
        self._names: dict[UUID, str] = {}
        self._tasks: dict[UUID, asyncio.Task[Act | None]] = {}

    @property
    def are_going(self) -> bool:
        """Whether any goes on, or has ended and was not told of."""
        return bool(self._tasks)

    def has(self, run_id: UUID) -> bool:
        return run_id in self._tasks

    def start(self, run_id: UUID, name: str, job: Job) -> None:
        """Begin a job for the run of that name, which has none."""
        self._names[run_id] = name
        self._tasks[run_id] = asyncio.create_task(job, name=f"wfexec-reconcile-{name}")

    async def wait(self, seconds: float) -> None:
        """Until one has ended, or for this long."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    def ended(self) -> tuple[list[Act], list[PassedOver]]:
        """What those did that have ended since this was asked last, and what stopped them."""
        acts, failed = [], []
        for run_id in [run_id for run_id, task in self._tasks.items() if task.done()]:
            name, task = self._names.pop(run_id), self._tasks.pop(run_id)
            try:
                act = task.result()
            except WfexecError as error:
                failed.append(PassedOver(name, one_line(error)))
            except httpx.HTTPError as error:
                failed.append(PassedOver(name, f"prefect's API was out of reach: {error!r}"))
            else:
                acts += [act] if act is not None else []
        return acts, failed
