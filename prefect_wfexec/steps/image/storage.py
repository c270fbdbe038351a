"""The storage of one build with buildah or podman: a folder of its own, so that nothing of it is left anywhere else.

Base images that are in the machine's own storage already are used from there, and not pulled again.
"""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed, join_names
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.captured import run_captured
from prefect_wfexec.steps.image.builders import Builder

DRIVERS = ("overlay", "vfs")
ISOLATIONS = ("oci", "rootless", "chroot")
NOTHING = "/wfexec-nothing"
"""A program that is in no container."""
_IS_ABSENT = re.compile(rf"{NOTHING}.*(no such file or directory|not found)", re.IGNORECASE | re.DOTALL)
TIDY_SECONDS = 60.0
"""How long a builder may take to take its working containers away."""


class Storage:
    """Where one build keeps its layers.

    Args:
        context: The step's context.
        builder: buildah or podman.
        folder: A folder of the build's own, which is made.
    """

    def __init__(self, context: StepContext, builder: Builder, folder: Path) -> None:
        self._context = context
        self._builder = builder
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(mode=0o700, parents=True)
        # Podman takes no long path here.
        self._run = Path(tempfile.mkdtemp(dir=context.scratch, prefix="r"))
        self._start = [builder.program, f"--root={folder / 'root'}", f"--runroot={self._run}"]

    @property
    def start(self) -> list[str]:
        """What every command line begins with."""
        return self._start

    async def open(self) -> None:
        """Find out how layers can be kept here, and where the machine has images already.

        Raises:
            StepFailed: the setting names no driver (`type="bad_setting"`).
        """
        driver = _chosen(settings.BUILD_STORAGE, DRIVERS) or await self._working_driver()
        self._start = [*self._start, f"--storage-driver={driver}"]
        images = await self._images_of_machine(driver)
        if images:
            self._start = [*self._start, f"--storage-opt={driver}.imagestore={images}"]

    async def isolation(self) -> str:
        """How RUN is kept apart; empty for the builder's own way, which is left where this machine does not allow it.

        Raises:
            StepFailed: the setting names no way (`type="bad_setting"`).
        """
        chosen = _chosen(settings.BUILD_ISOLATION, ISOLATIONS)
        if chosen or self._builder.kind != "buildah" or os.environ.get("BUILDAH_ISOLATION"):
            return chosen
        # Tried with a container of nothing: what a build prints is text from outside, and decides nothing.
        code, name, errors = await self._ask([*self._start, "from", "scratch"])
        if code == 0:
            *_, errors = await self._ask([*self._start, "run", name.strip(), "--", NOTHING])
            await self._ask([*self._start, "rm", "--all"])
        if _IS_ABSENT.search(errors):
            return ""
        self._context.log.system(
            f"this machine starts no containers for builds: chroot is used ({settings.BUILD_ISOLATION.variable})"
        )
        return "chroot"

    async def close(self) -> None:
        """Take everything away: working containers, mounts, layers."""
        await asyncio.shield(asyncio.ensure_future(self._tidy()))

    async def _tidy(self) -> None:
        try:
            async with asyncio.timeout(TIDY_SECONDS):
                if (self.folder / "root").is_dir():
                    await self._ask([*self._start, "rm", "--all"])
                await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
                if await asyncio.to_thread(self.folder.exists):
                    await self._remove_as_root()
        except (TimeoutError, StepFailed) as error:
            self._context.log.system(f"the build's folder {self.folder} is not quite taken away: {error}")

    async def _remove_as_root(self) -> None:
        """Layers may belong to users that only the builder's own namespace knows, or still be mounted."""
        for mount in _mounts_below(self.folder):
            await self._ask(["umount", "--lazy", "--", mount])
        if os.getuid() != 0:
            await self._ask([self._builder.program, "unshare", "rm", "-rf", "--", str(self.folder)])
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _working_driver(self) -> str:
        chosen = os.environ.get("STORAGE_DRIVER", "")
        if chosen in DRIVERS:
            return chosen
        return "overlay" if await self._info([*self._start, "--storage-driver=overlay"]) else "vfs"

    async def _images_of_machine(self, driver: str) -> Path | None:
        store = (await self._info([self._builder.program])).get("store", {})
        root = next((Path(str(value)) for key, value in store.items() if key.lower() == "graphroot"), None)
        return root if root is not None and (root / f"{driver}-images").is_dir() else None

    async def _info(self, start: list[str]) -> Mapping[str, dict[str, object]]:
        """What the builder says of itself, empty when it can't."""
        words = ["info", *(["--format=json"] if self._builder.kind == "podman" else [])]
        code, text, _ = await self._ask([*start, *words])
        try:
            known = json.loads(text) if code == 0 else {}
        except ValueError:
            known = {}
        return known if isinstance(known, dict) else {}

    async def _ask(self, argv: list[str]) -> tuple[int | None, str, str]:
        """Run a command whose errors are no matter of the step's log: exit code, output, errors."""
        said = {"stdout": bytearray(), "stderr": bytearray()}

        def take(stream: str, data: bytes) -> None:
            said[stream].extend(data)

        env = {"TMPDIR": str(self.temporary)}
        result = await self._context.command(argv, cwd=self.folder.parent, env=env, on_chunk=take)
        stdout, stderr = (said[stream].decode("utf-8", "replace") for stream in ("stdout", "stderr"))
        return result.exit_code, stdout, stderr

    async def export(self, image: str, layout: Path) -> None:
        """Write an image of this storage as an OCI layout.

        Raises:
            StepFailed: it can't be written (`type="bad_image"`).
        """
        argv = [*self._start, "push", "--quiet", "--", image, f"oci:{layout.name}"]
        said = await run_captured(self._context, argv, cwd=layout.parent, env={"TMPDIR": str(self.temporary)})
        if said.exit_code != 0:
            raise StepFailed("the built image can't be kept", type="bad_image", tail=self._context.tail())


def _chosen(setting: settings.Setting, known: tuple[str, ...]) -> str:
    """What a setting says, empty for `auto`."""
    value = setting.read()
    if value not in {"auto", *known}:
        wanted = join_names(("auto", *known), "or")
        raise StepFailed(f"{setting.variable} is '{value}', not {wanted}", type="bad_setting", retryable=False)
    return "" if value == "auto" else value


def _mounts_below(folder: Path) -> list[str]:
    """What is mounted in a folder, the innermost first."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    points = [line.split(" ")[1] for line in lines]
    return sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True)
