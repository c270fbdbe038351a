"""Runs terraform commands for one step: readable lines into its log, diagnostics kept for its error message."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakKeyDictionary

from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.terraform import diagnostics as said
from prefect_wfexec.steps.terraform.binary import Program, binary
from prefect_wfexec.steps.terraform.commandline import CommandLines
from prefect_wfexec.steps.terraform.failures import failure
from prefect_wfexec.steps.terraform.listening import Finished, Listener, Show
from prefect_wfexec.steps.terraform.places import environment, selected_workspace
from prefect_wfexec.steps.terraform.stops import killed_reading, stop_policy, was_killed

_init_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Path, asyncio.Lock]] = WeakKeyDictionary()


def _init_lock(data: Path) -> asyncio.Lock:
    return _init_locks.setdefault(asyncio.get_running_loop(), {}).setdefault(data, asyncio.Lock())


class Session:
    """Terraform in one folder, workspace and backend, for one step.

    Args:
        context: The step's context.
        folder: The folder of the configuration.
        data: Where `init` puts what it makes.
        workspace: The workspace, None for the one terraform has selected.
        backend_arguments: Files for `init -backend-config`.
        is_private: Whether the data folder belongs to this backend configuration alone.

    Raises:
        StepFailed: there is no terraform (`type="missing_tool"`).
    """

    def __init__(
        self,
        context: StepContext,
        folder: Path,
        data: Path,
        *,
        workspace: str | None = None,
        backend_arguments: tuple[str, ...] = (),
        is_private: bool = False,
    ) -> None:
        self.program: Program = binary(context.env)
        self.folder = folder
        self._context = context
        self._data = data
        self._workspace = workspace
        self._backend_arguments = backend_arguments
        self._is_private = is_private
        self._is_initialised = False
        self._forgives_init = False
        self._listener: Listener | None = None
        empty = context.scratch / "empty"
        empty.mkdir(mode=0o700, exist_ok=True)
        self.lines = CommandLines(self.program, empty)

    @property
    def workspace(self) -> str:
        """The workspace in use; known once the folder is initialised."""
        return self._workspace or selected_workspace(self._data)

    async def run(self, argv: list[str], *, show: Show = "all", is_captured: bool = False) -> Finished:
        """Run a command of `lines`.

        Args:
            argv: The command line.
            show: What of its output goes to the log.
            is_captured: Whether normal output is kept in `Finished.output` and never logged.

        Raises:
            StepStopped: it was stopped and had to be killed.
        """
        stop = stop_policy()
        self._context.log.system(self._shown(argv))
        listener = Listener(self._context.log, show=show, is_captured=is_captured, forgives_init=self._forgives_init)
        self._listener = listener
        env = environment(
            self._context, workspace=self._workspace, data_folder=str(self._data) if self._is_private else None
        )
        try:
            await self._context.command(
                argv, cwd=self.folder, env=env, stop=stop, on_chunk=listener, on_end=listener.ended
            )
        except asyncio.CancelledError:
            if was_killed(listener.finished):
                raise killed_reading() from None
            raise
        finally:
            listener.close()
        return listener.finished

    @property
    def latest(self) -> Finished:
        """The command that ran last, as far as it came."""
        assert self._listener is not None, "a command has run"
        return self._listener.finished

    async def run_initialised(self, command: Callable[[], Awaitable[Finished]]) -> Finished:
        """Run a command in an initialised folder: `init` first when it never ran, and once when terraform asks for it.

        Raises:
            StepFailed: `init` failed.
        """
        if not self._data.is_dir():
            await self._init(only_if_missing=True)
        self._forgives_init = not self._is_initialised
        finished = await command()
        self._forgives_init = False
        if finished.exit_code == 1 and not self._is_initialised and said.wants_init(finished.errors):
            await self._init(only_if_missing=False)
            finished = await command()
        return finished

    async def _init(self, *, only_if_missing: bool) -> None:
        async with _init_lock(self._data):
            if only_if_missing and self._data.is_dir():
                return
            self._is_initialised = True
            finished = await self.run(self.lines.init(self._backend_arguments, is_private=self._is_private))
        if finished.exit_code != 0:
            raise failure(self._context, finished, "init")

    def _shown(self, argv: list[str]) -> str:
        arguments = [word.replace(f"{self._context.scratch}/", "") for word in argv[len(self.program.argv) :]]
        return "$ " + " ".join([self.program.name, *map(shlex.quote, arguments)])
