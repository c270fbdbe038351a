"""The errors: their tree, their words."""

import importlib
import pkgutil
import re

import pytest

import prefect_wfexec
from prefect_wfexec import errors
from prefect_wfexec.errors import (
    EngineError,
    StepError,
    StepFailed,
    StepSkipped,
    Unreachable,
    UsageError,
    WfexecError,
    join_names,
    one_line,
)


def every_error() -> set[type[WfexecError]]:
    """Every error class of the package, its modules all imported."""
    for module in pkgutil.walk_packages(prefect_wfexec.__path__, "prefect_wfexec."):
        importlib.import_module(module.name)
    found: set[type[WfexecError]] = set()
    pending = [WfexecError]
    while pending:
        one = pending.pop()
        if one not in found and one.__module__.startswith("prefect_wfexec"):
            found.add(one)
            pending += one.__subclasses__()
    return found


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    parents: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)([A-Z]\w+) ", line)
        if match:
            depth = len(match[1]) // 4
            parents = [*parents[:depth], match[2]]
            drawn[match[2]] = parents[depth - 1] if depth else ""
    real = {one.__name__: one.__bases__[0].__name__ if one is not WfexecError else "" for one in every_error()}
    assert drawn == real


def test_every_error_has_a_code_of_its_own_kind() -> None:
    for one in every_error():
        assert re.fullmatch(r"[a-z][a-z-]*[a-z]", one.code), one
        assert one.__doc__


def test_the_families_are_apart() -> None:
    for one in every_error():
        families = [family for family in (UsageError, Unreachable, EngineError, StepError) if issubclass(one, family)]
        assert len(families) <= 1, one


def test_an_error_is_told_with_its_mend() -> None:
    assert one_line(WfexecError("it broke")) == "it broke"
    assert one_line(WfexecError("it broke", hint="mend it")) == "it broke; mend it"
    assert str(WfexecError("it broke", hint="mend it")) == "it broke"


def test_a_code_is_the_class_s_or_its_own() -> None:
    assert (WfexecError("x").code, UsageError("x").code, UsageError("x", code="y").code) == ("error", "usage", "y")
    assert UsageError.code == "usage"


def test_a_step_says_how_it_failed() -> None:
    plain = StepFailed("it broke")
    assert (plain.type, plain.exit_code, plain.tail, plain.retryable, plain.outputs) == ("failed", None, "", True, {})
    full = StepFailed("x", type="timeout", exit_code=1, tail="end", hint="wait", retryable=False, outputs={"a": 1})
    assert (full.type, full.exit_code, full.tail, full.hint) == ("timeout", 1, "end", "wait")
    assert (full.retryable, full.outputs) == (False, {"a": 1})
    assert isinstance(StepSkipped("x"), StepError)


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "'a'"), (["a", "b"], "'a' and 'b'"), (["a", "b", "c"], "'a', 'b' and 'c'")],
)
def test_names_in_a_message(names: list[str], text: str) -> None:
    assert join_names(names) == text


def test_run_alone_means_shell_whatever_was_imported_first() -> None:
    from prefect_wfexec.steps.registry import catalog

    every_error()
    assert next(spec.name for spec in catalog().specs.values() if spec.accepts_run) == "shell"
