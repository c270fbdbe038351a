"""A workflow as a Prefect flow: signature, schema, and what Prefect accepts. No server."""

import inspect
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow
from pydantic.fields import FieldInfo

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.model import Input
from prefect_wfexec.engine.compiler import compile_workflow, load_workflow, workflow_of
from prefect_wfexec.engine.context import PARAMETER
from tests.unit.engine.support import step, workflow

INPUTS = (
    Input("zone", "string", "Where to.", enum=("eu", "us"), default="eu", required=False),
    Input("name", "string", "Who.", pattern="[a-z]{2}|x"),
    Input("count", "integer", default=3, required=False),
    Input("ratio", "number"),
    Input("dry", "boolean", default=False, required=False),
    Input("tags", "array", default=["a"], required=False),
    Input("labels", "object", required=False),
    Input("size", "integer", enum=(1, 2)),
)
GOOD = {"name": "ab", "ratio": 0.5, "size": 1}
FLOW = compile_workflow(workflow(step("a"), inputs=INPUTS, description="An example."))


def schema(flow: Flow[..., Any] = FLOW) -> dict[str, Any]:
    return flow.parameters.model_dump()


def test_the_flow_is_the_workflow() -> None:
    assert isinstance(FLOW, Flow)
    assert (FLOW.name, FLOW.version, FLOW.description) == ("example", "d" * 16, "An example.")
    assert FLOW.isasync
    assert not FLOW.persist_result
    assert FLOW.fn.__name__ == "example"
    found = workflow_of(FLOW)
    assert found is not None
    assert found.inputs == INPUTS
    assert workflow_of(object()) is None


def test_a_name_with_hyphens_is_a_function_too() -> None:
    flow = compile_workflow(replace(workflow(), name="production-deploy", description=""))
    assert (flow.name, flow.fn.__name__, flow.description) == ("production-deploy", "production_deploy", None)


def test_the_signature_is_the_inputs_and_one_more() -> None:
    parameters = list(inspect.signature(FLOW.fn).parameters.values())
    assert [one.name for one in parameters] == [*(one.name for one in INPUTS), PARAMETER]
    assert {one.kind for one in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty]
    assert required == ["name", "ratio", "size"]
    for declared, one in zip(INPUTS, parameters[:-1], strict=True):
        assert get_origin(one.annotation) is Annotated
        field = get_args(one.annotation)[1]
        assert isinstance(field, FieldInfo)
        assert field.description == (declared.description or None)
        assert declared.required or one.default == declared.default
    assert FLOW.fn.__annotations__.keys() == {one.name for one in parameters}


def test_the_run_form_shows_types_choices_defaults_and_descriptions() -> None:
    properties = schema()["properties"]
    assert set(schema()["required"]) == {"name", "ratio", "size"}
    assert properties["zone"]["enum"] == ["eu", "us"]
    assert properties["zone"]["default"] == "eu"
    types = {name: properties[name].get("type") for name in ("name", "count", "ratio", "dry", "tags")}
    assert types == {"name": "string", "count": "integer", "ratio": "number", "dry": "boolean", "tags": "array"}
    assert (properties["count"]["default"], properties["tags"]["default"]) == (3, ["a"])
    positions = [properties[one.name]["position"] for one in INPUTS]
    assert positions == sorted(positions)


def test_the_run_form_shows_descriptions() -> None:
    properties = schema()["properties"]
    assert properties["zone"]["description"] == "Where to."
    assert "description" not in properties["count"]
    assert properties[PARAMETER]["description"]


def test_the_reserved_parameter_carries_the_definition_through_a_deployment() -> None:
    properties = schema()["properties"]
    reserved = properties[PARAMETER]
    assert reserved["position"] == max(one["position"] for one in properties.values())
    assert reserved["x-wfexec"] == {"definition": "text", "digest": "d" * 64}
    assert (reserved["type"], reserved["default"]) == ("string", "{}")
    assert [name for name, one in properties.items() if "x-wfexec" in one] == [PARAMETER]
    assert json.loads(json.dumps(schema())) == schema()


def test_what_is_left_out_has_its_default() -> None:
    assert FLOW.validate_parameters(GOOD) == {
        **GOOD,
        "zone": "eu",
        "count": 3,
        "dry": False,
        "tags": ["a"],
        "labels": None,
        PARAMETER: "{}",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zone", "us"),
        ("count", 0),
        ("ratio", 2),
        ("ratio", -1.5),
        ("dry", True),
        ("tags", []),
        ("tags", [{"a": [1]}]),
        ("labels", {}),
        ("labels", {"a": {"b": 1}}),
        ("size", 2),
        ("name", "x"),
        (PARAMETER, '{"a": 1}'),
    ],
)
def test_prefect_takes_what_fits(name: str, value: Any) -> None:
    assert FLOW.validate_parameters({**GOOD, name: value})[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zone", "ap"),
        ("zone", None),
        ("name", 7),
        ("name", "AB"),
        ("count", "three"),
        ("count", 1.5),
        ("count", None),
        ("ratio", "half"),
        ("dry", "perhaps"),
        ("tags", "a"),
        ("tags", {"a": 1}),
        ("labels", ["a"]),
        ("size", 3),
        (PARAMETER, {"a": 1}),
        (PARAMETER, None),
    ],
)
def test_prefect_refuses_what_does_not(name: str, value: Any) -> None:
    with pytest.raises(ParameterTypeError, match=name):
        FLOW.validate_parameters({**GOOD, name: value})


@pytest.mark.parametrize("missing", list(GOOD))
def test_prefect_wants_what_is_required(missing: str) -> None:
    with pytest.raises(ParameterTypeError, match=missing):
        FLOW.validate_parameters({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize("value", ["abx", "eux", "1ab", "ab\n", "x\n"])
def test_a_pattern_is_for_the_whole_value(value: str) -> None:
    with pytest.raises(ParameterTypeError, match="name"):
        FLOW.validate_parameters({**GOOD, "name": value})


def test_one_file_is_one_flow(tmp_path: Path) -> None:
    path = tmp_path / "hello.yaml"
    path.write_text("version: 1\nname: hello\nsteps:\n  - {id: say, run: echo hello}\n")
    flow = load_workflow(path)
    found = workflow_of(flow)
    assert found is not None
    assert (flow.name, found.path, flow.version) == ("hello", path, found.digest[:16])
    assert schema(flow)["properties"][PARAMETER]["x-wfexec"]["definition"] == path.read_text()


def test_diagnostics_are_told_before_the_import_fails(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: 1\nname: bad\nsteps:\n  - {id: say, rum: echo}\n  - {id: say, run: echo}\n")
    with pytest.raises(DefinitionError):
        load_workflow(path)
    code = f"from prefect_wfexec import load_workflow; load_workflow({str(path)!r})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert told.stderr.count("bad.yaml:") >= 2
    assert "error[unknown-key]" in told.stderr.split("Traceback")[0]
