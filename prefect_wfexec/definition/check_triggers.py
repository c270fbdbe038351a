"""Checks of `triggers`."""

import re
from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from prefect_wfexec.definition.check_expressions import Where, check_condition, check_value
from prefect_wfexec.definition.check_inputs import problem_of
from prefect_wfexec.definition.cron import problem_of_cron
from prefect_wfexec.definition.diagnostics import shown, suggest
from prefect_wfexec.definition.draft import Draft
from prefect_wfexec.definition.lenient import read_shape
from prefect_wfexec.definition.model import JSON, Trigger
from prefect_wfexec.definition.raw import TRIGGER_ID_PATTERN
from prefect_wfexec.definition.raw_triggers import REQUIRED, TRIGGERS, RawAfterWorkflow, RawSchedule, RawTrigger
from prefect_wfexec.definition.reasons import kind_of
from prefect_wfexec.definition.templates import is_deferred
from prefect_wfexec.errors import join_names
from prefect_wfexec.status import RunStatus, run_status_named

Path = tuple[str | int, ...]

SHORTEST_INTERVAL_SECONDS = 60.0
_ID = re.compile(TRIGGER_ID_PATTERN, re.ASCII)
_ROOTS = frozenset({"trigger", "workflow"})


def check_triggers(draft: Draft) -> list[Trigger]:
    """The sound triggers."""
    found: list[Trigger] = []
    taken: dict[str, Path] = {}
    for number, data in enumerate(draft.top.triggers):
        path: Path = ("triggers", number)
        if not isinstance(data, Mapping):
            draft.report.error("wrong-type", f"a trigger must be an object, not {kind_of(data)}", path)
            continue
        trigger = _check_trigger(draft, data, path, taken)
        if trigger is not None:
            found.append(trigger)
    return found


def _check_trigger(draft: Draft, data: Mapping[str, JSON], path: Path, taken: dict[str, Path]) -> Trigger | None:
    kind = data.get("type")
    shape = TRIGGERS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        _report_type(draft, data, path)
        return None
    raw = read_shape(draft.report, shape, data, path)
    _check_id(draft, raw, data, path, taken)
    for key in REQUIRED.get(raw.type, ()):
        if key not in data:
            draft.report.error_at_key("missing-key", f"a {raw.type} trigger needs '{key}'", path, f"add '{key}:'")
    if isinstance(raw, RawSchedule):
        _check_schedule(draft, raw, data, path)
    if isinstance(raw, RawAfterWorkflow):
        _check_outcomes(draft, raw, path)
    if raw.type == "webhook":
        _check_header(draft, data, path)
    _check_inputs(draft, raw, path)
    condition = getattr(raw, "if_", True)
    if isinstance(condition, str):
        check_condition(draft, condition, (*path, "if"), Where("'if' of a trigger", _ROOTS))
    return Trigger(raw.id, raw.type, _options(raw))


def _report_type(draft: Draft, data: Mapping[str, JSON], path: Path) -> None:
    if "type" not in data:
        hint = f"the types are {', '.join(TRIGGERS)}"
        draft.report.error_at_key("missing-key", "a trigger has no 'type'", path, hint)
        return
    message = f"{shown(data['type'])} is no type of trigger"
    draft.report.error(
        "unknown-trigger-type", message, (*path, "type"), suggest(data["type"], TRIGGERS, "the types are")
    )


def _check_id(draft: Draft, raw: RawTrigger, data: Mapping[str, JSON], path: Path, taken: dict[str, Path]) -> None:
    if "id" not in raw.model_fields_set:
        if "id" not in data:
            draft.report.error_at_key("missing-key", "a trigger has no 'id'", path, "add an id, e.g. id: nightly")
        return
    place = (*path, "id")
    if not _ID.fullmatch(raw.id) or len(raw.id) > 64:
        hint = "use a-z, 0-9, hyphens and underscores, and begin with a letter"
        draft.report.error("bad-id", f"{shown(raw.id)} can't be the id of a trigger", place, hint)
    elif raw.id in taken:
        first = draft.report.line_of((*taken[raw.id], "id"))
        draft.report.error(
            "duplicate-id", f"the trigger id '{raw.id}' is taken, in line {first}", place, "choose another id"
        )
    else:
        taken[raw.id] = path


def _check_schedule(draft: Draft, raw: RawSchedule, data: Mapping[str, JSON], path: Path) -> None:
    report = draft.report
    if ("cron" in data) == ("interval" in data):
        message = "a schedule needs either 'cron' or 'interval'"
        if "cron" in data:
            report.error_at_key("bad-schedule", message, path, "keep one of the two")
        else:
            report.error_at_key("missing-key", message, path, "add one of the two")
    if "cron" in raw.model_fields_set:
        problem, hint = problem_of_cron(raw.cron)
        if problem:
            report.error("bad-cron", f"{shown(raw.cron)} is no cron expression: {problem}", (*path, "cron"), hint)
    if "interval" in raw.model_fields_set and raw.interval < SHORTEST_INTERVAL_SECONDS:
        report.error("bad-schedule", "'interval' must be 1m or more", (*path, "interval"))
    if "timezone" in raw.model_fields_set and not _is_timezone(raw.timezone):
        hint = suggest(raw.timezone, _timezones()) if len(raw.timezone) < 60 else ""
        hint = hint if hint.startswith("did") else "write it like Europe/Berlin or UTC"
        report.error("bad-timezone", f"{shown(raw.timezone)} is no time zone", (*path, "timezone"), hint)


@cache
def _timezones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _check_outcomes(draft: Draft, raw: RawAfterWorkflow, path: Path) -> None:
    words = [raw.on] if isinstance(raw.on, str) else raw.on
    finals = [status.value for status in RunStatus if status.is_final]
    for number, word in enumerate(words):
        status = run_status_named(word)
        if status is None or not status.is_final:
            place = (*path, "on") if isinstance(raw.on, str) else (*path, "on", number)
            draft.report.error("bad-value", f"{shown(word)} is no outcome of a run", place, suggest(word, finals))


def _check_header(draft: Draft, data: Mapping[str, JSON], path: Path) -> None:
    if data.get("scheme") == "hmac" and "header" not in data:
        hint = "add 'header:' with the header that holds the signature"
        draft.report.error_at_key("missing-key", "a webhook with scheme 'hmac' needs 'header'", path, hint)


def _check_inputs(draft: Draft, raw: RawTrigger, path: Path) -> None:
    declared = {one.name: one for one in draft.inputs}
    for name, value in raw.inputs.items():
        place = (*path, "inputs", name)
        if name not in draft.input_names:
            hint = suggest(name, draft.input_names, "the inputs are") or "declare it under 'inputs'"
            draft.report.error_at_key("unknown-input", f"the workflow has no input {shown(name)}", place, hint)
        elif not is_deferred(value) and name in declared and (problem := problem_of(declared[name], value)):
            draft.report.error("bad-input-value", f"the input '{name}' {problem}", place)
    check_value(draft, raw.inputs, (*path, "inputs"), Where("'inputs' of a trigger", _ROOTS))
    missing = [one.name for one in draft.inputs if one.required and one.name not in raw.inputs]
    if missing and raw.type != "manual":
        word = "input" if len(missing) == 1 else "inputs"
        draft.report.error_at_key(
            "missing-input",
            f"the trigger gives no value for the required {word} {join_names(missing[:10])}",
            path,
            "add it under the trigger's 'inputs', or give it a default",
        )


def _options(raw: RawTrigger) -> dict[str, JSON]:
    """The keys of the trigger's type as written, durations in seconds; an unwritten key is not in it."""
    written = raw.model_dump(by_alias=True, exclude_unset=True)
    return {key: value for key, value in written.items() if key not in {"id", "type"}}
