"""What somebody asks of a run that has ended, whoever wrote it."""

import pytest

from prefect_wfexec.definition.model import Input
from prefect_wfexec.engine.retrying import require_inputs
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
