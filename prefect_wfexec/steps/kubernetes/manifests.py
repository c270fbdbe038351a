"""Manifests: files, folders and globs below the step's folder, read strictly, checked before anything is asked."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.kubernetes.documents import NotYaml, read_documents, size_of

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_TOTAL_BYTES = 16 * 1024 * 1024
MAX_FILES = 500
MAX_OBJECTS = 1000
MAX_OBJECT_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*")
_API_VERSION = re.compile(r"([a-z0-9][-a-z0-9.]*/)?v[a-z0-9]+")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object that is wanted.

    Attributes:
        object: The object.
        source: Where it stands: `deploy/web.yaml:12`.
    """

    object: dict[str, Any]
    source: str

    @property
    def api_version(self) -> str:
        return str(self.object["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def shown(self) -> str:
        """As people name it: `Deployment web`."""
        return f"{self.kind} {self.name}"


def read_manifests(context: StepContext, paths: Sequence[str]) -> list[Manifest]:
    """Every object in these files, in their order; the files of a folder or glob by name.

    Raises:
        StepFailed: a path leads out of the folder or is not there, or a file is no strict manifest; all faults of all
            files are told at once.
    """
    files = _files(context, paths)
    found: list[Manifest] = []
    faults: list[str] = []
    total = 0
    for file, shown in files:
        data = _bytes(file, shown)
        total += len(data)
        if total > MAX_TOTAL_BYTES:
            raise _bad(f"the manifests have more than {MAX_TOTAL_BYTES // 2**20} MiB", "deploy fewer at once")
        try:
            found += _objects(data, shown)
        except _Faults as error:
            faults += error.faults
    faults += _twice(found)
    if len(found) > MAX_OBJECTS:
        faults.append(f"the manifests hold {len(found)} objects; {MAX_OBJECTS} are the most")
    if faults:
        raise _bad("\n".join(faults))
    if not found:
        raise _bad(f"there is no object in {', '.join(paths)}", "a folder gives its *.yaml, *.yml and *.json files")
    return found


class _Faults(Exception):
    def __init__(self, faults: Iterable[str]) -> None:
        super().__init__()
        self.faults = list(faults)


def _bad(message: str, hint: str | None = None) -> StepFailed:
    return StepFailed(message, type="bad_manifest", hint=hint, retryable=False)


def _files(context: StepContext, paths: Sequence[str]) -> list[tuple[Path, str]]:
    files: dict[Path, str] = {}
    for path in paths:
        for file in _expanded(context, path):
            files.setdefault(file, _shown(context, file))
        if len(files) > MAX_FILES:
            raise _bad(f"'{path}' names more than {MAX_FILES} files", "deploy fewer at once")
    return list(files.items())


def _expanded(context: StepContext, path: str) -> list[Path]:
    if not path or "\0" in path or path.startswith("~"):
        raise _bad(f"'{path}' is no path of a manifest")
    if _GLOB.search(path):
        return _globbed(context, path)
    place = context.folder / path
    if place.is_dir():
        found = sorted(one for one in place.iterdir() if one.suffix in SUFFIXES and one.is_file())
        return [_inside(context, one, path) for one in found]
    if not place.exists():
        raise StepFailed(
            f"the manifest '{path}' does not exist in {context.folder}",
            type="missing_path",
            retryable=False,
            hint="a path starts at the definition's folder",
        )
    return [_inside(context, place, path)]


def _globbed(context: StepContext, path: str) -> list[Path]:
    pattern = Path(path)
    root = context.folder
    if pattern.is_absolute():
        fixed = [part for part in pattern.parts if not _GLOB.search(part)]
        root = Path(*fixed[: next(number for number, part in enumerate(pattern.parts) if _GLOB.search(part))])
        pattern = pattern.relative_to(root)
    if ".." in pattern.parts:
        raise _bad(f"'{path}' leads out of the definition's folder")
    found: list[Path] = []
    for one in root.glob(str(pattern)):
        if one.suffix in SUFFIXES and one.is_file():
            found.append(_inside(context, one, path))
        if len(found) > MAX_FILES:
            break
    if not found:
        raise StepFailed(f"'{path}' fits no file in {root}", type="missing_path", retryable=False)
    return sorted(found)


def _inside(context: StepContext, place: Path, path: str) -> Path:
    resolved = place.resolve()
    roots = [context.folder.resolve(), context.workspace.root.resolve()]
    if not any(resolved.is_relative_to(root) for root in roots):
        raise _bad(f"'{path}' leads out of the definition's folder", "keep manifests beside the definition")
    if not resolved.is_file():
        raise _bad(f"'{path}' is no file")
    return resolved


def _shown(context: StepContext, file: Path) -> str:
    for root in (context.folder.resolve(), context.workspace.root.resolve()):
        if file.is_relative_to(root):
            return str(file.relative_to(root))
    return str(file)


def _bytes(file: Path, shown: str) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise _bad(f"{shown} has more than {MAX_FILE_BYTES // 2**20} MiB", "split it into several files")
        return data.decode("utf-8")
    except OSError as error:
        raise _bad(f"{shown} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _bad(f"{shown} is not UTF-8") from None


def _objects(text: str, shown: str) -> list[Manifest]:
    try:
        documents = read_documents(text)
    except NotYaml as error:
        raise _Faults([f"{shown}:{error.line}: {error.message}"]) from None
    found, faults = [], []
    for document in documents:
        source = f"{shown}:{document.line}"
        for value in _flattened(document.value):
            fault = _fault_of(value)
            if fault:
                faults.append(f"{source}: {fault}")
            else:
                found.append(Manifest(value, source))
    if faults:
        raise _Faults(faults)
    return found


def _flattened(value: Any) -> list[Any]:
    """The items of a List, else the value itself."""
    is_list = isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list)
    return list(value["items"]) if is_list else [value]


def _fault_of(value: Any) -> str:
    if not isinstance(value, dict):
        return "this is no object"
    metadata = value.get("metadata")
    if not isinstance(value.get("apiVersion"), str) or not _API_VERSION.fullmatch(value["apiVersion"]):
        return "it has no 'apiVersion' such as v1 or apps/v1"
    if not isinstance(value.get("kind"), str) or not _KIND.fullmatch(value["kind"]):
        return "it has no 'kind' such as Deployment"
    if not isinstance(metadata, dict):
        return f"the {value['kind']} has no 'metadata'"
    name = metadata.get("name")
    if not isinstance(name, str) or len(name) > 253 or not _NAME.fullmatch(name):
        is_generated = "generateName" in metadata
        return f"the {value['kind']} has " + (
            "a 'generateName', and needs a 'name'" if is_generated else "no 'metadata.name'"
        )
    return _fault_of_metadata(metadata, f"{value['kind']} '{name}'") or _fault_of_size(value)


def _fault_of_metadata(metadata: dict[str, Any], shown: str) -> str:
    namespace = metadata.get("namespace")
    if namespace is not None and (not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace)):
        return f"the namespace of the {shown} is no name"
    for key in ("labels", "annotations"):
        texts = metadata.get(key)
        if texts is not None and not (isinstance(texts, dict) and all(isinstance(one, str) for one in texts.values())):
            return f"the {key} of the {shown} are not all texts: quote numbers and booleans"
    if "managedFields" in metadata or "resourceVersion" in metadata:
        return f"the {shown} was read from a cluster: remove 'managedFields', 'resourceVersion' and 'uid'"
    return ""


def _fault_of_size(value: dict[str, Any]) -> str:
    if size_of(value) <= MAX_OBJECT_BYTES:
        return ""
    return f"the {value['kind']} is larger than {MAX_OBJECT_BYTES // 1024} KiB"


def _twice(found: Sequence[Manifest]) -> list[str]:
    places: dict[tuple[str, ...], str] = {}
    faults = []
    for one in found:
        key = (one.api_version, one.kind, str(one.object["metadata"].get("namespace", "")), one.name)
        if key in places:
            faults.append(f"{one.source}: the {one.kind} '{one.name}' stands in {places[key]} already")
        places.setdefault(key, one.source)
    return faults


def secrets_in(manifests: Iterable[Manifest]) -> list[str]:
    """The values of all Secrets among the manifests, as they are written and as they are meant."""
    found: list[str] = []
    for manifest in manifests:
        if manifest.kind != "Secret":
            continue
        for key in ("data", "stringData"):
            values = manifest.object.get(key)
            texts = [one for one in values.values() if isinstance(one, str)] if isinstance(values, dict) else []
            found += texts
            if key == "data":
                found += [text for one in texts if (text := _decoded(one))]
    return found


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError:
        return ""


def namespace_for(manifest: Manifest, namespace: str, *, is_given: bool) -> str:
    """The namespace an object goes into: its own, which may not contradict the step's, else the step's.

    Raises:
        StepFailed: the step and the manifest name different ones.
    """
    own = manifest.object["metadata"].get("namespace")
    if own and is_given and own != namespace:
        raise _bad(
            f"{manifest.source}: the {manifest.kind} '{manifest.name}' is for the namespace '{own}', "
            f"the step for '{namespace}'",
            "remove one of the two",
        )
    return str(own or namespace)
