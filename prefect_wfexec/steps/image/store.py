"""The images a run has built, in its folder: one OCI layout each, which is what is scanned and pushed."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.image.names import DIGEST, ImageName, read_name

FOLDER = ".images"
"""No step's id begins with a dot."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image of this run.

    Attributes:
        name: The name it was built under.
        digest: The digest of its manifest, which a registry will know it by.
        layout: Its OCI layout, a folder with this one image.
    """

    name: ImageName
    digest: str
    layout: Path

    @property
    def digest_ref(self) -> str:
        return self.name.by_digest(self.digest)


class ImageStore:
    """The images of one run on this machine.

    Args:
        workspace: The run's folder.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root / FOLDER

    def new_folder(self, step_id: str) -> Path:
        """A folder for a step to build in, empty whatever an earlier attempt left there."""
        at_work = self._root / "at-work"
        at_work.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix = f"{hashlib.sha256(step_id.encode()).hexdigest()[:16]}-"
        for left in at_work.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=at_work, prefix=prefix))

    def add(self, name: ImageName, layout: Path) -> BuiltImage:
        """Take in a layout that is complete; from now on the name means this image.

        Raises:
            StepFailed: the layout is not that of one image (`type="bad_image"`).
        """
        digest = layout_digest(layout)
        target = self._layout(digest)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(layout)
        else:
            layout.rename(target)
        mark = self._mark(name.text)
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = mark.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"ref": name.text, "digest": digest}), encoding="ascii")
        draft.replace(mark)
        return BuiltImage(name, digest, target)

    def find(self, name: ImageName) -> BuiltImage | None:
        """The image of this run with that name or digest, None when it built none on this machine."""
        for ref, digest in self._marks():
            known = read_name(ref)
            is_it = digest == name.digest and known.repository == name.repository if name.digest else ref == name.text
            layout = self._layout(digest)
            if is_it and layout.is_dir():
                return BuiltImage(known, digest, layout)
        return None

    def _marks(self) -> list[tuple[str, str]]:
        marks = sorted((self._root / "names").glob("*.json"))
        read = [json.loads(mark.read_text(encoding="ascii")) for mark in marks]
        return [(entry["ref"], entry["digest"]) for entry in read]

    def _mark(self, ref: str) -> Path:
        return self._root / "names" / f"{hashlib.sha256(ref.encode()).hexdigest()}.json"

    def _layout(self, digest: str) -> Path:
        return self._root / "layouts" / digest.removeprefix("sha256:")


def layout_digest(layout: Path) -> str:
    """The digest of the one image in a layout.

    Raises:
        StepFailed: there is not exactly one (`type="bad_image"`).
    """
    try:
        manifests = json.loads((layout / "index.json").read_text(encoding="utf-8"))["manifests"]
        (digest,) = (str(manifest["digest"]) for manifest in manifests)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepFailed(
            f"what the builder gave is not one image in an OCI layout: {type(error).__name__}", type="bad_image"
        ) from error
    if not DIGEST.fullmatch(digest):
        raise StepFailed(f"the built image has the odd digest {digest!a}", type="bad_image")
    return digest
