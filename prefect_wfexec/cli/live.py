"""The step list of a running workflow, redrawn in place."""

import contextlib
import re
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.engine.progress import duration_text, progress_lines, run_status, shown_status
from prefect_wfexec.journal.facts import utc_now
from prefect_wfexec.journal.state import ExecutionState
from prefect_wfexec.status import StepStatus

_NUMBERED = re.compile(r" *(\d+)\. ")
_QUIET = "grey50"
_IN_MOTION = tuple(f" {status.icon} " for status in (StepStatus.RUNNING, StepStatus.WAITING))


class LiveSteps:
    """Draws the list below whatever else is printed; a line of it is a row of the screen, cut rather than wrapped."""

    def __init__(self, file: TextIO) -> None:
        self._console = Console(file=file, highlight=False, markup=False)
        self._live: Live | None = None
        self._shown: tuple[Workflow, ExecutionState] | None = None

    def start(self) -> None:
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with contextlib.suppress(OSError):
            self._live.start()

    def stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            # The terminal may be gone: that is no reason to end a run.
            with contextlib.suppress(OSError):
                live.stop()

    def show(self, workflow: Workflow, state: ExecutionState) -> None:
        self._shown = (workflow, state)

    def print(self, line: str) -> None:
        """Print a line above the list, whole, however long it is."""
        self._console.print(Text(line), soft_wrap=True)

    def _draw(self) -> Text:
        drawn = Text(no_wrap=True, overflow="ellipsis", end="")
        if self._shown is None:
            drawn.append("starting …", style=_QUIET)
            return drawn
        workflow, state = self._shown
        now = utc_now()
        words = (workflow.name, run_status(state).value, duration_text(state.active_seconds(now)))
        drawn.append(" · ".join(word for word in words if word), style="bold")
        room = max(3, self._console.size.height - 3)
        for line in window(list(progress_lines(workflow, state, now)), room):
            drawn.append("\n")
            drawn.append(line, style=_style(line, workflow, state))
        return drawn


def window(lines: Sequence[str], room: int) -> list[str]:
    """As many of the lines as there is room for, around the first that is in motion."""
    if len(lines) <= room:
        return list(lines)
    first = next((place for place, line in enumerate(lines) if any(icon in f"{line} " for icon in _IN_MOTION)), 0)
    inside = room - 2
    start = min(max(0, first - inside // 3), len(lines) - inside)
    below = len(lines) - start - inside
    return [
        f"… {start} lines above" if start else "",
        *lines[start : start + inside],
        f"… {below} lines below" if below else "",
    ]


def _style(line: str, workflow: Workflow, state: ExecutionState) -> str:
    numbered = _NUMBERED.match(line)
    return shown_status(workflow.steps[int(numbered[1]) - 1], state).color if numbered else _QUIET
