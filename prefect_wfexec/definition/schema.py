"""The language as a JSON Schema, for editors and other tools.

Made from the shapes the loader checks with, and from each step type's `with` model. It can't say everything: order,
references and expressions are checked by the loader alone.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from prefect_wfexec.definition.catalog import Catalog, StepSpec
from prefect_wfexec.definition.check_inputs import RESERVED
from prefect_wfexec.definition.raw import (
    DEPLOY_PHASE,
    INPUT_PATTERN,
    PHASES,
    RawCleanup,
    RawCleanupRules,
    RawConcurrency,
    RawDefaults,
    RawInput,
    RawRetry,
    RawStep,
    RawWorkflow,
)
from prefect_wfexec.definition.raw_triggers import REQUIRED, TRIGGERS

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXPRESSION: Schema = {"$ref": "#/$defs/Expression"}
_OWN = (RawInput, RawRetry, RawCleanup, RawCleanupRules, RawConcurrency, RawDefaults, RawStep, RawWorkflow)


def json_schema(catalog: Catalog) -> Schema:
    """The JSON Schema (draft 2020-12) of a definition whose steps are of the catalog's types."""
    definitions = _definitions(catalog)
    workflow = definitions.pop("RawWorkflow")
    _complete_step(definitions["RawStep"], catalog)
    _complete_cleanup(definitions["RawCleanup"], catalog)
    _complete_triggers(definitions)
    definitions["RawConcurrency"]["required"] = ["key"]
    definitions["Expression"] = {"type": "string", "pattern": r"\$\{\{", "description": "Holds an expression ${{ … }}."}
    return {
        "$schema": DIALECT,
        "title": "prefect-wfexec workflow",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "name"],
        "oneOf": [{"required": ["steps"]}, {"required": ["phases"]}],
        "properties": _top(workflow["properties"]),
        "$defs": dict(sorted(definitions.items())),
    }


def _definitions(catalog: Catalog) -> dict[str, Schema]:
    own: list[type[BaseModel]] = [*_OWN, *dict.fromkeys(TRIGGERS.values())]
    models = [(model, "validation") for model in dict.fromkeys(own)]
    _, shared = models_json_schema(models, by_alias=True)  # type: ignore[arg-type]
    found: dict[str, Schema] = {name: _tidy(schema) for name, schema in shared["$defs"].items()}
    for spec in catalog.specs.values():
        found |= _with_definitions(spec)
    return found


def _with_definitions(spec: StepSpec) -> dict[str, Schema]:
    """The schema of a step type's `with` and of what it holds, under names no other step type uses."""
    schema = spec.inputs.model_json_schema(by_alias=True, ref_template=f"#/$defs/{_with_name(spec)}.{{model}}")
    inner = schema.pop("$defs", {})
    found = {f"{_with_name(spec)}.{name}": _allow_expressions(_tidy(one)) for name, one in inner.items()}
    found[_with_name(spec)] = _allow_expressions(_tidy(schema))
    return found


def _with_name(spec: StepSpec) -> str:
    return f"with.{spec.name}"


def _tidy(schema: Any) -> Any:
    """Without the titles pydantic makes up and the defaults, which are not what a left-out key means everywhere."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if key not in {"title", "default"}}
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    if isinstance(schema.get("properties"), Mapping):
        tidy["properties"] = {key: _tidy(value) for key, value in schema["properties"].items()}
    return tidy


def _allow_expressions(schema: Schema) -> Schema:
    """Let an expression stand for every value, at any depth."""
    for key in ("properties", "patternProperties"):
        if key in schema:
            schema[key] = {name: _or_expression(value) for name, value in schema[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _or_expression(schema[key])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            schema[key] = [_allow_expressions(one) for one in schema[key]]
    return schema


def _or_expression(schema: Any) -> Any:
    if not isinstance(schema, dict) or not schema:
        return schema
    inner = _allow_expressions(schema)
    description = inner.pop("description", None)
    either: Schema = {"anyOf": [inner, _EXPRESSION]} if inner else {}
    return {"description": description, **either} if description else either


def _complete_step(step: Schema, catalog: Catalog) -> None:
    properties = step["properties"]
    step["required"] = ["id"]
    step["anyOf"] = [{"required": ["uses"]}, {"required": ["run"]}]
    properties["uses"] = {"enum": sorted(catalog.specs), "description": properties["uses"]["description"]}
    properties["run"]["not"] = {"pattern": r"\$\{\{"}
    step["allOf"] = [_step_rule(spec) for _, spec in sorted(catalog.specs.items())]
    shell = catalog.specs[catalog.default] if catalog.default is not None else None
    if shell is not None:
        without_uses = {
            "if": {"not": {"required": ["uses"]}},
            "then": {"properties": {"with": _ref(_with_name(shell))}},
        }
        step["allOf"].append(without_uses)


def _step_rule(spec: StepSpec) -> Schema:
    """What `uses` of one step type asks of the other keys."""
    then: Schema = {"properties": {"with": _ref(_with_name(spec))}}
    required = ["run"] if spec.accepts_run else []
    if any(field.is_required() for field in spec.inputs.model_fields.values()):
        required.append("with")
    if required:
        then["required"] = required
    if not spec.accepts_run:
        then["properties"]["run"] = False
    if spec.is_gate:
        then["properties"]["environments"] = False
    return {"if": {"properties": {"uses": {"const": spec.name}}, "required": ["uses"]}, "then": then}


def _complete_cleanup(cleanup: Schema, catalog: Catalog) -> None:
    cleanup["required"] = ["uses"]
    usable = [spec for _, spec in sorted(catalog.specs.items()) if not spec.is_gate and not spec.accepts_run]
    cleanup["properties"]["uses"]["enum"] = [spec.name for spec in usable]
    cleanup["allOf"] = [
        {
            "if": {"properties": {"uses": {"const": spec.name}}, "required": ["uses"]},
            "then": {"properties": {"with": {"anyOf": [_ref(_with_name(spec)), {"type": "null"}]}}},
        }
        for spec in usable
    ]


def _complete_triggers(definitions: dict[str, Schema]) -> None:
    rules = []
    for kind, shape in TRIGGERS.items():
        required = list(REQUIRED.get(kind, ()))
        then: Schema = {"allOf": [_ref(shape.__name__)], "required": required}
        if kind == "schedule":
            then["oneOf"] = [{"required": ["cron"]}, {"required": ["interval"]}]
        if kind == "webhook":
            hmac = {"properties": {"scheme": {"const": "hmac"}}, "required": ["scheme"]}
            then |= {"if": hmac, "then": {"required": ["header"]}}
        rules.append({"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": then})
    definitions["Trigger"] = {
        "type": "object",
        "required": ["id", "type"],
        "properties": {"type": {"enum": list(TRIGGERS)}},
        "allOf": rules,
    }


_ONLY_DEPLOYS_HAVE_ENVIRONMENTS: Schema = {
    "if": {"not": {"properties": {"uses": {"pattern": r"^deploy\."}}, "required": ["uses"]}},
    "then": {"properties": {"environments": False}},
}


def _top(properties: dict[str, Schema]) -> Schema:
    elsewhere: Schema = {"allOf": [_ref("RawStep"), _ONLY_DEPLOYS_HAVE_ENVIRONMENTS]}
    steps: Schema = {"type": "array", "minItems": 1, "items": elsewhere}
    phases: dict[str, Schema] = {name: {"type": "array", "items": elsewhere} for name in PHASES}
    phases[DEPLOY_PHASE] = {"type": "array", "items": _ref("RawStep")}
    names: Schema = {"pattern": INPUT_PATTERN, "not": {"enum": sorted(RESERVED)}}
    shapes: dict[str, Schema] = {
        "inputs": {"type": "object", "propertyNames": names, "additionalProperties": _ref("RawInput")},
        "concurrency": _ref("RawConcurrency"),
        "cleanup": _ref("RawCleanupRules"),
        "defaults": _ref("RawDefaults"),
        "triggers": {"type": "array", "items": _ref("Trigger")},
        "steps": steps,
        "phases": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": phases,
        },
    }
    return {key: {**shapes.get(key, one), **_description(one)} for key, one in properties.items()}


def _description(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
