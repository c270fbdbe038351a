"""What attempts are lent in tests: real parts but for the secrets and claims of a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.commands import Commands
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.supervisor import Supervisor
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.base import RunInfo
from prefect_wfexec.testing import MemoryBlobs
from tests.unit.engine.support import RUN_INFO

SECRET = "hunter2hunter2"


@dataclass
class Lent:
    """What an engine lends."""

    folder: Path
    run: RunInfo = RUN_INFO
    masker: Masker = field(default_factory=Masker)
    blobs: Any = field(default_factory=MemoryBlobs)
    digest_key: bytes = b"key"
    protects: bool = False

    restored: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder.resolve() / "workspaces" / "run" / "files")

    async def restore(self, step: Step, make_context: Any) -> None:
        self.restored.append(step.id)

    supervisor: Supervisor = field(default_factory=Supervisor)

    @property
    def commands(self) -> Commands:
        return Commands(self.supervisor, self.folder / "traces", lambda: self.masker.secrets)

    def is_protected(self, step: Step) -> bool:
        """Whether the step gets few variables only."""
        del step
        return self.protects

    async def secrets(self, names: frozenset[str]) -> dict[str, JSON]:
        known = {"password": SECRET, "config": f'{{"token": "{SECRET}"}}', "pin": 12345678}
        return {name: known[name] for name in names}

    async def claim(self, step_id: str, claim: str) -> None:
        """Nothing was claimed before."""

    async def check_lock(self) -> None:
        """The run needs no lock."""
