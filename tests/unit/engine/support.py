"""Workflows for tests, and what decides for them."""

from collections.abc import Sequence
from typing import Any

from prefect_wfexec.definition.model import Input, Step, Workflow
from prefect_wfexec.engine.decide import Decider
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.steps.base import RunInfo
from tests.unit.journal.support import RUN

RUN_INFO = RunInfo(id=RUN, name="wfr_test", workflow="example", api_url="http://127.0.0.1:4200/api")


def step(step_id: str, *needs: str, uses: str = "shell", **more: Any) -> Step:
    return Step(id=step_id, name=more.pop("name", step_id), uses=uses, needs=needs, **more)


def workflow(*steps: Step, inputs: Sequence[Input] = (), **more: Any) -> Workflow:
    return Workflow(name="example", steps=steps, inputs=tuple(inputs), digest="d" * 64, text="text", **more)


def decider(*steps: Step, engine: str = "e1") -> Decider:
    one = workflow(*steps)
    outline = Outline(one)
    return Decider(outline, Scopes(one, outline, RUN_INFO), engine)
