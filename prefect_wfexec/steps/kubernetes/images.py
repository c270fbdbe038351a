"""Putting an image into manifests: by the placeholder `IMAGE`, by its repository, or by containers' names. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.manifests import Manifest

PLACEHOLDER = "IMAGE"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}")
_LISTS = ("containers", "initContainers", "ephemeralContainers")


def put_images(manifests: Sequence[Manifest], image: "str | Mapping[str, str] | None") -> int:
    """Change the manifests' objects in place; how many containers have got an image.

    One image goes into every container whose image is the word `IMAGE`, or is of the same repository, whatever its
    tag or digest. A mapping goes by the containers' names.

    Raises:
        StepFailed: it is no image, no container takes it, or a placeholder is left.
    """
    containers = [(one, container) for one in manifests for container in _containers(one.object)]
    count = 0
    if isinstance(image, str):
        _require_reference(image)
        count = _put_one(containers, image)
    elif image is not None:
        count = sum(_put_named(containers, name, ref) for name, ref in image.items())
    left = [one for one, container in containers if container.get("image") == PLACEHOLDER]
    if left:
        raise StepFailed(
            f"{left[0].source}: a container of the {left[0].kind} '{left[0].name}' still has the placeholder "
            f"{PLACEHOLDER} for its image",
            type="image_missing",
            hint="give the step an `image`",
            retryable=False,
        )
    return count


def repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    before, slash, last = name.rpartition("/")
    return f"{before}{slash}{last.partition(':')[0]}"


def images_of(obj: Mapping[str, Any]) -> list[str]:
    """The images of an object's containers."""
    return [str(container["image"]) for container in _containers(obj) if container.get("image")]


def _put_one(containers: list[tuple[Manifest, dict[str, Any]]], image: str) -> int:
    wanted, count = repository(image), 0
    for _, container in containers:
        current = container.get("image")
        if isinstance(current, str) and (current == PLACEHOLDER or repository(current) == wanted):
            container["image"] = image
            count += 1
    if count == 0:
        known = sorted({str(container.get("image")) for _, container in containers})
        raise StepFailed(
            f"no container takes the image {image}: the manifests have {', '.join(known) or 'no containers'}",
            type="image_unused",
            hint=f"write `image: {PLACEHOLDER}` in the container it is for, or name containers: `image: {{web: …}}`",
            retryable=False,
        )
    return count


def _put_named(containers: list[tuple[Manifest, dict[str, Any]]], name: str, image: str) -> int:
    _require_reference(image)
    found = [container for _, container in containers if container.get("name") == name]
    if not found:
        known = sorted({str(container.get("name")) for _, container in containers})
        raise StepFailed(
            f"there is no container '{name}' for the image {image}: the manifests have {', '.join(known) or 'none'}",
            type="image_unused",
            retryable=False,
        )
    for container in found:
        container["image"] = image
    return len(found)


def _require_reference(image: str) -> None:
    if not _REFERENCE.fullmatch(image):
        raise StepFailed(
            f"'{image[:200]}' is no image", type="bad_input", hint="write name:tag or name@sha256:…", retryable=False
        )


def _containers(value: Any) -> Iterator[dict[str, Any]]:
    """The containers of pods and of templates of pods, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _LISTS and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, dict) and "name" in one)
            else:
                yield from _containers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _containers(inner)
