"""What the process of a run prints: when nobody is left to read it, the run goes on all the same."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any


def go_on_unread() -> None:
    """Have the handlers of Prefect's log fall silent when what reads their lines is gone.

    A worker reads what its runs print. When it is killed the next line would end the process, in the midst of an
    apply: that is what rich does for programs whose output is all they are for.
    """
    for console in _consoles():
        # Of the instance, and not of the class: other consoles of this process are none of ours.
        console.on_broken_pipe = partial(_fall_silent, console)


def _fall_silent(console: Any) -> None:
    console.quiet = True


def _consoles() -> Iterator[Any]:
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in known:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            console = getattr(handler, "console", None)
            if hasattr(console, "on_broken_pipe"):
                yield console
