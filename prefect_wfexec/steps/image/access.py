"""The saved credentials of a registry, and the file that tools read them from."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data
from prefect_wfexec.steps.captured import ToolContext
from prefect_wfexec.steps.checking import BlockUse
from prefect_wfexec.steps.image.names import ImageName

BLOCK_SLUG = "registry-credentials-wfexec"
BLOCK_TYPE_NAME = "Registry Credentials (wfexec)"
BLOCK = BlockUse("block", {BLOCK_SLUG: BLOCK_TYPE_NAME})
DOCKER_HUB = "docker.io"
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""How docker itself calls its registry in its file of credentials."""


class RegistryAccess(BaseModel):
    """What the saved block holds."""

    registry: str
    username: str = ""
    password: SecretStr = SecretStr("")
    tls_verify: bool = True

    @property
    def basic(self) -> str:
        """Account and password as they are sent, empty without an account."""
        password = self.password.get_secret_value()
        return base64.b64encode(f"{self.username}:{password}".encode()).decode("ascii") if self.username else ""


@dataclass(frozen=True, slots=True)
class Login:
    """How a step signs in at registries.

    Attributes:
        folder: A private folder with `config.json`, None: as the worker itself is signed in.
        tls_verify: Whether the registry must prove who it is.
        registry: The registry that an account is there for; empty without one.
    """

    folder: Path | None = None
    tls_verify: bool = True
    registry: str = ""

    @property
    def file(self) -> Path | None:
        return self.folder / "config.json" if self.folder else None


async def sign_in(context: ToolContext, block: str | None, image: ImageName | None = None) -> Login:
    """Make the file of credentials for a step.

    Args:
        context: The step's context.
        block: The block's name, if the step names one.
        image: The image it is for, which must be in the block's registry.

    Raises:
        StepFailed: the block is not there, can't be used, or is another registry's.
        EngineError: Prefect's API can't be asked.
    """
    if block is None:
        return Login()
    access = await _read(block)
    context.masker.add(access.password.get_secret_value(), access.basic)
    if image is not None and access.registry != image.registry:
        raise StepFailed(
            f"the block '{block}' is for the registry {access.registry}, and the image is in {image.registry}",
            type="bad_block",
            hint="name the block of the image's registry",
            retryable=False,
        )
    folder = context.scratch / "registry"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / "config.json", _logins(access))
    return Login(folder, access.tls_verify, access.registry if access.basic else "")


def _logins(access: RegistryAccess) -> str:
    if not access.basic:
        return json.dumps({"auths": {}})
    names = [access.registry, *([DOCKER_HUB_KEY] if access.registry == DOCKER_HUB else [])]
    return json.dumps({"auths": {name: {"auth": access.basic} for name in names}})


async def _read(name: str) -> RegistryAccess:
    try:
        return RegistryAccess.model_validate(dict(await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME)))
    except MissingBlock as missing:
        raise StepFailed(missing.message, type="missing_block", hint=missing.hint, retryable=False) from None
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)}))
        raise StepFailed(
            f"the registry credentials '{name}' can't be used: wrong or missing {fields}",
            type="bad_block",
            hint="open the block in Prefect's UI and save it again",
            retryable=False,
        ) from None


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
