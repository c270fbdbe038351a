"""prefect-shell's ShellOperation with its process taken over by our supervisor.

What stays prefect-shell's: how commands become one script, the argv and working folder of the process, and the exit
stack that removes the script. What changes: the script lies in the step's private folder instead of the shared
temporary one, its text is not logged, and the worker's environment is not handed on.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect_shell.commands import ShellOperation
from pydantic import PrivateAttr

from prefect_wfexec.runtime.command import CommandResult

SCRIPT_NAME = "script"


class SupervisedShellOperation(ShellOperation):  # type: ignore[misc]
    """A shell operation whose process runs under the supervisor.

    Use it as an async context manager: the script is gone when it closes.
    """

    _block_type_name = "Supervised Shell Operation"
    _block_type_slug = "wfexec-supervised-shell-operation"

    _interpreter: list[str] = PrivateAttr(default_factory=list)
    _scratch: Path = PrivateAttr(default=Path())

    def prepare(self, interpreter: list[str], scratch: Path) -> "SupervisedShellOperation":
        """Say what the script is run by, with its options, and where it is written."""
        self._interpreter = interpreter
        self._scratch = scratch
        return self

    @contextmanager
    def _prep_trigger_command(self) -> Iterator[list[str]]:
        script = self._scratch / f"{SCRIPT_NAME}{self.extension or ''}"
        descriptor = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write("\n".join(self.commands))
            yield [*self._interpreter, str(script)]
        finally:
            script.unlink(missing_ok=True)

    async def arun_supervised(self, command: Callable[..., Any]) -> CommandResult:
        """Run the script through `command`, the step's command runner, to its end."""
        prepared = self._compile_kwargs()
        result: CommandResult = await command(prepared["command"], cwd=Path(prepared["cwd"]), env=self.env)
        return result

    async def aclose(self) -> None:
        """Remove the script."""
        await self._exit_stack.aclose()
