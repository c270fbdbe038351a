"""The folder of a run on one machine: files that a step makes and later steps use."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """A run's folder.

    Attributes:
        root: The folder; it is made when it is first used.
    """

    root: Path

    def folder(self, step_id: str) -> Path:
        """The folder of a step in it, made (0700) when it is not there."""
        folder = self.root / step_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


NO_WORKSPACE = Workspace(Path("/nonexistent"))
"""What a step has that runs without an engine."""
