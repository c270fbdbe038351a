"""What a process that runs a flow itself hands to the engine: who watches, and who started the run."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.journal.facts import Fact
from prefect_wfexec.journal.state import ExecutionState

if TYPE_CHECKING:
    from prefect_wfexec.journal.journal import Journal

OnFacts = Callable[[Workflow, ExecutionState, Sequence[Fact]], None]
OnLog = Callable[[str, str, str], None]


@dataclass
class Session:
    """Callbacks from the engine to the process it runs in.

    Attributes:
        on_facts: Called after the journal grew, with the state folded and what is new.
        on_log: Called with (step id, stream, masked text).
        journal: The engine's journal, once it is open.
        wake: Makes the engine look at the journal at once; may be called from any thread.
        is_open: Set once the journal is open.
    """

    on_facts: OnFacts = lambda _workflow, _state, _facts: None
    on_log: OnLog = lambda _step, _stream, _text: None
    journal: "Journal | None" = None
    wake: Callable[[], None] = field(default=lambda: None)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)


_current: ContextVar[Session | None] = ContextVar("wfexec_session", default=None)


def current_session() -> Session:
    """The session of this context, one that watches nothing when there is none."""
    return _current.get() or Session()


@contextmanager
def session(value: Session) -> Iterator[Session]:
    """Run what is inside with this session."""
    token = _current.set(value)
    try:
        yield value
    finally:
        _current.reset(token)
