"""Runs git for one step and one repository."""

import os
import re
import shlex
from pathlib import Path

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.captured import Said, find_program, run_captured
from prefect_wfexec.steps.git.addresses import Address
from prefect_wfexec.steps.git.credentials import GitAccess
from prefect_wfexec.steps.git.failures import failure
from prefect_wfexec.steps.git.surroundings import foreign_variables, surroundings

OLDEST = (2, 32)
"""Takes its whole configuration from the environment."""
SHOWN = frozenset({"ls-remote", "fetch", "checkout", "submodule"})
"""The commands that the log names: those that ask a server or write files."""


class Git:
    """Git with a repository's address and credentials.

    Args:
        context: The step's context.
        address: The repository.
        access: Who asks for it.

    Raises:
        StepFailed: there is no git, or no key for ssh.
    """

    def __init__(self, context: StepContext, address: Address, access: GitAccess) -> None:
        self.context = context
        self.address = address
        program = find_program(context, "git", hint="install git where workers run")
        self._env = surroundings(address, access, context.scratch)
        foreign = [name for name in foreign_variables(os.environ, context.env) if name not in self._env]
        self._start = ["env", *(f"--unset={name}" for name in foreign), program] if foreign else [program]

    async def check_version(self) -> None:
        """Make sure that git heeds the configuration it is given: an older one would follow the machine's in silence.

        Raises:
            StepFailed: it is too old (`type="missing_tool"`).
        """
        said = await self.ask("version", folder=self.context.scratch)
        found = re.search(r"\d+(\.\d+)+", said.text)
        numbers = tuple(int(number) for number in found[0].split(".")) if found else ()
        if numbers < OLDEST:
            raise StepFailed(
                f"git {found[0] if found else '?'} is too old",
                type="missing_tool",
                hint=f"install git {OLDEST[0]}.{OLDEST[1]} or newer where workers run",
                retryable=False,
            )

    async def ask(self, *arguments: str, folder: Path) -> Said:
        """Run a command, and say how it ended."""
        if arguments[0] in SHOWN:
            self.context.log.system("$ " + shlex.join(["git", *arguments]))
        env = {**self._env, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
        return await run_captured(self.context, [*self._start, *arguments], cwd=folder, env=env)

    async def run(self, *arguments: str, folder: Path, doing: str) -> str:
        """Run a command that has to succeed; what it prints.

        Raises:
            StepFailed: it did not.
        """
        said = await self.ask(*arguments, folder=folder)
        if said.exit_code != 0:
            raise failure(self.context, self.address, said, doing)
        return said.text
