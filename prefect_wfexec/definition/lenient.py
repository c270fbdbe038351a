"""Reads an object into its shape, reports every fault of it, and keeps what is sound so that checking can go on."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prefect_wfexec.definition.diagnostics import did_you_mean, shown, suggest
from prefect_wfexec.definition.durations import EXAMPLE, format_duration
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.plain_words import in_plain_words
from prefect_wfexec.definition.reasons import kind_of
from prefect_wfexec.definition.report import Report, boolean_mend, label
from prefect_wfexec.definition.synonyms import mend_for_unknown

Shape = TypeVar("Shape", bound=BaseModel)
Path = tuple[str | int, ...]

_BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_TYPES = frozenset(
    {
        "string_type",
        "int_type",
        "int_from_float",
        "float_type",
        "list_type",
        "dict_type",
        "model_type",
        "model_attributes_type",
        "none_required",
        "bool_type",
    }
)


def keys_of(shape: type[BaseModel]) -> list[str]:
    """The keys a person may write for a shape."""
    return [field.alias or name for name, field in shape.model_fields.items()]


def read_shape(report: Report, shape: type[Shape], data: JSON, path: Path) -> Shape:
    """`data` as `shape`; faulty keys are reported and read as if they were not there."""
    if not isinstance(data, Mapping):
        report.error("wrong-type", f"{label(path)} must be an object, not {kind_of(data)}", path)
        return shape()
    left: Mapping[str, JSON] = data
    faults: list[ErrorDetails] = []
    for _ in range(3):
        try:
            instance = shape.model_validate(left)
        except ValidationError as error:
            found = error.errors(include_url=False)
            faults += found
            bad = {str(one["loc"][0]) for one in found if one["loc"]}
            left = {key: value for key, value in left.items() if key not in bad}
        else:
            _report(report, shape, data, path, faults)
            return instance
    _report(report, shape, data, path, faults)
    return shape()


def _report(report: Report, shape: type[BaseModel], data: JSON, path: Path, faults: Sequence[ErrorDetails]) -> None:
    groups: dict[Path, list[ErrorDetails]] = {}
    for fault in faults:
        groups.setdefault(data_path(data, fault["loc"]), []).append(fault)
    inner = {place[:length] for place in groups for length in range(len(place))}
    for place, group in groups.items():
        if place not in inner or group[0]["type"] == "extra_forbidden":
            _report_one(report, shape, data, (path, place), group)


def data_path(data: JSON, location: Sequence[str | int]) -> Path:
    """Where in the data a validation error lies: pydantic's own words for union branches are left out."""
    path: list[str | int] = []
    current = data
    for part in location:
        if isinstance(current, Mapping) and part in current:
            current = current[str(part)]
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            current = current[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _report_one(
    report: Report, shape: type[BaseModel], data: JSON, where: tuple[Path, Path], group: list[ErrorDetails]
) -> None:
    path, inner = (*where[0], *where[1]), where[1]
    fault = group[0]
    kind = fault["type"]
    value = _value_at(data, inner)
    name = label(path)
    if kind == "extra_forbidden":
        _report_unknown_key(report, shape, path, inner)
    elif fault["loc"][-1:] == ("[key]",):
        hint = "use letters, digits and underscores, and begin with a letter"
        report.error_at_key("bad-name", f"{shown(path[-1])} can't be a name here", path, hint)
    elif kind == "duration":
        reason, hint = _duration_words(fault)
        report.error("bad-duration", f"{name} is {shown(value)}: {reason}", path, hint)
    elif "retry" in path and kind in _BOUNDS:
        report.error("bad-retry", f"{name} is {shown(value)}: {_bound(path, fault)}", path)
    elif any(one["type"] == "bool_type" for one in group) and boolean_mend(value):
        message = f"{name} must be true or false; {shown(value)} is text"
        report.error("yaml-boolean", message, path, boolean_mend(value))
    elif kind in _TYPES:
        wanted = _wanted(group)
        report.error("wrong-type", f"{name} must be {wanted}, not {kind_of(value)}", path, _type_mend(path, value))
    elif kind == "literal_error":
        report.error("bad-value", f"{name} can't be {shown(value)}", path, _word_mend(fault, value))
    else:
        report.error("bad-value", f"{name} is {shown(value)}: {in_plain_words(fault)}", path)


def _report_unknown_key(report: Report, shape: type[BaseModel], path: Path, inner: Path) -> None:
    owner = _shape_at(shape, inner[:-1])
    key = str(path[-1])
    code, hint = mend_for_unknown(owner.__name__, key)
    where = f" in {label(path[:-1])}" if path[:-1] and isinstance(path[-2], str) else ""
    hint = hint or did_you_mean(key, keys_of(owner)) or f"the keys are {', '.join(keys_of(owner))}"
    report.error_at_key(code, f"the key {shown(key)} is not known{where}", path, hint)


def _shape_at(shape: type[BaseModel], path: Path) -> type[BaseModel]:
    for part in path:
        field = next((one for name, one in shape.model_fields.items() if (one.alias or name) == part), None)
        options = (field.annotation, *get_args(field.annotation)) if field is not None else ()
        shape = next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), shape)
    return shape


def _wanted(group: list[ErrorDetails]) -> str:
    words = list(dict.fromkeys(in_plain_words(one).removeprefix("this must be ") for one in group))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _type_mend(path: Path, value: JSON) -> str:
    key = path[-1] if path else ""
    if value is None:
        return "write [] to start at once" if key == "needs" else "give it a value or remove the key"
    if key == "retry":
        return f"write retry: {{attempts: {value}}}" if isinstance(value, int) else "write retry: {attempts: 3}"
    if key == "cleanup":
        return f"write cleanup: {{uses: {value}}}" if isinstance(value, str) else ""
    if isinstance(value, int | float) and isinstance(key, str) and key != "env":
        return "put it in quotes to make it text" if not isinstance(value, bool) else ""
    return ""


def _duration_words(fault: ErrorDetails) -> tuple[str, str]:
    context = fault.get("ctx") or {}
    return str(context.get("reason", "this is no duration")), str(context.get("mend", EXAMPLE))


def _bound(path: Path, fault: ErrorDetails) -> str:
    limit = (fault.get("ctx") or {}).get("le")
    if path[-1] == "delay" and limit is not None:
        return f"this must be {format_duration(limit)} or less"
    return in_plain_words(fault)


def _word_mend(fault: ErrorDetails, value: JSON) -> str:
    words = str((fault.get("ctx") or {}).get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
    return suggest(value, words) if len(words) > 1 else f"write {words[0]}"


def _value_at(data: JSON, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
