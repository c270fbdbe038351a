"""Which process this is, so that a later engine on the same machine can tell at once whether this one still lives."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def host_id() -> str:
    """Names this machine, since its last boot, and the process-id namespace: where a pid means the same process."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id",):
        try:
            parts.append(Path(path).read_text().strip())
        except OSError:
            parts.append("")
    try:
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        parts.append("")
    return " ".join(parts)


def process_started(pid: int) -> str:
    """When a process started, in clock ticks since boot, as text; empty when there is no such process.

    A pid together with this names a process for good: pids are used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]


def is_alive(pid: int, started: str) -> bool:
    """Whether the process named by `pid` and `started` still runs on this machine."""
    return bool(started) and process_started(pid) == started


def this_process() -> tuple[int, str]:
    """This process's pid and start."""
    pid = os.getpid()
    return pid, process_started(pid)
