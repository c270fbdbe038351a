"""Names of images: `registry/repository:tag` and `registry/repository@sha256:…`."""

import re
from dataclasses import dataclass

from prefect_wfexec.errors import StepFailed

MAX_NAME = 512
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PATH = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image's name, taken apart.

    Attributes:
        registry: The host, empty when the name has none.
        path: The repository on it.
        tag: Empty when the name has none.
        digest: `sha256:…`, empty when the name has none.
    """

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def text(self) -> str:
        """The name as people write it: by its digest when it has one, else by its tag."""
        if self.digest:
            return self.by_digest(self.digest)
        return f"{self.repository}:{self.tag or 'latest'}"

    def by_digest(self, digest: str) -> str:
        return f"{self.repository}@{digest}"


def read_name(text: str, *, needs_registry: bool = False) -> ImageName:
    """The image that a name names.

    Args:
        text: The name.
        needs_registry: Whether it must say in which registry the image is.

    Raises:
        StepFailed: it is no image's name (`type="image_name"`).
    """
    rest, _, digest = text.partition("@")
    first, slash, path = rest.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, named = (first, path) if has_registry else ("", rest)
    path, _, tag = named.partition(":")
    is_right = (
        len(text) <= MAX_NAME
        and (not registry or _HOST.fullmatch(registry))
        and _PATH.fullmatch(path)
        and (_TAG.fullmatch(tag) if ":" in named else True)
        and (DIGEST.fullmatch(digest) if "@" in text else True)
    )
    if not is_right:
        raise _refused(f"{text[:120]!a} is no image's name", "write registry/repository:tag, in lower case")
    if needs_registry and not registry:
        raise _refused(f"'{text}' does not say which registry it is in", f"write it in full, as in docker.io/{text}")
    return ImageName(registry.lower(), path, tag, digest)


def _refused(message: str, hint: str) -> StepFailed:
    return StepFailed(message, type="image_name", hint=hint, retryable=False)
