"""What is printed, and the exit codes."""

import json
import re
from pathlib import Path

import pytest

from prefect_wfexec.cli.output import (
    CANCELLED,
    DONE,
    FAILED,
    REJECTED,
    UNREACHABLE,
    WRONG_USE,
    exit_code_of_error,
    exit_code_of_run,
    note,
    report,
    say,
    say_json,
    say_json_line,
)
from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import load_definition
from prefect_wfexec.errors import (
    EngineError,
    JournalError,
    StepFailed,
    Unreachable,
    UsageError,
    WfexecError,
)
from prefect_wfexec.status import RunStatus
from prefect_wfexec.steps.registry import catalog

CODES = {
    RunStatus.SUCCEEDED: DONE,
    RunStatus.FAILED: FAILED,
    RunStatus.ERROR: FAILED,
    RunStatus.TERMINATION_FAILED: FAILED,
    RunStatus.APPROVAL_REJECTED: REJECTED,
    RunStatus.TERMINATED: CANCELLED,
}


def test_the_numbers_are_the_contract() -> None:
    assert (DONE, FAILED, WRONG_USE, REJECTED, CANCELLED, UNREACHABLE) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_final])
def test_the_code_of_a_run(status: RunStatus) -> None:
    assert exit_code_of_run(status) == CODES[status]


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.is_final])
def test_a_run_that_did_not_end_is_no_success(status: RunStatus) -> None:
    assert exit_code_of_run(status) != DONE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), WRONG_USE),
        (DefinitionError([]), WRONG_USE),
        (Unreachable("x"), UNREACHABLE),
        (EngineError("x"), FAILED),
        (JournalError("x"), FAILED),
        (StepFailed("x"), FAILED),
        (WfexecError("x"), FAILED),
    ],
)
def test_the_code_of_an_error(error: WfexecError, code: int) -> None:
    assert exit_code_of_error(error) == code


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]no markup[/bold] é")
    say()
    note("aside")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("[bold]no markup[/bold] é\n\n", "aside\n")


def test_json_is_one_document_or_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"é": ["✓", None, 1.5], "nested": {"a": "\n"}}
    say_json(value)
    assert json.loads(capsys.readouterr().out) == value
    say_json([])
    assert capsys.readouterr().out == "[]\n"
    say_json_line(value)
    say_json_line({})
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [value, {}]


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(UsageError("there is no run 'x'", hint="see `wfexec history`", code="unknown-run"), as_json=False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "wfexec: there is no run 'x'; see `wfexec history`\n")


def test_an_error_as_json_has_the_shape_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    report(UsageError("there is no run 'x'", code="unknown-run"), as_json=True)
    printed = capsys.readouterr()
    body = {"code": "unknown-run", "message": "there is no run 'x'", "hint": None, "diagnostics": []}
    assert json.loads(printed.out) == {"error": body}
    assert printed.err == "wfexec: there is no run 'x'\n"


def test_every_diagnostic_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: 1\nname: bad\nsteps:\n  - {id: a, rum: x}\n  - {id: a, run: x}\n")
    with pytest.raises(DefinitionError) as caught:
        load_definition(path, catalog())
    report(caught.value, as_json=True)
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == len(caught.value.diagnostics) >= 2
    assert all(re.match(rf"{re.escape(str(path))}:\d+:\d+: error\[[a-z-]+\]: ", line) for line in lines)
    told = json.loads(printed.out)["error"]["diagnostics"]
    assert [set(one) for one in told] == [
        {"file", "line", "column", "severity", "code", "message", "hint"} for _ in lines
    ]
