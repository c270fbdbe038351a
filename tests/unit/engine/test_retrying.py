"""What somebody asks of a run that has ended, whoever wrote it."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import State, StateType

from prefect_wfexec.definition.model import Input
from prefect_wfexec.engine.retrying import require_inputs, retry_state
from prefect_wfexec.errors import UsageError
from tests.unit.engine.support import step, workflow

INPUTS = (Input("size", "integer"), Input("zone", "string", enum=("eu", "us")), Input("more", "object"))
ONE = workflow(step("a"), inputs=INPUTS)


def test_what_a_run_could_be_started_with_is_taken() -> None:
    require_inputs(ONE, {"size": 3, "zone": "eu", "more": {"a": [1]}})


@pytest.mark.parametrize(
    "inputs",
    [
        {"other": 1},
        {"size": "3"},
        {"zone": "mars"},
        {"more": {"deep": [{"__prefect_kind": "json"}]}},
        {"more": {"$ref": "x"}},
        {"zone": "\0"},
    ],
)
def test_anything_else_is_refused(inputs: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        require_inputs(ONE, inputs)


TYPES = {
    "Scheduled": StateType.SCHEDULED,
    "Late": StateType.SCHEDULED,
    "Resuming": StateType.SCHEDULED,
    "AwaitingRetry": StateType.SCHEDULED,
    "Pending": StateType.PENDING,
    "Running": StateType.RUNNING,
    "Approval Pending": StateType.PAUSED,
    "Failed": StateType.FAILED,
    "Crashed": StateType.CRASHED,
}


def asked(history: str) -> str:
    """The state that asks for a retry, by its place and name; the history is as Prefect gives it, in no order."""
    names = history.split(", ")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    states = [
        State[None](type=TYPES[name], name=name, timestamp=begin + timedelta(seconds=place))
        for place, name in enumerate(names)
    ]
    found = retry_state(reversed(states))
    return "" if found is None else f"{states.index(found)} {found.name}"


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ("Scheduled, Pending, Running", ""),
        ("Scheduled, Pending, Running, Failed", ""),
        ("Scheduled, Pending, Running, Failed, Running", ""),
        ("Scheduled, Pending, Running, Failed, AwaitingRetry, Pending", "4 AwaitingRetry"),
        ("Scheduled, Pending, Running, Failed, Scheduled", "4 Scheduled"),
        ("Scheduled, Pending, Running, Crashed, Scheduled, Late, Pending, Running", "4 Scheduled"),
        ("Scheduled, Running, Failed, Scheduled, Pending, Running, Failed", ""),
        ("Scheduled, Running, Approval Pending, Resuming, Pending", ""),
        ("Scheduled, Running, Crashed, Resuming, Pending", ""),
        ("Scheduled, Running, Failed, Pending, Scheduled", ""),
    ],
)
def test_what_takes_a_run_up_again_is_read_from_its_states(history: str, found: str) -> None:
    assert asked(history) == found
