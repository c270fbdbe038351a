"""SIGTERM under Prefect: it cancels the task of the run, wherever Python is at that moment."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NAME = "_prefect_sigterm_handler"


@contextlib.contextmanager
def cancels_this_task() -> Iterator[None]:
    """Have the SIGTERM that Prefect handles cancel the current task.

    Prefect's handler raises an exception in whatever the main thread does. Between two callbacks of the event loop that
    cancels the run. In the midst of one it is swallowed there, or ends another task: the stop is lost, or what the step
    has just said.

    Prefect tells its worker that it will heed a cancel only as long as its own handler is in place, so this one takes
    the handler's name as well. Where some other handler is in place, as that of a command line, nothing is changed.
    """
    from prefect.utilities import engine as prefect

    theirs = getattr(prefect, _NAME, None)
    is_main = threading.current_thread() is threading.main_thread()
    task = asyncio.current_task()
    if not is_main or task is None or theirs is None or signal.getsignal(signal.SIGTERM) is not theirs:
        yield
        return
    loop = asyncio.get_running_loop()

    def cancel(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(task.cancel)

    setattr(prefect, _NAME, cancel)
    signal.signal(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        setattr(prefect, _NAME, theirs)
        if signal.getsignal(signal.SIGTERM) is cancel:
            signal.signal(signal.SIGTERM, theirs)
