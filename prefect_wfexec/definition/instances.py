"""What a step's `matrix` and `environments` make of it: the values of each instance, and the text that names it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from prefect_wfexec.definition.diagnostics import shown
from prefect_wfexec.definition.model import JSON, Instance

MAX_COMBINATIONS = 256
MAX_KEY_CHARACTERS = 64
_MARKS = "[],"
"""What an instance's id is built with."""


def key_text(value: JSON) -> str:
    """A value as it stands in an instance's id: `eu`, `3.11`, `true`."""
    return value if isinstance(value, str) else json.dumps(value)


def value_fault(value: JSON) -> tuple[str, str]:
    """Why a value can't name an instance, and the mend; two empty texts when it can."""
    if isinstance(value, list | Mapping) or value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "a value of a matrix is text, a number or a boolean", ""
    text = key_text(value)
    if not text or text != text.strip():
        return f"{shown(text)} can't name an instance", "write text that neither is empty nor begins or ends in a space"
    if not text.isprintable() or any(mark in text for mark in _MARKS):
        return f"{shown(text)} can't name an instance", "leave out brackets, commas and what can't be printed"
    if len(text) > MAX_KEY_CHARACTERS:
        return f"{shown(text)} is too long to name an instance", f"take {MAX_KEY_CHARACTERS} characters at most"
    return "", ""


def twice(values: Iterable[JSON]) -> list[int]:
    """The places of the values that an earlier one makes the same instance of."""
    seen: set[str] = set()
    found = []
    for place, value in enumerate(values):
        if value_fault(value)[0]:
            continue
        text = key_text(value)
        if text in seen:
            found.append(place)
        seen.add(text)
    return found


def instances_of_matrix(step: str, lists: Mapping[str, Sequence[JSON]]) -> list[Instance]:
    """An instance for each combination, the last name's values changing first."""
    names = list(lists)
    return [
        Instance(step, ",".join(key_text(value) for value in values), matrix=dict(zip(names, values, strict=True)))
        for values in product(*(lists[name] for name in names))
    ]


def known_keys(matrix: Mapping[str, JSON], environments: Sequence[str]) -> list[str] | None:
    """The keys of the instances of a step; None when only its run's inputs tell them, or they are faulty."""
    if environments:
        return list(environments)
    count = 1
    for values in matrix.values():
        if not isinstance(values, list) or any(value_fault(value)[0] for value in values):
            return None
        count *= len(values)
    return [one.key for one in instances_of_matrix("", matrix)] if count <= MAX_COMBINATIONS else None


def instances_of_environments(step: str, environments: Sequence[str]) -> list[Instance]:
    """An instance for each environment, in turn."""
    return [Instance(step, name, environment=name) for name in environments]
