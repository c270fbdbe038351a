"""Saving a changed definition into its deployment, the way its project deploys it."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from prefect_wfexec.errors import UsageError


@dataclass(frozen=True, slots=True)
class Project:
    """The prefect.yaml that deploys a definition.

    Attributes:
        folder: Where it stands, and where `prefect deploy` is run.
        deployment: The deployment's name in it.
    """

    folder: Path
    deployment: str


def find_project(definition: Path) -> Project | None:
    """The nearest prefect.yaml above a definition that deploys the module beside it; None when there is none."""
    module = definition.resolve().with_suffix(".py")
    for folder in module.parents:
        file = folder / "prefect.yaml"
        if file.is_file():
            for name, entrypoint in _entries(file):
                if (folder / entrypoint.partition(":")[0]).resolve() == module:
                    return Project(folder, name)
    return None


def _entries(file: Path) -> list[tuple[str, str]]:
    try:
        document: Any = yaml.safe_load(file.read_text("utf-8"))
        found = document["deployments"]
        return [(str(one["name"]), str(one["entrypoint"])) for one in found if one.get("entrypoint")]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return []


async def save(project: Project) -> None:
    """Deploy it again with `prefect deploy`.

    Raises:
        UsageError: it did not work; what `prefect deploy` said is told.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--name", project.deployment]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=project.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
        raise UsageError(
            f"deployment '{project.deployment}' could not be saved: {' '.join(lines[-3:])[:600]}",
            hint=f"run `prefect deploy --name {project.deployment}` in {project.folder}",
            code="not-deployed",
        )
