"""The processes that lost their parent and became children of the supervisor, and whose they are."""

import os
from collections.abc import Mapping

from prefect_wfexec.runtime.supervision.processes import (
    Process,
    children_of_this_process,
    find_process,
    marker_of,
)


class Orphans:
    """Knows for each adopted process which commands it may descend from: one, as a rule.

    The mark in its environment tells, else its session. A process that wiped both may be any of the commands that ran
    when it was first seen, and is stopped with the last of them.
    """

    def __init__(self) -> None:
        self._owners: dict[Process, set[str]] = {}
        self._seen: dict[tuple[int, int], set[str]] = {}

    def refresh(self, leaders: Mapping[int, str]) -> None:
        """Look at the children of this process again, and take in those that ended.

        Args:
            leaders: The pid of each command that runs, and the command's id.
        """
        owners: dict[Process, set[str]] = {}
        seen: dict[tuple[int, int], set[str]] = {}
        for pid in children_of_this_process():
            if pid in leaders or _has_ended(pid):
                continue
            process = find_process(pid)
            if process is None:
                continue
            key = (pid, process.started)
            known = self._seen.get(key)
            seen[key] = known if known is not None else _owners_of(process, leaders)
            owners[process] = seen[key]
        self._owners, self._seen = owners, seen

    def of(self, command_id: str) -> list[Process]:
        """The living processes that can only be this command's."""
        return [process for process, owners in self._owners.items() if owners == {command_id}]

    def strays(self) -> list[Process]:
        """The living processes whose command has ended."""
        return [process for process, owners in self._owners.items() if not owners]

    def release(self, command_id: str) -> None:
        """The command has ended: it owns nothing any more."""
        for owners in self._seen.values():
            owners.discard(command_id)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _owners_of(process: Process, leaders: Mapping[int, str]) -> set[str]:
    running = set(leaders.values())
    marker = marker_of(process.pid)
    if marker in running:
        return {str(marker)}
    for pid in (process.session, process.group):
        if pid in leaders:
            return {leaders[pid]}
    return running
