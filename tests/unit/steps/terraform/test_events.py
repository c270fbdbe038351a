"""Terraform's events as lines, whatever comes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.steps.terraform.events import Line, counts_of, diagnostic_of, done_by, parse_event, render
from prefect_wfexec.steps.terraform.listening import MAX_LINE, LineSplitter, Listener


def event(kind: str, message: str = "said", **more: Any) -> dict[str, Any]:
    return {"@level": "info", "@message": message, "type": kind, **more}


def texts(given: dict[str, Any]) -> list[str]:
    return [line.text for line in render(given)]


def test_outputs_hide_what_is_sensitive() -> None:
    outputs = {
        "b": {"sensitive": True, "value": "hidden"},
        "a": {"sensitive": False, "value": {"k": ["é"]}},
        "c": {"value": "no word about it"},
        "d": {"sensitive": False, "action": "update"},
        "e": {"sensitive": False, "action": "noop"},
    }
    assert texts(event("outputs", outputs=outputs)) == [
        "Outputs:",
        '  a = {"k": ["é"]}',
        "  b = (sensitive)",
        "  c = (sensitive)",
        "  d = (update)",
        "  e = (no change)",
    ]
    assert texts(event("outputs", outputs={})) == []


def test_planned_changes_say_why_and_from_where() -> None:
    why = event("planned_change", "x: Plan to replace", change={"action": "replace", "reason": "tainted"})
    assert texts(why) == ["x: Plan to replace (its last creation did not finish)"]
    unknown = event("resource_drift", "x: Drift detected", change={"reason": "some_new_reason"})
    assert texts(unknown) == ["x: Drift detected (some new reason)"]
    moved = event("planned_change", "x: Plan to move", change={"previous_resource": {"addr": "y"}})
    assert texts(moved) == ["x: Plan to move, moved from y"]


def test_provisioner_output_keeps_all_its_lines() -> None:
    hook = {"resource": {"addr": 'x["a"]'}, "provisioner": "local-exec", "output": "one\ntwo"}
    assert texts(event("provision_progress", hook=hook)) == ['x["a"] (local-exec): one', 'x["a"] (local-exec): two']


def test_errors_go_to_stderr_with_place_and_source() -> None:
    lines = render(
        event(
            "diagnostic",
            "Error: no",
            diagnostic={
                "severity": "error",
                "summary": "no",
                "detail": "because\nof that",
                "address": "terraform_data.x",
                "range": {"filename": "main.tf", "start": {"line": 3}},
                "snippet": {
                    "context": 'resource "terraform_data" "x"',
                    "code": "  input = var.a",
                    "values": [{"traversal": "var.a", "statement": 'is "b"'}],
                },
            },
        )
    )
    assert lines == [
        Line("Error: no", "stderr"),
        Line("  with terraform_data.x", "stderr"),
        Line('  on main.tf line 3, in resource "terraform_data" "x"', "stderr"),
        Line("      input = var.a", "stderr"),
        Line('  var.a is "b"', "stderr"),
        Line("  because", "stderr"),
        Line("  of that", "stderr"),
    ]


def test_warnings_stay_on_stdout() -> None:
    assert render(event("diagnostic", diagnostic={"severity": "warning", "summary": "old"})) == [Line("Warning: old")]


def test_unknown_events_and_dumped_states() -> None:
    assert texts(event("of_a_later_version", "something new")) == ["something new"]
    assert texts(event("log", "\nInterrupt received.\nPlease wait\n")) == ["Interrupt received.", "Please wait"]
    assert texts(event("x", "dump", state={"serial": 1})) == ["dump", '{"serial": 1}']


@pytest.mark.parametrize("line", ["plain", "{", "}", '{"a": 1}', "[]", '{"@message": 3}', '"@message"', "", "{" * 5000])
def test_other_lines_are_no_events(line: str) -> None:
    assert parse_event(line) is None


def test_counts() -> None:
    changes = {"add": 3, "change": 1, "remove": 2, "import": 1, "operation": "apply"}
    assert counts_of(event("change_summary", changes=changes)) == ("apply", {"add": 3, "change": 1, "destroy": 2})
    assert counts_of(event("version")) is None
    assert done_by(event("apply_complete", hook={"action": "delete"})) == "destroy"
    assert done_by(event("apply_start", hook={"action": "delete"})) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KINDS = ["planned_change", "outputs", "provision_progress", "diagnostic", "change_summary", "apply_complete", "version"]
MEMBERS = ["change", "outputs", "hook", "diagnostic", "changes"]


@given(st.sampled_from(KINDS), st.text(), st.dictionaries(st.sampled_from(MEMBERS), json_values))
def test_no_event_is_too_odd(kind: str, message: str, members: dict[str, Any]) -> None:
    parsed = parse_event(json.dumps(event(kind, message, **members)))
    assert parsed is not None
    assert all("\n" not in line.text for line in render(parsed))
    counts_of(parsed)
    done_by(parsed)
    diagnostic_of(parsed)


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def stdout(self, text: str) -> None:
        self.lines += [("stdout", line) for line in text.split("\n")]

    def stderr(self, text: str) -> None:
        self.lines += [("stderr", line) for line in text.split("\n")]

    def system(self, text: str) -> None:
        self.lines += [("system", line) for line in text.split("\n")]


def listener(log: Log, **options: Any) -> Listener:
    return Listener(log, **{"show": "all", "is_captured": False, "forgives_init": False, **options})


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8"))), st.integers(1, 7))
def test_lines_survive_any_cut(lines: list[str], size: int) -> None:
    data = "\n".join(lines).encode()
    splitter, found = LineSplitter(), []
    for start in range(0, len(data), size):
        found += splitter.feed(data[start : start + size])
    found += splitter.feed(b"", is_last=True)
    assert "\n".join(found) == "\n".join(lines).removesuffix("\n")


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    splitter, pieces = LineSplitter(), []
    for _ in range(40):
        pieces += splitter.feed(b"x" * (1024 * 1024))
    assert pieces
    assert max(map(len, pieces)) <= MAX_LINE + 1024 * 1024
    assert sum(map(len, [*pieces, *splitter.feed(b"", is_last=True)])) == 40 * 1024 * 1024


def test_errors_stand_last_and_once() -> None:
    log = Log()
    listening = listener(log)
    wrong = event("diagnostic", diagnostic={"severity": "error", "summary": "no"})
    for line in (json.dumps(wrong), json.dumps(wrong), "a provider's print", json.dumps(event("log", "later"))):
        listening("stdout", line.encode() + b"\n")
    listening("stderr", b"on stderr")
    listening.close()
    assert log.lines == [
        ("stdout", "a provider's print"),
        ("stdout", "later"),
        ("stderr", "on stderr"),
        ("stderr", "Error: no"),
        ("stderr", "Error: no"),
    ]
    assert [error.summary for error in listening.finished.errors] == ["no"]


def test_captured_output_is_never_logged() -> None:
    log = Log()
    listening = listener(log, show="errors", is_captured=True)
    listening("stdout", b'{"secret"')
    listening("stdout", b": 1}")
    listening("stderr", b"\x1b[31mError: \x1b[0mno state\n\nbecause\n")
    listening.close()
    assert listening.finished.output == b'{"secret": 1}'
    assert "secret" not in str(log.lines)
    assert [(error.summary, error.detail) for error in listening.finished.errors] == [("no state", "because")]


def test_a_missing_init_is_no_error_yet() -> None:
    log = Log()
    listening = listener(log, forgives_init=True)
    wants = {"severity": "error", "summary": "Module not installed", "detail": 'Run "terraform init" to install'}
    listening("stdout", json.dumps(event("diagnostic", diagnostic=wants)).encode())
    listening.close()
    assert log.lines == [("system", "not initialised: Module not installed")]
    assert listening.finished.result == CommandResult(None)
