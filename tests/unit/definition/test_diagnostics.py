"""What a diagnostic looks like, and what it suggests."""

from prefect_wfexec.definition.diagnostics import (
    DefinitionError,
    Diagnostic,
    did_you_mean,
    shown,
    sort_by_place,
    suggest,
)
from prefect_wfexec.errors import UsageError

UNKNOWN = Diagnostic(
    "flows/x.yaml",
    12,
    5,
    "error",
    "unknown-step",
    "step 'apply' needs 'plna', which does not exist",
    "did you mean 'plan'?",
)


def test_reads_as_documented() -> None:
    assert str(UNKNOWN) == (
        "flows/x.yaml:12:5: error[unknown-step]: step 'apply' needs 'plna', which does not exist; did you mean 'plan'?"
    )


def test_without_a_hint_nothing_follows_the_message() -> None:
    assert str(Diagnostic("x", 1, 2, "warning", "c", "m")) == "x:1:2: warning[c]: m"


def test_json_has_the_contract_s_keys() -> None:
    assert list(UNKNOWN.as_json()) == ["file", "line", "column", "severity", "code", "message", "hint"]


def test_an_error_holds_every_diagnostic_and_speaks_one_line() -> None:
    error = DefinitionError([UNKNOWN, Diagnostic("flows/x.yaml", 13, 1, "error", "c", "m")])
    assert isinstance(error, UsageError)
    assert len(error.diagnostics) == 2
    assert "2 errors" in error.message
    assert "\n" not in error.message


def test_reading_order_and_each_once() -> None:
    later = Diagnostic("x", 10, 1, "error", "a", "m")
    first = Diagnostic("x", 9, 7, "error", "z", "m")
    assert sort_by_place([later, first, later]) == [first, later]


def test_near_names() -> None:
    assert did_you_mean("plna", ["apply", "plan"]) == "did you mean 'plan'?"
    assert did_you_mean("Health-Check", ["health_check"]) == "did you mean 'health_check'?"
    assert did_you_mean("zzz", ["apply", "plan"]) == ""


def test_near_names_among_many() -> None:
    names = [f"step_{number}" for number in range(1000)] + ["health_check"]
    assert did_you_mean("helth_check", names) == "did you mean 'health_check'?"
    assert did_you_mean("health_chek", names) == "did you mean 'health_check'?"
    assert did_you_mean("unlike_any", names) == ""


def test_when_nothing_is_near_the_choices_are_named() -> None:
    assert suggest("zzz", ["b", "a"]) == "use one of a, b"
    assert suggest("zzz", [f"long_name_{n}" for n in range(40)]).endswith("…")
    assert suggest("zzz", []) == ""


def test_shown_values_are_short_and_safe_to_print() -> None:
    assert shown("a\x1b[31m\nb") == "'a [31m b'"
    assert len(shown("x" * 500)) < 70
    assert [shown(None), shown(True), shown([1]), shown(1.5)] == ["'null'", "'true'", "'a list'", "'1.5'"]
