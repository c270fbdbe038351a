"""The command line as a person uses it: a process of its own, its output, its exit code."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

COMMAND = (sys.executable, "-m", "prefect_wfexec.cli.main")
HEEDING = ("/usr/bin/env", "--default-signal=INT,HUP")
"""Signals act as at a terminal, also when what runs the tests was told to ignore some, as under nohup."""
DEADLINE_SECONDS = 300.0
"""What no working command takes, on a busy machine with a server on SQLite that stands still for a minute at times."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        """Standard output as the one JSON document it is."""
        return json.loads(self.out)

    @property
    def run(self) -> str:
        """The name of the run, from the line that `run` begins with."""
        for line in (*self.out.splitlines(), *self.err.splitlines()):
            if line.startswith("Run wfr_"):
                return line.split()[1]
        raise AssertionError(f"no run is named in:\n{self.out}\n{self.err}")


class Going:
    """A command that goes on; its output is collected as it comes."""

    def __init__(self, process: "subprocess.Popen[bytes]", started: float) -> None:
        self.process = process
        self._started = started
        self._collected = {"out": bytearray(), "err": bytearray()}
        self._grew = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        while data := stream.read1(65536):
            with self._grew:
                self._collected[name] += data
                self._grew.notify_all()
        stream.close()

    @property
    def out(self) -> str:
        with self._grew:
            return self._collected["out"].decode()

    @property
    def err(self) -> str:
        with self._grew:
            return self._collected["err"].decode()

    def until(self, text: str) -> str:
        """Wait for a text in either output; all output so far."""
        wanted = text.encode()

        def is_there() -> bool:
            return any(wanted in data for data in self._collected.values())

        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._grew:
            while not is_there():
                assert time.monotonic() < deadline, f"'{text}' did not come:\n{self._text()}"
                is_over = self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers)
                assert not is_over or is_there(), f"the command ended without '{text}':\n{self._text()}"
                self._grew.wait(0.1)
            return self._text()

    def _text(self) -> str:
        return "\n".join(data.decode(errors="replace") for data in self._collected.values())

    @property
    def run(self) -> str:
        """The name of the run, once it is known."""
        self.until("Run wfr_")
        return Result(0, self.out, self.err, 0.0).run

    def signal(self, number: int = signal.SIGINT) -> None:
        """Signal the command's process alone, as `kill` does."""
        self.process.send_signal(number)

    def end(self, seconds: float = DEADLINE_SECONDS) -> Result:
        """Wait for the end."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._stop_telling()
            self._join_readers()
            raise AssertionError(f"the command did not end:\n{self._text()}") from None
        self._join_readers()
        return Result(code, self.out, self.err, time.monotonic() - self._started)

    def stop(self) -> None:
        """End it, whatever it does; for tests that fail half-way."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _stop_telling(self) -> None:
        """End it; it says on standard error what each of its threads is at."""
        self.signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.stop()

    def _join_readers(self) -> None:
        for reader in self._readers:
            reader.join(DEADLINE_SECONDS)


class Wfexec:
    """Runs `wfexec` with an environment and in a folder of its own.

    Args:
        environment: The whole environment of every command.
        folder: Where definitions are written and commands run.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self._going: list[Going] = []

    def with_environment(self, **changes: str | None) -> "Wfexec":
        """The same with other variables; None takes one out."""
        environment = {**self.environment, **{key: value for key, value in changes.items() if value is not None}}
        return Wfexec(
            {key: value for key, value in environment.items() if changes.get(key, "") is not None}, self.folder
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def __call__(self, *arguments: str | Path) -> Result:
        """Run a command to its end, nobody at its terminal."""
        return self.start(*arguments).end()

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run a command with `--json`; its document."""
        result = self(*arguments, "--json")
        assert result.code == code, f"exit code {result.code}\n{result.out[-3000:]}\n{result.err[-3000:]}"
        return result.json()

    def start(self, *arguments: str | Path, out: Path | None = None) -> Going:
        """Start a command.

        Args:
            *arguments: Its arguments.
            out: A file for standard output, when there is too much of it to collect.
        """
        started = time.monotonic()
        with contextlib.nullcontext(subprocess.PIPE) if out is None else out.open("wb") as target:
            process = subprocess.Popen(
                [*HEEDING, *COMMAND, *map(str, arguments)],
                cwd=self.folder,
                env={**self.environment, "PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.PIPE,
            )
        going = Going(process, started)
        self._going.append(going)
        return going

    def stop_all(self) -> None:
        for going in self._going:
            going.stop()


def peak_bytes(pid: int) -> int:
    """The most memory a living process has held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def children_of(pid: int) -> list[int]:
    """Every living descendant of a process."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, pending = [], [pid]
    while pending:
        below = parents.get(pending.pop(), [])
        found += below
        pending += below
    return found


def user_environment(environment: Mapping[str, str], user: str) -> dict[str, str]:
    """The environment of another person at another terminal."""
    return {**environment, "PREFECT_INTEGRATIONS_WFEXEC_USER": user}


def plain_environment() -> dict[str, str]:
    """What a process needs of this one's environment, and nothing of Prefect's."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
