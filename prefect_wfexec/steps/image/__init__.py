"""Images: build one, push it, look one up."""

from prefect_wfexec.steps.image.build import ImageBuild
from prefect_wfexec.steps.image.fetch import ImageFetch
from prefect_wfexec.steps.image.push import ImagePush

__all__ = ["ImageBuild", "ImageFetch", "ImagePush"]
