"""A step's `with` against its step type's model.

A value that holds `${{` anywhere inside is deferred: it is checked when the step starts and the value is known. All
other values, and which keys there are, are checked when the definition is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.definition.diagnostics import did_you_mean, shown
from prefect_wfexec.definition.lenient import data_path, keys_of
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.plain_words import in_plain_words, is_free_text
from prefect_wfexec.definition.report import Report, boolean_mend, label
from prefect_wfexec.definition.templates import is_deferred, walk_texts
from prefect_wfexec.errors import StepFailed, join_names

Path = tuple[str | int, ...]
_HIDDEN = "…"


class WithError(StepFailed):
    """A step's `with`, rendered, does not fit its step type."""

    code = "bad-with"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, type="bad_with", hint=hint, retryable=False)


def check_with(report: Report, spec: StepSpec, values: Mapping[str, JSON], path: Path, owner: str) -> None:
    """Check a `with` as it was typed.

    Args:
        report: Takes what is wrong.
        spec: The step type.
        values: The `with`, expressions not rendered.
        path: Where it stands; the step's own place when it has no `with`.
        owner: The step in a message.
    """
    known = keys_of(spec.inputs)
    unknown = [key for key in values if key not in known]
    for key in unknown:
        hint = did_you_mean(key, known) or (f"it takes {join_names(known)}" if known else "it takes no values")
        report.error_at_key("unknown-with-key", f"'{spec.name}' takes no {shown(key)}", (*path, key), hint)
    deferred = {key for key, value in values.items() if is_deferred(value)}
    given = {key: value for key, value in values.items() if key not in deferred and key in known}
    try:
        spec.inputs.model_validate(given)
    except ValidationError as error:
        typed = _Typed(report, spec, given, deferred, path, owner)
        for place, faults in _by_place(error.errors(include_url=False), given).items():
            typed.tell(place, faults)
    except Exception as error:  # noqa: BLE001 - a third party's validator may raise anything; this is the author's text
        report.error("bad-with-value", f"the values of '{spec.name}' can't be checked: {shown(str(error), 200)}", path)


def validate_with(spec: StepSpec, rendered: Mapping[str, JSON]) -> BaseModel:
    """A step's `with`, rendered, as its step type's model.

    Raises:
        WithError: it does not fit; the message names each field and says what is wrong, but holds no value.
    """
    try:
        return spec.inputs.model_validate(dict(rendered))
    except ValidationError as error:
        problems = [
            _without_values(_sentence(place, faults), rendered, faults)
            for place, faults in _by_place(error.errors(include_url=False), rendered).items()
        ]
    except Exception as error:  # noqa: BLE001 - a model's own validator broke; its text may hold a value
        raise WithError(
            f"the values of '{spec.name}' can't be checked: {type(error).__name__}",
            hint="the step type's own check is at fault",
        ) from None
    raise WithError(
        f"the values under 'with' do not fit '{spec.name}': {'; '.join(problems)}",
        hint="check what its expressions give",
    )


def _by_place(faults: list[ErrorDetails], data: Mapping[str, JSON]) -> dict[Path, list[ErrorDetails]]:
    """The faults by the value they speak of; of a union's branches the ones that reach deepest."""
    groups: dict[Path, list[ErrorDetails]] = {}
    for fault in faults:
        place = data_path(data, fault["loc"])
        if fault["type"] == "missing":
            place = (*place, str(fault["loc"][-1]))
        groups.setdefault(place, []).append(fault)
    inner = {place[:length] for place in groups for length in range(1, len(place))}
    return {place: group for place, group in groups.items() if place not in inner}


@dataclass(frozen=True, slots=True)
class _Typed:
    """A `with` as it was typed, and where its faults go."""

    report: Report
    spec: StepSpec
    given: Mapping[str, JSON]
    deferred: set[str]
    path: Path
    owner: str

    def tell(self, place: Path, faults: list[ErrorDetails]) -> None:
        kind = faults[0]["type"]
        if not place:
            if not self.deferred:
                self.report.error("bad-with-value", f"{self.owner}: {in_plain_words(faults[0])}", self.path)
        elif kind == "missing":
            self._missing(place)
        elif kind == "extra_forbidden":
            message = f"the key {shown(place[-1])} is not known"
            self.report.error_at_key("unknown-with-key", message, (*self.path, *place))
        else:
            value = _value_at(self.given, place)
            mend = boolean_mend(value) if kind in {"bool_type", "bool_parsing"} else ""
            self.report.error("bad-with-value", _sentence(place, faults), (*self.path, *place), mend)

    def _missing(self, place: Path) -> None:
        if str(place[0]) in self.deferred:
            return
        inside = f" in {label(place[:-1])}" if len(place) > 1 else ""
        message = f"{self.owner} lacks '{place[-1]}'{inside}, which '{self.spec.name}' needs"
        hint = f"add '{place[-1]}:' there" if inside else f"add '{place[-1]}:' under 'with'"
        self.report.error_at_key("missing-with-key", message, (*self.path, *place[:-1]), hint)


def _sentence(place: Path, faults: list[ErrorDetails]) -> str:
    words = list(dict.fromkeys(in_plain_words(fault) for fault in faults))
    if len(words) > 1 and all(word.startswith("this must be ") for word in words):
        words = ["this must be " + " or ".join(word.removeprefix("this must be ") for word in words)]
    if not place:
        return words[0]
    return f"{label(place)}: {words[0]}"


def _without_values(sentence: str, rendered: Mapping[str, JSON], faults: list[ErrorDetails]) -> str:
    if not any(is_free_text(fault) for fault in faults):
        return sentence
    secret = sorted({text for _, text in walk_texts(dict(rendered)) if len(text) > 2}, key=len, reverse=True)
    for text in secret:
        sentence = sentence.replace(" ".join(text.split()), _HIDDEN).replace(text, _HIDDEN)
    return sentence


def _value_at(data: JSON, path: Path) -> JSON:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
