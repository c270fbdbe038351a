"""The JSON Schema agrees with the loader."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.document import read_document
from prefect_wfexec.definition.schema import json_schema
from prefect_wfexec.steps.registry import catalog as real_catalog

VALID = sorted((Path(__file__).parents[2] / "definitions" / "valid").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema(real_catalog())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_every_valid_definition_fits(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    data = read_document(path.read_text(), path.name).data
    assert [error.message for error in validator.iter_errors(data)] == []


GOOD: dict[str, Any] = {
    "version": 1,
    "name": "x",
    "steps": [
        {"id": "plan", "uses": "terraform.plan", "with": {"dir": "infra"}},
        {"id": "gate", "uses": "approval", "with": {"quorum": "${{ inputs.n }}", "expires": "4h"}},
        {"id": "say", "run": "echo", "with": {"dir": "x"}, "timeout": "1h30m", "retry": {"delay": 5}},
    ],
    "triggers": [{"id": "a", "type": "schedule", "cron": "0 2 * * *"}],
}


def test_the_base_of_these_tests_fits(validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(GOOD)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nmae",), "x"),
        (("version",), 2),
        (("name",), "Big Name"),
        (("phases",), {"build": []}),
        (("inputs",), {"a-b": {}}),
        (("inputs",), {"wfexec_context": {}}),
        (("inputs",), {"a": {"type": "text"}}),
        (("steps",), []),
        (("steps", 0, "tiemout"), "3m"),
        (("steps", 0, "timeout"), "soon"),
        (("steps", 0, "when"), "sucess"),
        (("steps", 0, "uses"), "terraform.pln"),
        (("steps", 0, "with", "dri"), "x"),
        (("steps", 0, "with", "dir"), 5),
        (("steps", 0, "run"), "echo"),
        (("steps", 0, "id"), "a-b"),
        (("steps", 0, "environments"), ["x"]),
        (("steps", 1, "with", "quorum"), "many"),
        (("steps", 1, "with", "expires"), "soon"),
        (("steps", 2, "run"), "echo ${{ inputs.x }}"),
        (("steps", 2, "with", "path"), "x"),
        (("steps", 2, "env"), {"A-B": "x"}),
        (("steps", 2, "retry", "attempts"), 0),
        (("steps", 2, "cleanup"), {}),
        (("steps", 2, "cleanup"), {"uses": "approval"}),
        (("triggers", 0, "type"), "gihub"),
        (("triggers", 0, "type"), "github"),
        (("triggers", 0, "interval"), "1h"),
        (("triggers", 0, "secret"), "x"),
        (("concurrency",), {"on_conflict": "queue"}),
        (("defaults",), {"timeot": "3m"}),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(
    path: tuple[str | int, ...], value: object, validator: jsonschema.Draft202012Validator
) -> None:
    changed = copy.deepcopy(GOOD)
    holder: Any = changed
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    assert list(validator.iter_errors(changed))


def test_it_is_the_same_each_time_and_has_no_dangling_reference(catalog: Catalog) -> None:
    schema = json_schema(catalog)
    assert schema == json_schema(catalog)
    names = set(schema["$defs"])

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"].removeprefix("#/$defs/")} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(one) for one in value.values()))
        return set().union(*(references(one) for one in value)) if isinstance(value, list) else set()

    assert references(schema) <= names
