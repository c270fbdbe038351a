"""Validation: what step types say they need, and what they find themselves."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from prefect_wfexec.definition.expansion import expand
from prefect_wfexec.engine import validating
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.engine.validating import validation_type
from prefect_wfexec.errors import EngineError, StepFailed
from prefect_wfexec.journal.facts import Fact, Kind
from prefect_wfexec.steps import registry
from prefect_wfexec.steps.base import StepContext, StepResult, StepType, WithModel
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.testing import log_of, make_context
from tests.unit.engine.support import RUN_INFO, step, workflow
from tests.unit.journal.support import entered, fact, folded, opened


class AnyWith(WithModel):
    """Takes an address, and how to look at it."""

    address: str = "here"
    how: str = ""


class Looks(StepType):
    """A step type with every kind of check."""

    Inputs = AnyWith
    tools = (("sh",), ("no-such-program", "nor-this-one"))
    seen: list[CheckContext]

    async def check(self, context: CheckContext) -> list[Problem]:
        Looks.seen.append(context)
        how = context.known.get("how")
        if how == "breaks":
            raise RuntimeError("hunter2hunter2 is the password")
        if how == "refuses":
            raise EngineError("nobody is there", hint="start it")
        if how == "hangs":
            await asyncio.Event().wait()
        return [Problem("it is red", "paint it")] if how == "finds" else []

    async def run(self, context: StepContext) -> StepResult:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    # A module is imported once: what it registers must not go with the copy.
    for names in registry.OWN_TYPES.values():
        registry.find_step_type(names[0])
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    registry.step_type("looks")(Looks)
    Looks.seen = []


async def validated(tmp_path: Path, *facts: Fact, **more: Any) -> list[str]:
    """The faults, each in a line; empty when there are none."""
    one = expand(workflow(step("a", phase="source"), step("b", "a", uses="looks", phase="build", **more)), {})
    scopes = Scopes(one, Outline(one), RUN_INFO)
    state = folded(opened(inputs={"place": "there"}), entered(), *facts)
    made = make_context("validation", folder=tmp_path, secrets=("hunter2hunter2",))
    scratch = Path(mkdtemp(dir=tmp_path))
    context = replace(made, scratch_folder=lambda: scratch)

    class Journal:
        pass

    journal: Any = Journal()
    journal.state = state
    client: Any = None
    try:
        await validation_type(scopes, journal, client)().run(context)
    except StepFailed as failed:
        assert (failed.type, failed.retryable) == ("invalid", False)
        assert "hunter2" not in failed.message
        lines = failed.message.splitlines()
        faults = [line.removeprefix("- ") for line in lines[1:]] or lines
        assert faults == [line for stream, line in log_of(context).lines if stream == "stderr"]
        return faults
    return []


async def test_a_program_of_each_group_is_found_or_named(tmp_path: Path) -> None:
    words = "step 'b': no program 'no-such-program' or 'nor-this-one' is on PATH; install no-such-program"
    assert await validated(tmp_path) == [words]
    (tmp_path / "nor-this-one").touch(mode=0o755)
    (tmp_path / "sh").touch(mode=0o755)
    assert await validated(tmp_path, env={"PATH": str(tmp_path)}) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("finds", "step 'b': it is red; paint it"),
        ("refuses", "step 'b': nobody is there; start it"),
        ("breaks", "step 'b': looking at it broke: RuntimeError: *** is the password"),
        ("hangs", "step 'b': looking at it took longer than 0.05 s"),
    ],
)
async def test_a_check_that_finds_something_or_does_not_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setattr(validating, "LONGEST_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(Looks, "tools", ())
    assert await validated(tmp_path, with_={"how": how}) == [words]


async def test_a_check_sees_what_is_known_by_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Looks, "tools", ())
    with_ = {"address": "${{ inputs.place }}-${{ env.SIZE }}", "how": "${{ steps.a.outputs.how }}"}
    env = {"SIZE": 3, "LATER": "${{ steps.a.status }}"}
    assert await validated(tmp_path, with_=with_, env=env) == []
    [context] = Looks.seen
    assert (context.known, context.env) == ({"address": "there-3"}, {"SIZE": "3"})
    assert context.folder == tmp_path


async def test_an_expression_that_can_never_be_worked_out_is_a_fault(tmp_path: Path) -> None:
    [words] = await validated(tmp_path, with_={"address": "${{ inputs.palce }}"})
    assert words.startswith("step 'b': expression 'inputs.palce'")


async def test_a_step_that_will_not_run_is_not_looked_at(tmp_path: Path) -> None:
    assert await validated(tmp_path, if_="inputs.place == 'here'") == []
    assert len(await validated(tmp_path, if_="steps.a.status == 'Failed'")) == 1


async def test_what_was_found_of_the_whole_run_comes_first(tmp_path: Path) -> None:
    found = fact(Kind.VALIDATED, engine="e1", problems=["environment 'x' is not active; set Active"])
    faults = await validated(tmp_path, found)
    assert faults[0] == "environment 'x' is not active; set Active"
    assert len(faults) == 2
