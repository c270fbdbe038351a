"""Measures of one process: its own, taken inside it, or a whole command's, taken by who started it."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULT_MARK = "bench-result:"
MIB = 1 << 20


@dataclass(frozen=True)
class Measure:
    """What one process measured.

    Attributes:
        values: The figures of the work, in the row's unit; one, or one for each repetition in the process.
        peak_mib: The most memory the process held at once, in MiB.
        notes: More to know: parts of the time, counts.
    """

    values: tuple[float, ...]
    peak_mib: float
    notes: Mapping[str, Any] = field(default_factory=dict)


class Meter:
    """Wall time and processor time from its making on; children that have ended count to the processor time."""

    def __init__(self) -> None:
        self._cpu = cpu_seconds()
        self._wall = time.perf_counter()

    @property
    def wall_seconds(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds() - self._cpu


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(found.ru_utime + found.ru_stime for found in used)


def own_peak_mib() -> float:
    """The most memory this process held at once since it was executed (its parent's own is not in it)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(values: Sequence[float], **notes: Any) -> None:
    """Say what this process measured; the last thing it does."""
    result = {"values": list(values), "peak_mib": own_peak_mib(), "notes": notes}
    print(f"{RESULT_MARK}{json.dumps(result)}", flush=True)


def in_process(side: str, work: str, size: int, environment: Mapping[str, str], folder: Path) -> Measure:
    """Run one piece of work in a process of its own, which measures itself.

    Raises:
        RuntimeError: it failed, so there is no figure.
    """
    command = [sys.executable, "-m", "tests.benchmarks.child", side, work, str(size)]
    done = subprocess.run(
        command,
        env=_with_import_path(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(RESULT_MARK)]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{side} {work} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    result = json.loads(lines[-1].removeprefix(RESULT_MARK))
    return Measure(tuple(result["values"]), result["peak_mib"], result["notes"])


def of_command(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measure:
    """The wall time of a whole command, in seconds.

    Raises:
        RuntimeError: it failed, so there is no figure.
    """
    with (folder / "command.log").open("w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=_with_import_path(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _pid, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{command} ended with {process.returncode}:\n{output.read().decode()[-4000:]}")
    return Measure((seconds,), used.ru_maxrss / 1024, {"cpu_s": round(used.ru_utime + used.ru_stime, 3)})


def _with_import_path(environment: Mapping[str, str]) -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    return {**environment, "PYTHONPATH": str(root)}
