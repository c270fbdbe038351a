"""The supervisor process: `python -I -S supervisor_process.py FD PARENT_PID`.

It outlives the flow process that started it for as long as it takes to stop what that ran. So it lives in a session of
its own, ignores the signals that end a flow process, and knows no secret but those it is told to mask.
"""

import os
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> None:
    """Serve the flow process at the other end of the socket.

    Args:
        arguments: The number of the socket's descriptor, and the pid of the flow process.
    """
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would double the start
    sys.path.append(os.path.dirname(os.path.dirname(folder)))  # noqa: PTH120
    import socket

    from prefect_wfexec.runtime.supervision.server import Server
    from prefect_wfexec.runtime.supervision.wire import Channel

    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    _adopt_orphans()
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    Server(Channel(connection), int(arguments[1]), _child_wakeup()).serve()


def _child_wakeup() -> int:
    """A descriptor that becomes readable when a child ends."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return read_end


def _adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none is out of reach."""
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # they are then found by their mark only
        return


if __name__ == "__main__":
    main(sys.argv[1:])
