"""Executions for tests."""

from datetime import datetime
from typing import Any

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.status import RunStatus
from prefect_wfexec.views.execution import Execution, RunHeader
from tests.unit.journal.support import RUN, at, folded

LATER = at(1000)


def header(**more: Any) -> RunHeader:
    given: dict[str, Any] = {
        "id": RUN,
        "name": "wfr_8x7y6z5w",
        "workflow": "production-deploy",
        "status": RunStatus.PENDING,
        "triggered_by": "Manual",
        "user": None,
        "triggered_at": at(-5),
        "started": None,
        "ended": None,
        "inputs": {},
    }
    return RunHeader(**{**given, **more})


def execution(workflow: Workflow | None, *facts: Fact, now: datetime = LATER, **more: Any) -> Execution:
    return Execution(header(**more), folded(*facts), workflow, now)
