"""Checks of `inputs`, and of values for them."""

import keyword
from collections.abc import Mapping
from functools import lru_cache

from prefect_wfexec.definition.cel_library import cel
from prefect_wfexec.definition.diagnostics import TooMany, did_you_mean, shown
from prefect_wfexec.definition.draft import Draft
from prefect_wfexec.definition.lenient import read_shape
from prefect_wfexec.definition.model import JSON, Input
from prefect_wfexec.definition.raw import RawInput
from prefect_wfexec.definition.reasons import kind_of
from prefect_wfexec.definition.report import Report, boolean_mend
from prefect_wfexec.definition.templates import OPEN, is_deferred
from prefect_wfexec.errors import join_names

Path = tuple[str | int, ...]

MAX_INPUTS = 200
MAX_ENUM = 200
RESERVED = frozenset({"wfexec_context", "self", "return_state", "wait_for", "model_config"})
"""Names the flow's own signature uses."""
CEL_WORDS = frozenset({"true", "false", "null", "in"})
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_WANTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def check_inputs(draft: Draft) -> None:
    """Read every input into the draft."""
    draft.input_names = frozenset(draft.top.inputs)
    if len(draft.input_names) > MAX_INPUTS:
        message = f"the workflow has {len(draft.input_names)} inputs; {MAX_INPUTS} are the most"
        draft.report.error_at_key("too-large", message, ("inputs",), "take fewer, or one of type object")
        raise TooMany
    for name, data in draft.top.inputs.items():
        path: Path = ("inputs", name)
        is_named = _check_name(draft.report, name, path)
        raw = read_shape(draft.report, RawInput, data, path)
        keys = raw.model_fields_set
        _refuse_expressions(draft.report, data, path)
        read = Input(
            name=name,
            type=raw.type,
            description=raw.description,
            enum=tuple(raw.enum),
            default=raw.default,
            required="default" not in keys,
            pattern=raw.pattern if "pattern" in keys and _is_pattern(draft.report, raw, path) else None,
        )
        if "type" in keys or not isinstance(data, Mapping) or "type" not in data:
            _check_values(draft.report, read, keys, path)
        if is_named:
            draft.inputs.append(read)


def problem_of(declared: Input, value: JSON) -> str:
    """Why a value can't be given to an input, e.g. `must be a whole number, not text`; empty when it can."""
    if not _is_of_type(declared, value):
        return f"must be {_WANTED[declared.type]}, not {kind_of(value)}"
    if declared.enum and not any(_is_same(value, one) for one in declared.enum):
        return f"must be one of {join_names([str(one) for one in declared.enum[:12]])}"
    if declared.pattern is not None and isinstance(value, str) and not _matches(declared.pattern, value):
        return f"must match the pattern {declared.pattern}"
    return ""


def _check_name(report: Report, name: str, path: Path) -> bool:
    if name in RESERVED:
        report.error_at_key("reserved-name", f"an input can't be named '{name}'", path, "choose another name")
        return False
    if (
        name.isascii()
        and name.isidentifier()
        and name[0] != "_"
        and not keyword.iskeyword(name)
        and name not in CEL_WORDS
    ):
        return True
    hint = "use letters, digits and underscores, begin with a letter, and use no word of Python or CEL"
    if "-" in name:
        hint = f"a hyphen is a minus in expressions: write {name.replace('-', '_')}"
    report.error_at_key("bad-name", f"{shown(name)} can't be the name of an input", path, hint)
    return False


def _refuse_expressions(report: Report, data: JSON, path: Path) -> None:
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        if key != "description" and is_deferred(value):
            report.error(
                "expression-not-allowed",
                f"'{key}' of an input can't hold '{OPEN} }}}}'",
                (*path, key),
                "write the value itself; compute what depends on inputs in a step",
            )


def _is_pattern(report: Report, raw: RawInput, path: Path) -> bool:
    if raw.type != "string":
        report.error("bad-pattern", f"a pattern is for text, not for type {raw.type}", (*path, "pattern"), "remove it")
        return False
    if _compiles(raw.pattern):
        return True
    report.error(
        "bad-pattern",
        f"{shown(raw.pattern)} is no regular expression",
        (*path, "pattern"),
        "close brackets and escape special characters; look-around and back-references are not supported",
    )
    return False


def _check_values(report: Report, read: Input, keys: set[str], path: Path) -> None:
    if len(read.enum) > MAX_ENUM:
        message = f"the enum has {len(read.enum)} values; {MAX_ENUM} are the most"
        report.error("bad-enum", message, (*path, "enum"), "use a pattern")
        return
    for number, value in enumerate(read.enum):
        if not _is_of_type(read, value):
            _report_type(report, read, value, (*path, "enum", number), "a value of the enum")
        elif any(_is_same(value, other) for other in read.enum[:number]):
            report.error("bad-enum", f"the enum holds {shown(value)} twice", (*path, "enum", number), "remove one")
    if "enum" in keys and not read.enum:
        report.error("bad-enum", "the enum is empty", (*path, "enum"), "list the values, or remove the key")
    if read.required or is_deferred(read.default):
        return
    if read.default is None and "type" not in keys:
        return
    if not _is_of_type(read, read.default):
        _report_type(report, read, read.default, (*path, "default"), "the default")
    elif problem := problem_of(read, read.default):
        hint = did_you_mean(read.default, [str(one) for one in read.enum])
        report.error("bad-default", f"the default {shown(read.default)} {problem}", (*path, "default"), hint)


def _report_type(report: Report, read: Input, value: JSON, path: Path, what: str) -> None:
    mend = boolean_mend(value) if read.type == "boolean" else ""
    if mend:
        report.error("yaml-boolean", f"{what} must be true or false; {shown(value)} is text", path, mend)
        return
    code = "bad-default" if path[-1] == "default" else "bad-enum"
    if read.type == "string" and value is not None and not isinstance(value, list | dict):
        mend = f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    report.error(code, f"{what} must be {_WANTED[read.type]}, not {kind_of(value)}", path, mend)


def _is_of_type(declared: Input, value: JSON) -> bool:
    if isinstance(value, bool):
        return declared.type == "boolean"
    if declared.type == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[declared.type])


def _is_same(one: JSON, other: JSON) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


@lru_cache(maxsize=64)
def _compiles(pattern: str) -> bool:
    try:
        _matches(pattern, "")
    except RuntimeError:
        return False
    return True


def _matches(pattern: str, text: str) -> bool:
    # CEL's regular expressions take linear time, whatever the pattern: the text may come from outside
    return bool(cel.evaluate("text.matches(pattern)", {"text": text, "pattern": f"^(?:{pattern})$"}))
