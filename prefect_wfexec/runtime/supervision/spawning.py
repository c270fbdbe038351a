"""Starts a command in a session of its own, with nothing of ours but its two pipes."""

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_PIPE_BYTES = 1 << 18
_RESET = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Spawned(NamedTuple):
    """A started command and the read ends of its pipes, non-blocking: ours, and a copy of each for the flow process."""

    pid: int
    stdout: int
    stderr: int
    shared: tuple[int, int]


class SpawnError(Exception):
    """The command did not start.

    Args:
        kind: `missing` (no such program), `folder` (no such folder) or `refused` (the system says no).
        detail: What the system says.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def spawn(argv: Sequence[str], cwd: str, environment: Mapping[str, str]) -> Spawned:
    """Start `argv` in `cwd` with exactly this environment.

    Raises:
        SpawnError: the program or the folder is not there, or the system refuses.
    """
    try:
        os.chdir(cwd)  # posix_spawn takes no folder, and this process has one thread
    except OSError as error:
        raise SpawnError("folder", os.strerror(error.errno or 0)) from error
    pipes: list[int] = []
    try:
        program = find_program(argv[0], environment.get("PATH", os.defpath))
        for _ in range(2):
            pipes.extend(_open_pipe())
        pipes.extend([os.dup(pipes[0]), os.dup(pipes[2])])
        pid = _spawn(program, argv, environment, pipes[1], pipes[3])
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        for fd in pipes:
            os.close(fd)
        number = error.errno if isinstance(error, OSError) else None
        kind = "missing" if number in {errno.ENOENT, errno.ENOTDIR} else "refused"
        raise SpawnError(kind, os.strerror(number) if number else str(error)) from error
    finally:
        os.chdir("/")
    os.close(pipes[1])
    os.close(pipes[3])
    return Spawned(pid, pipes[0], pipes[2], (pipes[4], pipes[5]))


def find_program(name: str, path: str) -> str:
    """The file that `name` means for a command with this PATH; a name with a slash means itself.

    Raises:
        FileNotFoundError: PATH has no such program.
        PermissionError: it has one that may not be executed.
    """
    if "/" in name:
        return name
    refusal: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    for folder in path.split(":"):
        candidate = os.path.join(folder or ".", name)  # noqa: PTH118 - pathlib would double the supervisor's start
        if os.path.isfile(candidate):  # noqa: PTH113
            if os.access(candidate, os.X_OK):
                return candidate
            refusal = PermissionError(errno.EACCES, os.strerror(errno.EACCES), candidate)
    raise refusal


def _open_pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with contextlib.suppress(OSError):  # a user may hold only so many large pipes; a small one works too
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return read_end, write_end


def _spawn(program: str, argv: Sequence[str], environment: Mapping[str, str], stdout: int, stderr: int) -> int:
    return os.posix_spawn(
        _encode(program),
        [_encode(part) for part in argv],
        {_encode(name): _encode(value) for name, value in environment.items()},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_RESET,
    )


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
