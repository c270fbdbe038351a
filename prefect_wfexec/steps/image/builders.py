"""What builds images: buildah, podman or docker, and the command lines of each."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.captured import find_program
from prefect_wfexec.steps.image.access import Login
from prefect_wfexec.steps.image.recipe import Recipe

Kind = Literal["buildah", "podman", "docker"]
KINDS: tuple[Kind, ...] = ("buildah", "podman", "docker")
INSTALL_HINT = "install buildah, podman or docker where workers run"


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds.

    Attributes:
        kind: Which one it is.
        program: Its path.
    """

    kind: Kind
    program: str

    def build(self, recipe: Recipe, id_file: Path, login: Login, isolation: str = "") -> list[str]:
        """The build's arguments; values of build arguments stand in `variables`, not here."""
        words = ["bud" if self.kind == "buildah" else "build"]
        if self.kind == "docker":
            words.append("--force-rm")
        else:
            words += ["--layers=false", *([f"--isolation={isolation}"] if isolation else [])]
            words += [f"--authfile={login.file}"] if login.file else []
        words += [f"--file={recipe.file}", f"--tag={recipe.name.text}", f"--iidfile={id_file}"]
        words += [f"--platform={recipe.platform}"] if recipe.platform else []
        words += [f"--target={recipe.target}"] if recipe.target else []
        words += [f"--build-arg={name}" for name in recipe.args]
        words += [f"--label={name}={value}" for name, value in recipe.labels.items()]
        return [*words, "--", str(recipe.folder)]

    def variables(self, recipe: Recipe, login: Login, temporary: Path) -> dict[str, str]:
        """The variables of a build."""
        own = {"TMPDIR": str(temporary)}
        if self.kind == "docker" and login.folder:
            own["DOCKER_CONFIG"] = str(login.folder)
        return {**recipe.args, **own}


def find_builder(context: StepContext) -> Builder:
    """The builder of this machine.

    Raises:
        StepFailed: there is none (`type="missing_tool"`).
    """
    configured = settings.IMAGE_BUILDER.read()
    if configured:
        return _configured(configured, context.env)
    program = find_program(context, *KINDS, hint=INSTALL_HINT)
    return Builder(_kind(program) or "buildah", program)


def _configured(configured: str, env: Mapping[str, str]) -> Builder:
    path = env.get("PATH") or os.environ.get("PATH", os.defpath)
    found, kind = shutil.which(str(Path(configured).expanduser()), path=path), _kind(configured)
    if found is None or kind is None:
        raise StepFailed(
            f"{settings.IMAGE_BUILDER.variable} names '{configured}', which is no buildah, podman or docker here",
            type="missing_tool",
            hint="correct the setting, or unset it to use the first of them on PATH",
            retryable=False,
        )
    return Builder(kind, str(Path(found).absolute()))


def _kind(program: str) -> Kind | None:
    name = Path(program).name
    return next((kind for kind in KINDS if name.startswith(kind)), None)
