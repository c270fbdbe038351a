"""Finds what terraform marks as sensitive, so that it can be masked before anything is written."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import JSON

SHORTEST_NUMBER = 6


def leaf_strings(value: JSON) -> Iterator[str]:
    """Every string in a JSON value, and its longer numbers as text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from leaf_strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaf_strings(item)
    elif (
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) and len(str(value)) >= SHORTEST_NUMBER
    ):
        yield str(value)


def marked_strings(value: JSON, marks: JSON) -> Iterator[str]:
    """The strings under the places that `marks` (`before_sensitive`, `sensitive_values`, …) says are sensitive."""
    if marks is True:
        yield from leaf_strings(value)
    elif isinstance(marks, Mapping) and isinstance(value, Mapping):
        for key, mark in marks.items():
            if key in value:
                yield from marked_strings(value[key], mark)
    elif isinstance(marks, list) and isinstance(value, list):
        for item, mark in zip(value, marks, strict=False):
            yield from marked_strings(item, mark)


def plan_secrets(plan: Mapping[str, Any], given: Mapping[str, JSON] | None = None) -> set[str]:
    """Every sensitive string of a plan.

    Args:
        plan: The JSON of `show -json` for a saved plan.
        given: The variables the step gave: ephemeral ones do not stand in the plan.
    """
    found: set[str] = set()
    for item in [*plan.get("resource_changes", ()), *plan.get("resource_drift", ())]:
        found.update(_change_secrets(item.get("change", {})))
    for item in plan.get("action_invocations", ()):
        found.update(marked_strings(item.get("config_values"), item.get("config_sensitive")))
    for change in plan.get("output_changes", {}).values():
        found.update(_change_secrets(change))
    for state in (plan.get("planned_values", {}), plan.get("prior_state", {}).get("values", {})):
        found.update(state_secrets(state))
    found.update(_variable_secrets(plan, given or {}))
    return found


def _change_secrets(change: Mapping[str, Any]) -> Iterator[str]:
    yield from marked_strings(change.get("before"), change.get("before_sensitive"))
    yield from marked_strings(change.get("after"), change.get("after_sensitive"))


def state_secrets(values: Mapping[str, Any]) -> Iterator[str]:
    """The sensitive strings of `values` as `show -json` gives them: outputs, and resources of every module."""
    yield from output_secrets(values.get("outputs", {}))
    modules = [values.get("root_module", {})]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", ())
        for resource in module.get("resources", ()):
            yield from marked_strings(resource.get("values"), resource.get("sensitive_values"))


def output_secrets(outputs: Mapping[str, Any]) -> Iterator[str]:
    """The strings of the sensitive ones among `output -json`'s outputs."""
    for output in outputs.values():
        if output.get("sensitive") is not False:
            yield from leaf_strings(output.get("value"))


def _variable_secrets(plan: Mapping[str, Any], given: Mapping[str, JSON]) -> Iterator[str]:
    declared = plan.get("configuration", {}).get("root_module", {}).get("variables", {})
    values = plan.get("variables", {})
    for name, declaration in declared.items():
        if declaration.get("sensitive") or declaration.get("ephemeral"):
            yield from leaf_strings(values.get(name, {}).get("value"))
            yield from leaf_strings(declaration.get("default"))
            yield from leaf_strings(given.get(name))


_VARIABLE = re.compile(r'^\s*variable\s+"?([\w-]+)"?\s*\{', re.MULTILINE)
_HIDDEN = re.compile(r"(?:\A|\n)\s*(?:sensitive|ephemeral)\s*=\s*true\b")


def names_declared_sensitive(folder: Path) -> set[str]:
    """Variables that the configuration's own text calls sensitive or ephemeral.

    A first look before terraform has run, so that even a plan that never gets made leaks nothing: it may miss what is
    written unusually, and the plan itself then tells the rest.
    """
    names: set[str] = set()
    for path in sorted([*folder.glob("*.tf"), *folder.glob("*.tofu")]):
        if path.is_file():
            names.update(_names_in(path.read_text("utf-8", errors="replace")))
    return names


def _names_in(text: str) -> Iterator[str]:
    _, *rest = _VARIABLE.split(text)
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        if _HIDDEN.search(body.partition("\n}")[0]):
            yield name


def values_of(names: Iterable[str], given: Mapping[str, JSON]) -> Iterator[str]:
    """The strings given for these variables."""
    for name in names:
        yield from leaf_strings(given.get(name))
