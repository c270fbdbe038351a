"""Which deployments are those of workflows."""

from typing import Any

import pytest

from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.views.deployments import is_workflow


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"a": {}, PARAMETER: {"x-wfexec": {"digest": "d"}}}}, True),
        ({"properties": {"a": {"type": "string"}}}, False),
        ({"properties": None}, False),
        ({"properties": {"a": None}}, False),
        ({}, False),
        (None, False),
        ([], False),
    ],
)
def test_a_workflow_is_known_by_its_deployment(schema: Any, expected: bool) -> None:
    assert is_workflow(schema) is expected
