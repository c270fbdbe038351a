"""Whose files are made again before a step starts, and whose are not."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine import restoring
from prefect_wfexec.engine.artifacts import save_artifacts
from prefect_wfexec.engine.outline import Outline
from prefect_wfexec.engine.restoring import Restorer
from prefect_wfexec.engine.scope import Scopes
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.journal.fold import fold_facts
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.base import StepContext, StepResult, StepType
from prefect_wfexec.steps.registry import find_step_type
from prefect_wfexec.testing import MemoryBlobs, log_of, make_context
from tests.unit.engine.support import RUN_INFO, step, workflow
from tests.unit.journal.support import entered, finished, opened, started


class Clone(StepType):
    """Leaves a file in its folder, and can leave it again."""

    restored: ClassVar[list[tuple[str, int, Mapping[str, JSON]]]] = []
    fault: ClassVar[StepFailed | None] = None

    async def run(self, context: StepContext) -> StepResult:
        raise AssertionError("it is not run again")

    async def restore(self, context: StepContext, outputs: Mapping[str, JSON]) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        self.restored.append((context.step.id, context.attempt, outputs))
        (context.workspace.folder(context.step.id) / "file").write_text("cloned")


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "find_step_type", lambda name: Clone if name == "clone" else find_step_type(name))
    monkeypatch.setattr(Clone, "restored", [])
    monkeypatch.setattr(Clone, "fault", None)


class Machine:
    """A machine with a run on it: `clone` and `build` have succeeded somewhere, `use` is to start here."""

    def __init__(self, home: Path, blobs: MemoryBlobs, **done: Any) -> None:
        self.workspace = Workspace.of("run", home)
        self.folder = home / "definition"
        self.folder.mkdir(parents=True)
        self.blobs = blobs
        self.steps = {
            "other": step("other", uses="clone"),
            "clone": step("clone", uses="clone"),
            "build": step("build", "clone"),
            "use": step("use", "build", env={"APP": "${{ steps.build.outputs.path }}"}),
        }
        outline = Outline(workflow(*self.steps.values()))
        facts = [opened(), entered()]
        for name in ("other", "clone", "build"):
            facts += [started(name), finished(name, **done.get(name, {}))]
        self.state = fold_facts(facts, ExecutionState(), 1)
        scopes = Scopes(outline.workflow, outline, RUN_INFO, workspace=self.workspace.root)
        self.restorer = Restorer(outline, scopes, lambda: self.state, blobs, self.workspace, overwrites=True)
        self.contexts: list[StepContext] = []

    async def context(self, one: Step, attempt: int, _scope: Mapping[str, JSON]) -> StepContext:
        made = make_context("shell", run="x", folder=self.folder, attempt=attempt)
        made = replace(made, step=one, workspace=self.workspace, blobs=self.blobs)
        self.contexts.append(made)
        return made

    async def start(self, name: str = "use") -> None:
        await self.restorer.restore(self.steps[name], self.folder, self.context)


PATH = {"clone": {"outputs": {"path": "workspace:/clone"}, "local": [["path"]]}}


async def test_what_stands_above_is_made_again_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, MemoryBlobs(), **PATH)
    await asyncio.gather(machine.start(), machine.start("build"), machine.start())
    assert Clone.restored == [("clone", 1, {"path": str(machine.workspace.root / "clone")})]
    assert (machine.workspace.root / "clone" / "file").read_text() == "cloned"
    [context] = machine.contexts
    assert "the files of step 'clone' are not on this machine" in log_of(context).text("system")


async def test_what_is_here_is_not_made_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, MemoryBlobs(), **PATH)
    machine.workspace.note_here("clone", 1)
    await machine.start()
    assert Clone.restored == []


async def test_what_does_not_stand_above_or_has_not_succeeded_is_left_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, MemoryBlobs(), clone={"status": "Failed"})
    await machine.start()
    assert Clone.restored == []
    assert not machine.workspace.root.exists()


async def kept_by(machine: Machine) -> Any:
    here = machine.workspace.make()
    (here / "app").write_text("built")
    context = await machine.context(replace(machine.steps["build"], artifacts=("$WFEXEC_WORKSPACE/app",)), 1, {})
    return await save_artifacts(context, find_step_type("shell"))


async def test_artifacts_are_put_back_behind_what_came_before(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    kept = await kept_by(Machine(tmp_path / "first", blobs))
    second = Machine(tmp_path / "second", blobs, build={"artifacts": kept}, **PATH)
    await second.start()
    assert (second.workspace.root / "app").read_text() == "built"
    (second.workspace.root / "app").unlink()
    await second.start()
    assert not (second.workspace.root / "app").exists(), "what a step here removed stays removed"


async def test_files_that_can_t_be_had_again_fail_the_step_that_needs_them(tmp_path: Path) -> None:
    Clone.fault = StepFailed("the repository is gone", type="git", hint="ask its owner")
    machine = Machine(tmp_path, MemoryBlobs())
    with pytest.raises(
        StepFailed, match="'clone' can't be had again on this machine: the repository is gone"
    ) as caught:
        await machine.start()
    assert (caught.value.type, caught.value.hint) == ("not_restored", "ask its owner")
    assert not machine.workspace.is_here("clone", 1)


async def test_a_named_path_that_nothing_brings_is_told(tmp_path: Path) -> None:
    build = {"outputs": {"path": "workspace:/dist/app"}, "local": [["path"]]}
    machine = Machine(tmp_path, MemoryBlobs(), build=build)
    with pytest.raises(StepFailed, match="it gave the path path, and left nothing") as caught:
        await machine.start()
    assert "artifacts" in (caught.value.hint or "")
    machine.steps["use"] = step("use", "build")
    await machine.start()
