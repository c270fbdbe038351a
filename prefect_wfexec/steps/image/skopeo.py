"""Skopeo, which copies images to registries and looks at those that are there."""

import hashlib
from pathlib import Path

from prefect_wfexec.steps.captured import Said, ToolContext, find_program, run_captured
from prefect_wfexec.steps.image.access import Login
from prefect_wfexec.steps.image.failures import registry_failure
from prefect_wfexec.steps.image.names import ImageName

HINT = "install skopeo where workers run"


class Skopeo:
    """Skopeo, signed in as a step's block says.

    Args:
        context: The step's context.
        login: How to sign in.

    Raises:
        StepFailed: there is no skopeo (`type="missing_tool"`).
    """

    def __init__(self, context: ToolContext, login: Login) -> None:
        self._context = context
        self._login = login
        self._program = find_program(context, "skopeo", hint=HINT)

    async def push(self, layout: Path, name: ImageName) -> None:
        """Copy a layout's image to a registry as it is, so that its digest stays what it is.

        Raises:
            StepFailed: the registry refuses it, or can't be reached.
        """
        options = ["--quiet", "--preserve-digests", *self._options("dest-")]
        self._context.log.system(f"$ skopeo copy --preserve-digests -- oci:{layout.name} docker://{name.text}")
        said = await self._run(["copy", *options, "--", f"oci:{layout.name}", f"docker://{name.text}"], layout.parent)
        self._check(said, name, "pushed")

    async def digest(self, name: ImageName) -> str:
        """The digest that a registry has of an image: of what it really gives.

        Raises:
            StepFailed: the registry does not have it, refuses, or can't be reached.
        """
        text = f"docker://{name.text}"
        self._context.log.system(f"$ skopeo inspect --raw -- {text}")
        said = await self._run(["inspect", "--raw", *self._options(), "--", text], self._context.scratch)
        self._check(said, name, "looked up")
        return f"sha256:{hashlib.sha256(said.stdout).hexdigest()}"

    async def log_in(self, registry: str) -> bool:
        """Whether a registry takes the login of the block."""
        self._context.log.system(f"$ skopeo login -- {registry}")
        said = await self._run(["login", *self._options(), "--", registry], self._context.scratch)
        return said.exit_code == 0

    def _options(self, side: str = "") -> list[str]:
        options = [] if self._login.tls_verify else [f"--{side}tls-verify=false"]
        return [*options, *([f"--authfile={self._login.file}"] if self._login.file else [])]

    async def _run(self, arguments: list[str], folder: Path) -> Said:
        env = {"TMPDIR": str(self._context.scratch)}
        return await run_captured(self._context, [self._program, *arguments], cwd=folder, env=env)

    def _check(self, said: Said, name: ImageName, doing: str) -> None:
        if said.exit_code != 0:
            raise registry_failure(
                self._context, said.errors, said.exit_code, registry=name.registry, image=name.text, doing=doing
            )
