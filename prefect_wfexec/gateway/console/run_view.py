"""One execution as its page shows it, part by part. Pure over what was read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_wfexec.definition.model import Step, Workflow
from prefect_wfexec.engine.progress import phase_title, result_line, shown_status, step_seconds
from prefect_wfexec.gateway.console.pages import render
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import RunStatus, StepStatus
from prefect_wfexec.views.dag import NODE_HEIGHT, NODE_WIDTH, Layout, layout
from prefect_wfexec.views.execution import Execution
from prefect_wfexec.views.failures import failures_of

LONGEST_NAME = 18


class Drawn:
    """The parts of steps as they were drawn last, with what they were drawn from: most do not change between looks."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def part(self, name: str, source: object, draw: Callable[[], str]) -> str:
        """A part, drawn anew when it is to be drawn from something else."""
        known = self._known.get(name)
        if known is None or known[0] != source:
            known = self._known[name] = (source, draw())
        return known[1]


@dataclass(frozen=True, slots=True)
class RunView:
    """An execution, who looks at it, and where Prefect shows it.

    Attributes:
        execution: The run.
        person: Who looks.
        prefect_page: Its page in Prefect's UI.
        has_deployment: Whether a worker can take it up again.
        drawn: What an earlier look has drawn.
    """

    execution: Execution
    person: Identity
    prefect_page: str
    has_deployment: bool
    drawn: Drawn = field(default_factory=Drawn)

    @property
    def address(self) -> str:
        return f"/console/executions/{self.execution.header.id}"

    @property
    def is_over(self) -> bool:
        """Whether nothing goes on with it any more."""
        return self.execution.status.is_final or bool(self.execution.lost)

    @property
    def may_act(self) -> bool:
        return self.person.may(Role.OPERATOR)

    def parts(self) -> dict[str, str]:
        """Every part that changes, by the id of the element it fills."""
        found = {"head": self._head(), "failure": self._failure(), "gates": self._gates()}
        for place, step in enumerate(self.steps):
            found[f"node-{place}"] = self._node(place, step)
            found[f"step-{place}"] = self._row(place, step)
        return found

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps; none as long as no engine has opened it."""
        return self.execution.workflow.steps if self.execution.workflow is not None else ()

    def structure(self, parts: Mapping[str, str]) -> str:
        """The graph and the list of its steps, empty or filled with these parts; nothing when it has no steps yet."""
        workflow = self.execution.workflow
        places = range(len(self.steps))
        return render(
            "run_structure.html",
            layout=layout(workflow) if workflow is not None else Layout((), (), 0, 0),
            nodes=[parts.get(f"node-{place}", "") for place in places],
            rows=[parts.get(f"step-{place}", "") for place in places],
            phases=self._phases(),
        )

    def step_options(self, chosen: str = "") -> str:
        """What the log's list of steps offers."""
        return render("run_step_options.html", steps=self.steps, chosen=chosen)

    def _phases(self) -> dict[int, str]:
        """The steps that begin a phase, by their place, and what the phase is called."""
        before: str | None = None
        found: dict[int, str] = {}
        for place, step in enumerate(self.steps):
            if step.phase and step.phase != before:
                found[place] = phase_title(step.phase)
            before = step.phase
        return found

    def _head(self) -> str:
        shown = self.execution.as_json()
        return render(
            "run_head.html",
            run=shown,
            commit=_commit(self.execution.state),
            address=self.address,
            prefect_page=self.prefect_page,
            actions=self._run_actions(),
            is_over=self.is_over,
        )

    def _run_actions(self) -> list[tuple[str, str]]:
        """What may be asked of the whole run: the address of the page that asks once more, and what it is called."""
        status = self.execution.status
        if not self.may_act:
            return []
        if not self.is_over:
            is_stopping = status is RunStatus.TERMINATING
            stop = [] if is_stopping else [(f"{self.address}/cancel", "Cancel")]
            return [*stop, (f"{self.address}/cancel?cleanup=yes", "Cancel with cleanup")]
        found: list[tuple[str, str]] = []
        if self._can_be_retried:
            found.append((f"{self.address}/retry", "Retry"))
        has_cleanup = any(step.cleanup for step in self.execution.workflow.steps) if self.execution.workflow else False
        if has_cleanup and status is not RunStatus.SUCCEEDED and self.execution.state.cleanup is None:
            found.append((f"{self.address}/cancel?cleanup=yes", "Clean up"))
        return found

    @property
    def _can_be_retried(self) -> bool:
        """Whether something of it can be done again, by a worker."""
        is_whole = self.execution.state.opened is not None and self.execution.state.cleanup is None
        return self.is_over and is_whole and self.has_deployment and self.execution.status is not RunStatus.SUCCEEDED

    def _failure(self) -> str:
        found = failures_of(self.execution)
        if not found.cards and found.error is None:
            return ""
        actions = [action for action in found.actions if action.action in {"retry", "retry_from", "skip"}]
        return render(
            "run_failure.html",
            address=self.address,
            error=found.error,
            cards=found.cards,
            steps={action.step for action in actions if action.action == "skip"},
            can_retry=self.may_act and self._can_be_retried,
            can_stop=self.may_act and not self.is_over,
            commands=[action.command for action in actions] if not self.has_deployment else [],
        )

    def _gates(self) -> str:
        state = self.execution.state
        gates = [] if self.is_over else list(state.open_gates)
        names = {step.id: step.name for step in self.execution.workflow.steps} if self.execution.workflow else {}
        return render("run_gates.html", gates=gates, names=names, address=self.address)

    def _node(self, place: int, step: Step) -> str:
        status = shown_status(step, self.execution.state)
        name = step.name if len(step.name) <= LONGEST_NAME else f"{step.name[: LONGEST_NAME - 1]}…"

        def draw() -> str:
            return render("run_node.html", step=step, name=name, status=status, width=NODE_WIDTH, height=NODE_HEIGHT)

        return self.drawn.part(f"node-{place}", (step.name, status), draw)

    def _row(self, place: int, step: Step) -> str:
        state = self.execution.state
        current, status = state.step(step.id), shown_status(step, state)
        seconds = step_seconds(current, self.execution.ended or self.execution.now)
        actions = list(self._step_actions(step, status, state))
        shown = {
            "number": place + 1,
            "status": status,
            "seconds": None if seconds is None else round(seconds),
            "attempt": current.attempt,
            "words": result_line(current, status),
            "address": self.address,
            "actions": actions,
        }
        source = (step.id, step.name, *shown.values())
        return self.drawn.part(f"step-{place}", source, lambda: render("run_step.html", step=step, **shown))

    def _step_actions(self, step: Step, status: StepStatus, state: ExecutionState) -> Iterator[tuple[str, str]]:
        if not (self.may_act and self._can_be_retried):
            return
        if status is StepStatus.FAILED:
            yield f"{self.address}/retry?step={step.id}", "Retry step"
        if state.step(step.id).attempts:
            yield f"{self.address}/retry?from={step.id}", "Retry from here"
        if status is StepStatus.FAILED and step.allow_skip:
            yield f"{self.address}/skip?step={step.id}", "Skip"


def _commit(state: ExecutionState) -> str:
    trigger = state.opened.trigger if state.opened is not None else {}
    return str(trigger.get("commit") or "")[:12]


def tab_of(view: RunView, tab: str, audit: Mapping[str, Any] | None) -> str:
    """What a tab below the steps shows.

    Args:
        view: The execution.
        tab: Its name.
        audit: The journal, for the tab that shows it.
    """
    shown = view.execution.as_json()
    values: dict[str, Any] = {"run": shown, "address": view.address}
    if tab == "outputs":
        values["outputs"] = view.execution.outputs_json()
    elif tab == "attempts":
        values["attempts"] = list(_attempts(view.execution.workflow, view.execution.state))
    elif tab == "audit":
        values["audit"] = audit
    return render(f"tab_{tab}.html", **values)


def _attempts(workflow: Workflow | None, state: ExecutionState) -> Iterator[dict[str, Any]]:
    for step in workflow.steps if workflow is not None else ():
        for attempt in state.step(step.id).attempts:
            yield {
                "step": step.name,
                "number": attempt.number,
                "started": attempt.started.isoformat(),
                "seconds": (attempt.ended - attempt.started).total_seconds(),
                "status": attempt.status.value,
                "error": attempt.fault.message.strip().splitlines()[0]
                if attempt.fault and attempt.fault.message
                else "",
            }
