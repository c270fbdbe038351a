"""A form for the inputs of a workflow, and what was filled in. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.model import JSON, Input
from prefect_wfexec.errors import UsageError

PREFIX = "input."


@dataclass(frozen=True, slots=True)
class InputField:
    """One field of the form.

    Attributes:
        name: The input's name.
        label: What stands beside it.
        help: What is said about it.
        kind: How it is filled in: `choice`, `text` or `json`.
        choices: What may be chosen.
        value: What stands in it.
        is_required: Whether it must be filled in.
    """

    name: str
    label: str
    help: str
    kind: str
    choices: tuple[str, ...]
    value: str
    is_required: bool


def fields_of(inputs: Iterable[Input], values: Mapping[str, JSON], given: Mapping[str, str]) -> list[InputField]:
    """The fields.

    Args:
        inputs: What the workflow declares.
        values: What holds now; the default where an input has none.
        given: What was filled in before, by the name of its field.
    """
    return [_field(one, values.get(one.name, one.default), given.get(PREFIX + one.name)) for one in inputs]


def read_inputs(inputs: Iterable[Input], form: Mapping[str, str]) -> dict[str, JSON]:
    """The values that a form has sent.

    Raises:
        UsageError: one is not of its input's type.
    """
    return dict(_read(inputs, form))


def _read(inputs: Iterable[Input], form: Mapping[str, str]) -> Iterator[tuple[str, JSON]]:
    for one in inputs:
        text = form.get(PREFIX + one.name)
        if text is None or (text == "" and (one.type != "string" or one.required)):
            continue
        yield one.name, _value(one, text)


def _value(declared: Input, text: str) -> JSON:
    if declared.type == "string":
        return text
    if declared.type == "boolean" and text in {"true", "false"}:
        return text == "true"
    try:
        return json.loads(text)
    except ValueError:
        words = f"input '{declared.name}' is no {declared.type}"
        raise UsageError(words, hint="write it as JSON has it", code="bad-input") from None


def _field(declared: Input, value: JSON, given: str | None) -> InputField:
    is_text = declared.type == "string"
    choices: tuple[str, ...] = tuple(str(one) if is_text else json.dumps(one) for one in declared.enum)
    if declared.type == "boolean" and not choices:
        choices = ("true", "false")
    shown = "" if value is None else str(value) if is_text else json.dumps(value)
    return InputField(
        name=declared.name,
        label=declared.name,
        help=" ".join(part for part in (declared.description, f"({declared.type})" if not is_text else "") if part),
        kind="choice" if choices else "json" if declared.type in {"array", "object", "list", "map"} else "text",
        choices=choices,
        value=shown if given is None else given,
        is_required=declared.required,
    )
