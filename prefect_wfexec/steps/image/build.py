"""`image.build`: build an image and keep it, as an OCI layout, in the run's folder."""

import asyncio
import shlex
import shutil
from pathlib import Path

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.workspace import NO_WORKSPACE
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.steps.captured import find_program, run_captured
from prefect_wfexec.steps.image.access import Login, sign_in
from prefect_wfexec.steps.image.builders import Builder, find_builder
from prefect_wfexec.steps.image.failures import build_failure
from prefect_wfexec.steps.image.models import ImageBuildWith, ImageOutputs, image_outputs
from prefect_wfexec.steps.image.recipe import Recipe, read_recipe
from prefect_wfexec.steps.image.signed_in import ImageStep
from prefect_wfexec.steps.image.storage import Storage
from prefect_wfexec.steps.image.store import ImageStore
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.sensitive import secret_paths


@step_type("image.build")
class ImageBuild(ImageStep):
    """Builds one image, for one platform."""

    Inputs = ImageBuildWith
    Outputs = ImageOutputs
    tools = (("buildah", "podman", "docker"),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: ImageBuildWith = context.inputs
        recipe = read_recipe(context)
        if context.workspace is NO_WORKSPACE:
            raise StepFailed("the run has no folder to build in", type="no_workspace", retryable=False)
        builder, login = find_builder(context), await sign_in(context, inputs.block)
        _warn_of_secrets(context, recipe)
        store = ImageStore(context.workspace)
        folder = await asyncio.to_thread(store.new_folder, context.step.id)
        build = _with_docker if builder.kind == "docker" else _with_storage
        try:
            layout = await build(context, builder, recipe, login, folder)
            image = store.add(recipe.name, layout)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        context.log.system(f"built {recipe.name.text} as {image.digest}")
        return StepResult(
            outputs=image_outputs(inputs.tag, image.name, image.digest),
            summary=f"{recipe.name.text} @ {image.digest.removeprefix('sha256:')[:12]}",
        )


async def _with_storage(context: StepContext, builder: Builder, recipe: Recipe, login: Login, folder: Path) -> Path:
    """Build with buildah or podman; the layout."""
    storage, layout = Storage(context, builder, folder / "build"), folder / "layout"
    try:
        await storage.open()
        image = await _run(context, builder, recipe, login, storage)
        await storage.export(image, layout)
    finally:
        await storage.close()
    return layout


async def _run(context: StepContext, builder: Builder, recipe: Recipe, login: Login, storage: Storage) -> str:
    """Run the build; the image's id."""
    id_file = storage.folder / "id"
    words = builder.build(recipe, id_file, login, await storage.isolation())
    env = builder.variables(recipe, login, storage.temporary)
    code = await _command(context, [*storage.start, *words], words, builder, env)
    if code != 0:
        raise build_failure(context, code, recipe.name.text)
    return id_file.read_text(encoding="ascii").strip()


async def _with_docker(context: StepContext, builder: Builder, recipe: Recipe, login: Login, folder: Path) -> Path:
    """Build with docker, whose daemon keeps the image too; the layout."""
    skopeo = find_program(context, "skopeo", hint="install skopeo where workers run: it keeps what docker builds")
    id_file, archive, layout = folder / "id", folder / "image.tar", folder / "layout"
    words = builder.build(recipe, id_file, login)
    code = await _command(
        context, [builder.program, *words], words, builder, builder.variables(recipe, login, context.scratch)
    )
    if code != 0:
        raise build_failure(context, code, recipe.name.text)
    image = id_file.read_text(encoding="ascii").strip()
    for argv in (
        [builder.program, "save", f"--output={archive}", "--", image],
        [skopeo, "copy", "--quiet", "--", f"docker-archive:{archive.name}", f"oci:{layout.name}"],
    ):
        said = await run_captured(context, argv, cwd=folder)
        if said.exit_code != 0:
            raise StepFailed("the built image can't be kept", type="bad_image", tail=context.tail())
    return layout


async def _command(
    context: StepContext, argv: list[str], shown: list[str], builder: Builder, env: dict[str, str]
) -> int | None:
    context.log.system("$ " + shlex.join([builder.kind, *shown]))
    return (await context.command(argv, cwd=context.folder, env=env)).exit_code


def _warn_of_secrets(context: StepContext, recipe: Recipe) -> None:
    for path in sorted(secret_paths(dict(recipe.args), context.masker)):
        context.log.stderr(f"the build argument {path[0]} is a secret: whoever has the image can read it\n")
