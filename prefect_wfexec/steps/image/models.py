"""What the image steps take and give."""

from pydantic import Field

from prefect_wfexec.steps.base import OutputsModel, WithModel
from prefect_wfexec.steps.image.names import ImageName


class ImageBuildWith(WithModel):
    """What to build."""

    context: str = Field(default=".", description="The build context, a folder.")
    file: str | None = Field(
        default=None, description="The Dockerfile, from the context's folder; `Dockerfile` in it when left out."
    )
    tag: str = Field(description="The image's name and tag.")
    platform: str | None = Field(default=None, description="E.g. `linux/amd64`; the worker's when left out.")
    args: dict[str, str] = Field(default={}, description="Build arguments.")
    target: str | None = Field(default=None, description="The stage to build; the last when left out.")
    labels: dict[str, str] = Field(default={}, description="Labels of the image.")
    block: str | None = Field(
        default=None, min_length=1, description="The saved Registry Credentials that base images are pulled with."
    )


class ImageRefWith(WithModel):
    """Which image, and with which credentials."""

    ref: str = Field(description="The image, with tag or digest.")
    block: str | None = Field(default=None, min_length=1, description="The saved Registry Credentials to use.")


class ImageOutputs(OutputsModel):
    """One image, by name and by content."""

    ref: str = Field(description="The image as it was named.")
    digest: str = Field(description="`sha256:…` of the image.")
    digest_ref: str = Field(description="The image by its digest.")


def image_outputs(ref: str, name: ImageName, digest: str) -> dict[str, object]:
    """The outputs of every image step."""
    return {"ref": ref, "digest": digest, "digest_ref": name.by_digest(digest)}
