"""The JSON shapes of the command line, key by key, so that a test can hold a document against one."""

from datetime import datetime
from typing import Any

NUMBER = (int, float)
TEXT_OR_NONE = (str, type(None))
TIME = "time"
TIME_OR_NONE = "time or none"

FAULT = {"type": str, "message": str, "exit_code": (int, type(None)), "tail": str}
STEP = {
    "id": str,
    "name": str,
    "uses": str,
    "phase": TEXT_OR_NONE,
    "status": str,
    "attempt": int,
    "started": TIME_OR_NONE,
    "ended": TIME_OR_NONE,
    "duration_seconds": (*NUMBER, type(None)),
    "summary": str,
    "reason": str,
    "error": (dict, type(None)),
    "outputs": dict,
    "needs": list,
}
DECISION = {"decision": str, "by": str, "verified_by": TEXT_OR_NONE, "comment": str, "at": TIME}
GATE = {
    "step": str,
    "generation": int,
    "status": str,
    "subject_digest": str,
    "quorum": int,
    "approvers": list,
    "expires": TIME_OR_NONE,
    "covered_by": (int, type(None)),
    "news": list,
    "decisions": list,
    "notices": list,
}
EXECUTION = {
    "id": str,
    "name": str,
    "workflow": str,
    "definition_digest": TEXT_OR_NONE,
    "status": str,
    "triggered_by": str,
    "user": TEXT_OR_NONE,
    "trigger": dict,
    "triggered_at": TIME,
    "started": TIME_OR_NONE,
    "ended": TIME_OR_NONE,
    "duration_seconds": (*NUMBER, type(None)),
    "elapsed_seconds": (*NUMBER, type(None)),
    "inputs": dict,
    "outputs": dict,
    "reports": list,
    "steps": list,
    "gates": list,
    "cleanup": (dict, type(None)),
    "actions": list,
}
HISTORY_ROW = {
    "id": str,
    "name": str,
    "workflow": str,
    "status": str,
    "triggered_by": str,
    "user": TEXT_OR_NONE,
    "triggered_at": TIME,
    "started": TIME_OR_NONE,
    "duration_seconds": (*NUMBER, type(None)),
    "reports": (int, list),
}
LOG_LINE = {"time": TIME, "step": str, "attempt": int, "stream": str, "level": str, "message": str}
APPROVAL = {
    "run": str,
    "workflow": str,
    "step": str,
    "message": str,
    "subject_digest": str,
    "opened": TIME,
    "expires": TIME_OR_NONE,
    "needs": int,
}


def assert_shape(value: dict[str, Any], shape: dict[str, Any]) -> None:
    """Every key of the shape is there, with a value of the right type."""
    for key, wanted in shape.items():
        assert key in value, f"'{key}' is missing in {sorted(value)}"
        _assert_type(key, value[key], wanted)


def _assert_type(key: str, found: Any, wanted: Any) -> None:
    if wanted in {TIME, TIME_OR_NONE} if isinstance(wanted, str) else False:
        if found is None:
            assert wanted == TIME_OR_NONE, f"'{key}' is null"
            return
        assert found.endswith("Z"), f"'{key}' is {found!r}, not in UTC"
        datetime.fromisoformat(found)
        return
    is_flag = isinstance(found, bool)
    assert isinstance(found, wanted) and not is_flag, f"'{key}' is {found!r}"


def assert_execution(view: dict[str, Any]) -> None:
    """The shape of `show`, `run` and `retry`, with everything in it."""
    assert_shape(view, EXECUTION)
    assert_shape(view["trigger"], {"type": str, "id": TEXT_OR_NONE, "text": str})
    for step in view["steps"]:
        assert_shape(step, STEP)
        if step["error"] is not None:
            assert_shape(step["error"], FAULT)
    for gate in view["gates"]:
        assert_shape(gate, GATE)
        for decision in gate["decisions"]:
            assert_shape(decision, DECISION)
