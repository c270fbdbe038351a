"""The step list of a running workflow, redrawn in place."""

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.progress import progress_lines, shown_status
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus

MOST_LINES = 30


class LiveSteps:
    """Draws the list below whatever else is printed."""

    def __init__(self, file: TextIO) -> None:
        self._console = Console(file=file, highlight=False, markup=False, soft_wrap=True)
        self._live: Live | None = None
        self._shown: tuple[Workflow, ExecutionState] | None = None

    def start(self) -> None:
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True)
        self._live.start()

    def stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def show(self, workflow: Workflow, state: ExecutionState) -> None:
        self._shown = (workflow, state)

    def print(self, line: str) -> None:
        self._console.print(Text(line))

    def _draw(self) -> Text:
        if self._shown is None:
            return Text("starting …", style="grey50")
        workflow, state = self._shown
        styles = {f"{step.name}": shown_status(step, state) for step in workflow.steps}
        drawn = Text()
        lines = list(progress_lines(workflow, state))
        for line in lines[-MOST_LINES:]:
            drawn.append(line + "\n", style=_style(line, styles))
        return drawn


def _style(line: str, styles: dict[str, StepStatus]) -> str:
    for status in StepStatus:
        if f" {status.icon} " in f"{line} ":
            return status.color
    return "" if styles else "grey50"
